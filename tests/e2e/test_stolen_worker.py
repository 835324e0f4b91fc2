"""A stolen worker: everything in its keys folder and its Redis password, and what that does not give.

`test_redis_credentials.py` tries what the password opens in Redis; here the thief has the keys as well, and every
blob and stream entry there is. Each test has a control: with the right key the same step succeeds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.embedded.redis_server import RedisServer
from api.keys.store import KeyStore
from api.ledger.verify import ReceiptError, load_keys, verify_stream_event
from pipelines import streams
from pipelines.acl import account_of, preview_user
from pipelines.bus import CandidateConsumer
from pipelines.canonical import canonical_json
from pipelines.errors import EvidenceError, SealingError
from pipelines.events import CANDIDATE_SCHEMA, CONFIRMED_SCHEMA, EvidenceItem, utc_now
from pipelines.evidence import EvidenceReader, EvidenceStore
from pipelines.galleries import GalleryPackage, open_gallery, seal_gallery
from pipelines.signing import SigningKey
from pipelines.worker_keys import WorkerKeys
from tests.event_builders import make_candidate
from tests.redis_server import INTEGRATORS, WORKERS
from tests.worker_bench import make_package

Act = Callable[[Redis], object]


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    store = KeyStore.init(tmp_path / "keys")
    for worker_id in ("w1", "w2"):
        store.create_worker(worker_id)
    return store


@pytest.fixture
def stolen(store: KeyStore) -> Path:
    """The thief's loot."""
    return store.folder / "workers" / "w1"


@pytest.fixture
def keys(stolen: Path) -> WorkerKeys:
    return WorkerKeys.load(stolen)


