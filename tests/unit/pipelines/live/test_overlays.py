"""A mask, once drawn, holds: without Redis, after a restart, against forgers; only its signed successor ends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from api.keys.store import KeyStore
from pipelines.canonical import canonical_json
from pipelines.config import CameraConfig
from pipelines.errors import BusError, SealingError
from pipelines.live.camera_slot import Masks
from pipelines.live.overlays import WHOLE_PICTURE, OverlayFollower, configured_masks
from pipelines.overlay_package import CameraOverlays, OverlaySender, read_overlays, sign_overlays
from pipelines.signing import SigningKey, VerifyingKeys, sign_event
from pipelines.streams import connect, overlays_key
from pipelines.worker_keys import WorkerKeys
from tests.redis_server import api_redis, redis_program, redis_server, worker_redis
from vision.polygons import Polygon

__all__ = ["api_redis", "redis_program", "redis_server", "worker_redis"]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
LEFT = Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
RIGHT = Polygon(((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
OWN = {"gate": Masks((RIGHT,), (RIGHT,)), "yard": Masks()}


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore.init(tmp_path / "keys")


@pytest.fixture
def signers(store: KeyStore) -> VerifyingKeys:
    return WorkerKeys.load(store.create_worker("w1")).gallery_signers


class Place:
    """The service's side, and one worker's."""

    def __init__(
        self, api: Redis, worker: Redis, folder: Path, store: KeyStore, signers: VerifyingKeys
    ) -> None:
        self.api, self.worker, self.folder, self.signers = api, worker, folder, signers
        self.sender = OverlaySender(api, store.galleries_key())

    def follower(self, redis: Redis | None = None) -> OverlayFollower:
        """As after a start of the worker."""
        return OverlayFollower(redis or self.worker, self.signers, self.folder, OWN)

    def draw(
        self, *privacy: Polygon, at: datetime = NOON, detection: tuple[Polygon, ...] | None = None
    ) -> None:
        self.sender.send(CameraOverlays("gate", at, detection, privacy))

    def put(self, content: bytes) -> None:
        self.api.set(overlays_key("gate"), content)


@pytest.fixture
def place(
    api_redis: Redis, worker_redis: Redis, tmp_path: Path, store: KeyStore, signers: VerifyingKeys
) -> Place:
    return Place(api_redis, worker_redis, tmp_path / "overlays", store, signers)


@pytest.fixture
def away() -> Iterator[Redis]:
    """A client of a server that is not there."""
    with connect("unix:///nowhere/redis.sock", retries=0) as client:
        yield client


def test_what_is_drawn_wins_over_the_settings_file_kind_by_kind(place: Place) -> None:
    follower = place.follower()
    assert follower.masks("gate") == OWN["gate"]
    assert follower.refresh() == ()
    place.draw(LEFT)
    assert follower.refresh() == ("gate",)
    assert follower.masks("gate") == Masks((LEFT,), (RIGHT,))  # nobody drew a detection mask
    assert follower.masks("yard") == Masks()
    assert follower.refresh() == ()
    place.draw(LEFT, at=LATER, detection=(LEFT,))
    assert follower.refresh() == ("gate",)
    assert follower.masks("gate") == Masks((LEFT,), (LEFT,))


def test_a_removal_is_a_later_version(place: Place) -> None:
    follower = place.follower()
    place.draw(LEFT)
    follower.refresh()
    place.draw(at=LATER)
    assert follower.refresh() == ("gate",)
    assert follower.masks("gate").privacy == ()
    assert place.follower().masks("gate").privacy == ()  # after a restart, too


def test_masks_hold_without_redis_and_across_restarts(place: Place, away: Redis) -> None:
    place.draw(LEFT)
    place.follower().refresh()
    alone = place.follower(away)
    assert alone.masks("gate").privacy == (LEFT,)
    with pytest.raises(BusError):
        alone.refresh()
    assert alone.masks("gate").privacy == (LEFT,)


def test_an_emptied_redis_takes_no_mask_away(place: Place) -> None:
    follower = place.follower()
    place.draw(LEFT)
    follower.refresh()
    place.api.delete(overlays_key("gate"))
    assert follower.refresh() == ()
    assert follower.masks("gate").privacy == (LEFT,)


def forgeries(store: KeyStore) -> dict[str, bytes]:
    """What a thief of the Redis password could put there."""
    removal = CameraOverlays("gate", LATER, None, ())
    genuine = json.loads(sign_overlays(CameraOverlays("gate", LATER, None, (LEFT,)), store.galleries_key()))
    changed = {**genuine, "overlays": {**genuine["overlays"], "privacy_masks": []}}
    stranger = SigningKey.generate()
    odd = {**genuine["overlays"], "schema": "aiqyn.overlays/2"}
    odd_signature = sign_event(odd, store.galleries_key()).model_dump(mode="json")
    bow_tie = {**genuine["overlays"], "privacy_masks": [[[0.1, 0.1], [0.5, 0.5], [0.5, 0.1], [0.1, 0.5]]]}
    bow_tie_signature = sign_event(bow_tie, store.galleries_key()).model_dump(mode="json")
    return {
        "nothing": b"",
        "no JSON": b"\xff{",
        "unsigned": canonical_json(genuine["overlays"]),
        "signed by a stranger": sign_overlays(removal, stranger),
        "changed after signing": canonical_json(changed),
        "of another camera": sign_overlays(replace(removal, camera_id="yard"), store.galleries_key()),
        "another schema": canonical_json({"overlays": odd, "signature": odd_signature}),
        "no polygon": canonical_json({"overlays": bow_tie, "signature": bow_tie_signature}),
        "nested": b'{"overlays":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "endless": b" " * 1_000_001,
    }


def test_nothing_forged_takes_a_mask_away(place: Place, store: KeyStore, signers: VerifyingKeys) -> None:
    follower = place.follower()
    place.draw(LEFT)
    follower.refresh()
    for name, content in forgeries(store).items():
        place.put(content)
        assert follower.refresh() == (), name
        assert follower.masks("gate").privacy == (LEFT,), name
        with pytest.raises(SealingError):
            read_overlays(content, signers, "gate")
    assert place.follower().masks("gate").privacy == (LEFT,)
    place.draw(RIGHT, at=LATER)  # and what is genuine is taken after all that
    assert follower.refresh() == ("gate",)


def test_an_older_version_put_back_is_refused(place: Place) -> None:
    follower = place.follower()
    place.draw(LEFT, at=LATER)
    follower.refresh()
    place.draw(at=NOON)
    assert follower.refresh() == ()
    assert follower.masks("gate").privacy == (LEFT,)


@pytest.mark.parametrize("damage", [b"", b"{}", b"garbage"], ids=["emptied", "no signature", "overwritten"])
def test_what_was_kept_and_cannot_be_read_masks_the_whole_picture(
    place: Place, away: Redis, damage: bytes
) -> None:
    place.draw(LEFT)
    place.follower().refresh()
    (kept,) = place.folder.iterdir()
    kept.write_bytes(damage)
    alone = place.follower(away)
    assert alone.masks("gate").privacy == (WHOLE_PICTURE,)
    assert alone.masks("yard") == Masks()
    back = place.follower()
    assert back.refresh() == ("gate",)
    assert back.masks("gate").privacy == (LEFT,)


def test_a_full_disk_puts_off_keeping_a_mask_not_putting_it_in_force(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise SealingError("no space left on device")

    follower = place.follower()
    place.draw(LEFT)
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.live.overlays.write_private", full)
        assert follower.refresh() == ("gate",)
        assert follower.masks("gate").privacy == (LEFT,)
        assert place.follower().masks("gate").privacy == (RIGHT,)  # not kept
    assert follower.refresh() == ()
    assert place.follower().masks("gate").privacy == (LEFT,)  # kept as soon as there is room


def test_what_a_worker_puts_there_itself_is_refused(place: Place) -> None:
    """On Redis 6.2 a worker could make its own cameras' key, of another type; the service's own word replaces it."""
    with suppress(NoPermissionError):  # from 7 on it cannot even do that
        place.worker.hset(overlays_key("gate"), "privacy_masks", "[]")
    follower = place.follower()
    assert follower.refresh() == ()
    assert follower.masks("gate") == OWN["gate"]
    place.draw(LEFT)
    assert follower.refresh() == ("gate",)


def test_cameras_of_a_settings_file_read_again(place: Place) -> None:
    place.draw(LEFT)
    first = OverlayFollower(place.worker, place.signers, place.folder, OWN)
    first.refresh()
    follower = OverlayFollower(place.worker, place.signers, place.folder, {})
    assert follower.refresh() == ()
    follower.configure(OWN)
    assert follower.masks("gate").privacy == (LEFT,)


def test_masks_of_the_settings_file() -> None:
    camera = CameraConfig.model_validate({"source": "rtsp://camera/1", "privacy_masks": [LEFT.points]})
    assert configured_masks({"gate": camera}) == {"gate": Masks((LEFT,), ())}


def test_too_many_masks_are_not_sent(store: KeyStore) -> None:
    with pytest.raises(SealingError, match="privacy_masks"):
        sign_overlays(CameraOverlays("gate", NOON, None, (LEFT,) * 33), store.galleries_key())


def test_what_may_not_be_asked_for_is_wholly_masked_until_it_may(place: Place) -> None:
    """An ACL file from before the camera: there may be a mask, and nobody knows."""
    follower = place.follower()
    follower.configure({**OWN, "another": Masks()})
    assert follower.masks("another") == Masks()
    assert follower.refresh() == ("another",)
    assert follower.masks("another") == Masks((WHOLE_PICTURE,), ())
    assert follower.masks("yard") == Masks()
    assert follower.refresh() == ()
    assert follower._look("another", None)  # the answer once the file is renewed
    assert follower.masks("another") == Masks()
