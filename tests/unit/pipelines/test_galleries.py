"""`pipelines.galleries` and `gallery_bus`: only the genuine, own, active and newest list is searched."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis import Redis

from api.keys.store import KeyStore
from pipelines.canonical import canonical_json
from pipelines.errors import BusError, SealingError
from pipelines.galleries import GalleryInactiveError, GalleryPackage, open_gallery, seal_gallery
from pipelines.gallery_bus import GalleryFollower, GalleryPublisher
from pipelines.sealing import open_sealed, seal
from pipelines.signing import SigningKey, sign_event
from pipelines.streams import GALLERY_INDEX, connect, gallery_key
from pipelines.worker_keys import WorkerKeys
from tests.event_builders import NOON

ONE_DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    store = KeyStore.init(tmp_path / "keys", now=NOON - ONE_DAY)
    store.create_worker("w1", now=NOON - ONE_DAY)
    return store


@pytest.fixture
def keys(store: KeyStore) -> WorkerKeys:
    return WorkerKeys.load(store.create_worker("w1"))


def make_package(**changes: Any) -> GalleryPackage:
    templates = np.random.default_rng(5).standard_normal((3, 16)).astype(np.float32)
    package = GalleryPackage(
        deployment_id="d1",
        watchlist_id="missing",
        worker_id="w1",
        version=3,
        cameras=("gate",),
        active_from=NOON - timedelta(hours=1),
        active_until=NOON + timedelta(hours=1),
        embedder_id="mobilefacenet-faceplugin",
        embedder_sha256="a" * 64,
        preprocessing="arcface-112/1",
        false_alerts_per_1000_faces=1.0,
        subject_ids=("s1", "s1", "s2"),
        templates=templates / np.linalg.norm(templates, axis=1, keepdims=True),
    )
    return replace(package, **changes)


def sealed(store: KeyStore, package: GalleryPackage) -> bytes:
    return seal_gallery(package, store.galleries_key(), store.worker_sealing_key("w1"))


def test_a_gallery_comes_back_bit_for_bit(store: KeyStore, keys: WorkerKeys) -> None:
    package = make_package()
    opened = open_gallery(sealed(store, package), keys, "d1", NOON)
    assert opened.templates.tobytes() == package.templates.tobytes()
    for name in ("version", "cameras", "subject_ids", "active_until", "false_alerts_per_1000_faces"):
        assert getattr(opened, name) == getattr(package, name)
    assert opened.subject_count == 2


def test_an_empty_list_is_a_list(store: KeyStore, keys: WorkerKeys) -> None:
    package = make_package(subject_ids=(), templates=np.empty((0, 16), np.float32))
    assert len(open_gallery(sealed(store, package), keys, "d1", NOON).templates) == 0


def test_nothing_of_a_template_shows(store: KeyStore) -> None:
    package = make_package()
    blob = sealed(store, package)
    assert package.templates[0, :2].tobytes() not in blob
    assert b"s1" not in blob
    assert "0." not in repr(package)


class TestRefused:
    def test_sealed_to_another_worker(self, store: KeyStore) -> None:
        other = WorkerKeys.load(store.create_worker("w2"))
        with pytest.raises(SealingError, match="another key"):
            open_gallery(sealed(store, make_package()), other, "d1", NOON)

    def test_another_workers_list_sealed_to_this_one(self, store: KeyStore, keys: WorkerKeys) -> None:
        """As the service never does: named for w2, readable by w1, and put under w1's key."""
        blob = sealed(store, make_package(worker_id="w2"))
        content = open_sealed(blob, keys.galleries_private, "aiqyn.gallery/1:w2:d1")
        moved = seal(content, store.worker_sealing_key("w1"), "aiqyn.gallery/1:w1:d1")
        with pytest.raises(SealingError, match="another worker"):
            open_gallery(moved, keys, "d1", NOON)

    def test_under_another_deployment(self, store: KeyStore, keys: WorkerKeys) -> None:
        with pytest.raises(SealingError, match="another place"):
            open_gallery(sealed(store, make_package()), keys, "d2", NOON)

    def test_signed_by_a_stranger(self, store: KeyStore, keys: WorkerKeys) -> None:
        blob = seal_gallery(make_package(), SigningKey.generate(), store.worker_sealing_key("w1"))
        with pytest.raises(SealingError, match="not registered"):
            open_gallery(blob, keys, "d1", NOON)

    def test_signed_by_the_worker_itself(self, store: KeyStore, keys: WorkerKeys) -> None:
        blob = seal_gallery(make_package(), keys.candidates, store.worker_sealing_key("w1"))
        with pytest.raises(SealingError, match="not registered"):
            open_gallery(blob, keys, "d1", NOON)

    @pytest.mark.parametrize("position", [0, 40, 200, -1])
    def test_a_changed_byte(self, store: KeyStore, keys: WorkerKeys, position: int) -> None:
        blob = bytearray(sealed(store, make_package()))
        blob[position] ^= 1
        with pytest.raises(SealingError):
            open_gallery(bytes(blob), keys, "d1", NOON)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            pytest.param(
                lambda h: h["gallery"].update(active_until="2027-01-01T00:00:00Z"), "hold", id="longer"
            ),
            pytest.param(lambda h: h["gallery"].update(cameras=["yard"]), "hold", id="elsewhere"),
            pytest.param(lambda h: h["gallery"]["subject_ids"].reverse(), "hold", id="names exchanged"),
            pytest.param(lambda h: h.update(signature=None), "header", id="unsigned"),
            pytest.param(lambda h: h.clear(), "header", id="empty"),
        ],
    )
    def test_a_header_changed_inside_a_fresh_seal(
        self, store: KeyStore, keys: WorkerKeys, change: Callable[[Any], Any], reason: str
    ) -> None:
        """Anybody can seal to a worker; only the service can sign."""
        header, templates = unpack(store, keys, make_package())
        change(header)
        with pytest.raises(SealingError, match=reason):
            open_gallery(repack(store, header, templates), keys, "d1", NOON)

    def test_other_templates_under_the_same_header(self, store: KeyStore, keys: WorkerKeys) -> None:
        header, templates = unpack(store, keys, make_package())
        swapped = templates[64:128] + templates[:64] + templates[128:]
        with pytest.raises(SealingError, match="templates are not those"):
            open_gallery(repack(store, header, swapped), keys, "d1", NOON)

    def test_signed_but_of_another_kind(self, store: KeyStore, keys: WorkerKeys) -> None:
        document = {"schema": "aiqyn.candidate/1"}
        signature = sign_event(document, store.galleries_key()).model_dump(mode="json")
        with pytest.raises(SealingError, match="not a gallery"):
            open_gallery(repack(store, {"gallery": document, "signature": signature}, b""), keys, "d1", NOON)

    @pytest.mark.parametrize(
        "content", [b"", b"\x00", struct.pack(">I", 5), struct.pack(">I", 2**31), b"\x00" * 9]
    )
    def test_a_torn_content(self, store: KeyStore, keys: WorkerKeys, content: bytes) -> None:
        blob = seal(content, store.worker_sealing_key("w1"), "aiqyn.gallery/1:w1:d1")
        with pytest.raises(SealingError):
            open_gallery(blob, keys, "d1", NOON)

    @pytest.mark.parametrize(
        "moment",
        [
            pytest.param(NOON - timedelta(hours=1, seconds=1), id="not yet"),
            pytest.param(NOON + timedelta(hours=1), id="at its end"),
            pytest.param(NOON + timedelta(days=9), id="long over"),
        ],
    )
    def test_outside_its_dates(self, store: KeyStore, keys: WorkerKeys, moment: datetime) -> None:
        with pytest.raises(GalleryInactiveError, match="active from"):
            open_gallery(sealed(store, make_package()), keys, "d1", moment)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"subject_ids": ("s1",)}, "as many templates", id="too few ids"),
        pytest.param({"templates": np.ones((3, 16), np.float32)}, "unit length", id="not of unit length"),
        pytest.param({"templates": np.full((3, 16), np.nan, np.float32)}, "finite", id="not finite"),
        pytest.param({"active_until": NOON - ONE_DAY}, "end after", id="ends first"),
        pytest.param({"active_from": datetime(2026, 3, 1)}, "offset", id="a date without offset"),  # noqa: DTZ001
        pytest.param({"deployment_id": GALLERY_INDEX}, "called", id="the name of the index"),
    ],
)
def test_what_is_no_gallery(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SealingError, match=reason):
        make_package(**changes)