@pytest.fixture
def server(redis_program: RedisServer, store: KeyStore, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(
        redis_program,
        tmp_path / "data",
        workers=WORKERS,
        integrators=INTEGRATORS,
        passwords=store.redis_passwords(),
    ) as running:
        yield running


def private_keys(folder: Path) -> list[Any]:
    """Every private key in a folder, whatever it is called."""
    pems = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
    return [serialization.load_pem_private_key(pem, None) for pem in pems if b"PRIVATE KEY" in pem]


def test_the_loot_holds_two_private_keys_and_no_more(stolen: Path, store: KeyStore) -> None:
    assert len(private_keys(stolen)) == 2
    assert len(private_keys(store.folder / "api")) >= 3  # so the search would have found them
    for path in stolen.rglob("*"):
        assert not path.is_symlink()


class TestEvidence:
    def test_what_it_wrote_it_cannot_read(
        self, stolen: Path, keys: WorkerKeys, store: KeyStore, tmp_path: Path
    ) -> None:
        place = (tmp_path / "evidence").as_uri()
        picture = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        item: EvidenceItem = EvidenceStore(place, keys.evidence_public).put("probe", picture)
        for key in private_keys(stolen):
            raw = key.private_bytes(
                serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
            )
            with pytest.raises(EvidenceError):  # an Ed25519 key's bytes are tried as an X25519 key, too
                EvidenceReader(place, X25519PrivateKey.from_private_bytes(raw)).read(item)
        assert EvidenceReader(place, store.evidence_private()).read(item)[:2] == b"\xff\xd8"


class TestGalleries:
    def test_another_worker_s_does_not_open(self, keys: WorkerKeys, store: KeyStore) -> None:
        package = replace(make_package(), worker_id="w2")
        blob = seal_gallery(package, store.galleries_key(), store.worker_sealing_key("w2"))
        with pytest.raises(SealingError):
            open_gallery(blob, keys, "d1", utc_now())
        other = WorkerKeys.load(store.folder / "workers" / "w2")
        assert open_gallery(blob, other, "d1", utc_now()).subject_ids == package.subject_ids

    @pytest.mark.parametrize("signer", ["its own key", "a key it made"])
    def test_a_forged_one_is_refused_by_every_worker(
        self, keys: WorkerKeys, store: KeyStore, signer: str
    ) -> None:
        """The seal is public: anybody can seal. What counts is who signed."""
        forger = keys.candidates if signer == "its own key" else SigningKey.generate()
        for worker_id in ("w1", "w2"):
            package: GalleryPackage = replace(make_package(), worker_id=worker_id)
            victim = WorkerKeys.load(store.folder / "workers" / worker_id)
            forged = seal_gallery(package, forger, store.worker_sealing_key(worker_id))
            with pytest.raises(SealingError):
                open_gallery(forged, victim, "d1", utc_now())
            honest = seal_gallery(package, store.galleries_key(), store.worker_sealing_key(worker_id))
            assert open_gallery(honest, victim, "d1", utc_now()).worker_id == worker_id

    def test_its_own_is_of_no_use_to_another_worker(self, store: KeyStore) -> None:
        """Sealed anew to w2, as whoever has opened it could: it names w1 and is refused."""
        package = make_package()
        assert package.worker_id == "w1"
        passed_on = seal_gallery(package, store.galleries_key(), store.worker_sealing_key("w2"))
        with pytest.raises(SealingError):
            open_gallery(passed_on, WorkerKeys.load(store.folder / "workers" / "w2"), "d1", utc_now())


NOT_FOR_WORKERS: dict[str, Act] = {
    "read what was confirmed": lambda r: r.xread({streams.CONFIRMED: "0"}),
    "range over what was confirmed": lambda r: r.xrange(streams.CONFIRMED),
    "read it backwards": lambda r: r.xrevrange(streams.CONFIRMED),
    "read it in a group": lambda r: r.xreadgroup("g", "c", {streams.CONFIRMED: ">"}),
    "know how long it is": lambda r: r.xlen(streams.CONFIRMED),
    "know its groups": lambda r: r.xinfo_groups(streams.CONFIRMED),
    "confirm": lambda r: r.xadd(streams.CONFIRMED, {"schema": CONFIRMED_SCHEMA, "event": "{}"}),
    "read counts": lambda r: r.xread({streams.TRAFFIC: "0"}),
    "read dead letters": lambda r: r.xrange(streams.DEAD),
    "take a dead letter away": lambda r: r.xdel(streams.DEAD, "1-1"),
    "read another's gallery": lambda r: r.get(streams.gallery_key("d1", "w2")),
    "put a gallery in its place": lambda r: r.set(streams.gallery_key("d1", "w2"), b"x"),
    "draw on its own camera": lambda r: r.set(streams.overlays_key("gate"), b"x"),
    "draw on another camera": lambda r: r.set(streams.overlays_key("dock"), b"x"),
    "read what is drawn on another camera": lambda r: r.get(streams.overlays_key("dock")),
    "know who looks at another camera": lambda r: r.get(streams.preview_wanted_key("dock")),
    "look at another camera": lambda r: r.get(streams.preview_key("dock")),
    "pretend that somebody looks": lambda r: r.set(streams.preview_wanted_key("gate"), b"1"),
    "know the time": lambda r: r.time(),
}


def test_its_password_opens_none_of_this(server: EmbeddedRedis) -> None:
    """With each user it opens: old servers give a worker three."""
    for user in (one for one in server.users if account_of(one) == "worker:w1"):
        with server.connect(user) as thief:
            assert [name for name, act in NOT_FOR_WORKERS.items() if not _refused(thief, act)] == [], user


def test_those_who_may_can(server: EmbeddedRedis) -> None:
    """The control: the same acts succeed for the users they are meant for."""
    with server.connect() as api:
        for name in (
            "draw on its own camera",
            "pretend that somebody looks",
            "know the time",
            "read dead letters",
        ):
            assert not _refused(api, NOT_FOR_WORKERS[name]), name
    with server.connect("integrator:control-room") as integrator:
        assert not _refused(integrator, NOT_FOR_WORKERS["read what was confirmed"])
    with server.connect("worker:w2") as other:
        for name in ("read another's gallery", "read what is drawn on another camera"):
            assert not _refused(other, NOT_FOR_WORKERS[name]), name


def test_what_it_puts_in_the_place_of_masks_does_not_stay(server: EmbeddedRedis) -> None:
    """On 6.2 it can make values of the wrong type where there are none; the service's own replace them."""
    key = streams.overlays_key("gate")
    acts: tuple[Act, ...] = (lambda r: r.xadd(key, {"a": "b"}), lambda r: r.hset(key, "a", "b"))
    with server.connect("worker:w1") as thief, server.connect() as api:
        for act in acts:
            try:
                act(thief)
            except ResponseError:
                continue
            with pytest.raises(ResponseError, match="WRONGTYPE"):
                thief.get(key)
        api.set(key, b"masks")
        for act in acts:
            with pytest.raises(ResponseError, match=r"WRONGTYPE|NOPERM|permission"):
                act(thief)
        assert thief.get(key) == b"masks"


def test_its_previews_are_its_own_cameras_alone(server: EmbeddedRedis) -> None:
    split = server.server.version < (7, 0, 0)
    with server.connect(preview_user("w1") if split else "worker:w1") as thief:
        assert thief.set(streams.preview_key("gate"), b"jpeg", ex=5)
        for key in (streams.preview_key("dock"), streams.overlays_key("gate"), streams.CANDIDATES):
            with pytest.raises(NoPermissionError):
                thief.set(key, b"x")


class TestCandidates:
    def test_it_speaks_for_itself_and_for_nobody_else(
        self, server: EmbeddedRedis, store: KeyStore, keys: WorkerKeys
    ) -> None:
        events = {
            "its own": make_candidate(keys.candidates, worker_id="w1"),
            "in another's name": make_candidate(keys.candidates, worker_id="w2"),
            "with a key it made": make_candidate(SigningKey.generate(), worker_id="w2"),
            "another's, changed": make_candidate(
                WorkerKeys.load(store.folder / "workers" / "w2").candidates, worker_id="w2"
            ).model_copy(update={"similarity": 0.99}),
        }
        with server.connect("worker:w1") as thief, server.connect() as api:
            for event in events.values():
                fields = {"schema": CANDIDATE_SCHEMA, "event": canonical_json(event.model_dump(mode="json"))}
                thief.xadd(streams.CANDIDATES, fields)
            consumer = CandidateConsumer(api, store.worker_verifying_keys, "ingest")
            believed = consumer.read(block_seconds=0.05)
        assert [one.candidate for one in believed] == [events["its own"]]
        assert consumer.dead_count == len(events) - 1


def test_a_confirmation_signed_with_its_key_is_none(store: KeyStore, keys: WorkerKeys) -> None:
    """The key is what decides: with the service's own the reader gets as far as the content."""
    published = load_keys(json.dumps(store.jwks()))

    def verdict(key: SigningKey) -> str:
        receipt = key.sign(b"{}", content="aiqyn-confirmed+jws")
        event = json.dumps({"schema": CONFIRMED_SCHEMA, "receipt": receipt})
        with pytest.raises(ReceiptError) as caught:
            verify_stream_event(event, published, at=utc_now())
        return caught.value.code

    assert verdict(keys.candidates) == "unknown_key"
    assert verdict(store.receipts_key()) != "unknown_key"


def _refused(client: Redis, act: Act) -> bool:
    try:
        act(client)
    except NoPermissionError:
        return True
    except ResponseError:
        pass  # the rules had let it pass
    return False