@pytest.mark.parametrize("changes", [{"cameras": ()}, {"version": 0}, {"subject_ids": ("s 1", "s2", "s3")}])
def test_what_is_not_sent(store: KeyStore, changes: dict[str, Any]) -> None:
    with pytest.raises(SealingError, match="cannot be sent"):
        sealed(store, make_package(**changes))


class TestThroughRedis:
    @pytest.fixture
    def publisher(self, api_redis: Redis, store: KeyStore) -> GalleryPublisher:
        return GalleryPublisher(api_redis, store.galleries_key())

    @pytest.fixture
    def follower(self, worker_redis: Redis, keys: WorkerKeys) -> GalleryFollower:
        return GalleryFollower(worker_redis, keys)

    def test_published_followed_and_withdrawn(
        self, publisher: GalleryPublisher, follower: GalleryFollower, store: KeyStore
    ) -> None:
        follower.refresh(NOON)
        assert follower.active(NOON) == {}
        publisher.publish(make_package(), store.worker_sealing_key("w1"))
        follower.refresh(NOON)
        assert follower.active(NOON)["d1"].version == 3
        publisher.publish(make_package(version=4), store.worker_sealing_key("w1"))
        follower.refresh(NOON)
        assert follower.active(NOON)["d1"].version == 4
        publisher.withdraw("d1", "w1")
        follower.refresh(NOON)
        assert follower.active(NOON) == {}

    def test_the_time_ends_without_redis(
        self, publisher: GalleryPublisher, follower: GalleryFollower, store: KeyStore
    ) -> None:
        publisher.publish(make_package(), store.worker_sealing_key("w1"))
        follower.refresh(NOON)
        assert follower.active(NOON + timedelta(minutes=59))
        assert follower.active(NOON + timedelta(hours=1)) == {}

    def test_a_list_for_later_is_opened_when_its_time_comes(
        self, publisher: GalleryPublisher, follower: GalleryFollower, store: KeyStore
    ) -> None:
        publisher.publish(make_package(), store.worker_sealing_key("w1"))
        early = NOON - timedelta(hours=2)
        follower.refresh(early)
        assert follower.active(early) == {}
        follower.refresh(NOON)
        assert set(follower.active(NOON)) == {"d1"}

    def test_an_older_genuine_list_put_back_is_refused(
        self, publisher: GalleryPublisher, follower: GalleryFollower, store: KeyStore
    ) -> None:
        publisher.publish(make_package(version=4), store.worker_sealing_key("w1"))
        follower.refresh(NOON)
        publisher.publish(make_package(version=3), store.worker_sealing_key("w1"))
        follower.refresh(NOON)
        assert follower.active(NOON) == {}

    def test_garbage_and_missing_lists_cost_the_others_nothing(
        self, publisher: GalleryPublisher, follower: GalleryFollower, store: KeyStore, api_redis: Redis
    ) -> None:
        publisher.publish(make_package(), store.worker_sealing_key("w1"))
        api_redis.set(gallery_key("d2", "w1"), b"garbage")
        for name in ("d2", "d3"):
            api_redis.hset(gallery_key(GALLERY_INDEX, "w1"), name, "1")
        follower.refresh(NOON)
        assert set(follower.active(NOON)) == {"d1"}

    def test_while_redis_is_away_what_is_known_stays(
        self, publisher: GalleryPublisher, follower: GalleryFollower, store: KeyStore, tmp_path: Path
    ) -> None:
        publisher.publish(make_package(), store.worker_sealing_key("w1"))
        follower.refresh(NOON)
        follower.redis = connect(f"unix://{tmp_path}/none.sock", retries=0)
        with pytest.raises(BusError, match="looked up"):
            follower.refresh(NOON)
        assert set(follower.active(NOON)) == {"d1"}

    def test_what_is_lost_is_overwritten_and_told_once(
        self, publisher: GalleryPublisher, follower: GalleryFollower, store: KeyStore
    ) -> None:
        seal_to = store.worker_sealing_key("w1")
        publisher.publish(make_package(), seal_to)
        follower.refresh(NOON)
        first = follower.active(NOON)["d1"]
        assert first.memory is not None
        assert first.templates.any()
        longer = make_package(
            version=4,
            subject_ids=(*first.subject_ids, "s9"),
            templates=np.concatenate([first.templates, first.templates[:1]]),
        )
        publisher.publish(longer, seal_to)
        follower.refresh(NOON)
        assert follower.take_losses() == ()  # somebody was added, nobody is lost
        assert not first.memory.wiped
        second = follower.active(NOON)["d1"]
        assert second.memory is not None
        shorter = make_package(version=5, subject_ids=("s9",), templates=first.templates[:1])
        publisher.publish(shorter, seal_to)
        follower.refresh(NOON)
        (loss,) = follower.take_losses()
        assert loss.deployment_id == "d1"
        assert "version 5 lacks" in loss.reason
        assert second.memory.wiped
        assert not second.templates.any()
        assert follower.take_losses() == ()
        third = follower.active(NOON)["d1"]
        publisher.withdraw("d1", "w1")
        follower.refresh(NOON)
        assert [one.reason for one in follower.take_losses()] == ["it was withdrawn"]
        assert not third.templates.any()

    def test_the_end_of_its_time_is_a_loss(
        self, publisher: GalleryPublisher, follower: GalleryFollower, store: KeyStore
    ) -> None:
        publisher.publish(make_package(), store.worker_sealing_key("w1"))
        follower.refresh(NOON)
        package = follower.active(NOON)["d1"]
        assert follower.active(NOON + timedelta(hours=1)) == {}
        assert [one.reason for one in follower.take_losses()] == ["it has expired"]
        assert not package.templates.any()

    def test_a_version_that_cannot_be_opened_ends_the_one_before(
        self, publisher: GalleryPublisher, follower: GalleryFollower, store: KeyStore, api_redis: Redis
    ) -> None:
        publisher.publish(make_package(), store.worker_sealing_key("w1"))
        follower.refresh(NOON)
        api_redis.set(gallery_key("d1", "w1"), b"garbage")
        api_redis.hset(gallery_key(GALLERY_INDEX, "w1"), "d1", "4")
        follower.refresh(NOON)
        assert follower.active(NOON) == {}
        assert len(follower.take_losses()) == 1


def test_of_the_bytes_it_was_decrypted_into_nothing_is_left(
    store: KeyStore, keys: WorkerKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bytes] = []

    def opened(*given: Any) -> bytes:
        kept.append(open_sealed(*given))
        return kept[-1]

    monkeypatch.setattr("pipelines.galleries.open_sealed", opened)
    package = open_gallery(sealed(store, make_package()), keys, "d1", NOON)
    assert package.templates.any()
    assert package.memory is not None
    with pytest.raises(SealingError):
        open_gallery(sealed(store, make_package()), keys, "d1", NOON + timedelta(days=3650))
    assert len(kept) == 2
    assert not any(any(content) for content in kept)


def unpack(store: KeyStore, keys: WorkerKeys, package: GalleryPackage) -> tuple[dict[str, Any], bytes]:
    content = open_sealed(sealed(store, package), keys.galleries_private, "aiqyn.gallery/1:w1:d1")
    (length,) = struct.unpack_from(">I", content)
    return json.loads(content[4 : 4 + length]), content[4 + length :]


def repack(store: KeyStore, header: dict[str, Any], templates: bytes) -> bytes:
    text = canonical_json(header)
    content = struct.pack(">I", len(text)) + text + templates
    return seal(content, store.worker_sealing_key("w1"), "aiqyn.gallery/1:w1:d1")
