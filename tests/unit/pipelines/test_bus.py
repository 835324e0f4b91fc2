"""`pipelines.bus`: on real servers; what is sent arrives once, in order, and only from whom it says."""

from __future__ import annotations

import json
import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.embedded.redis_server import RedisServer
from pipelines import streams
from pipelines.bus import (
    MAX_EVENT_BYTES,
    CandidateConsumer,
    CandidatePublisher,
    ConfirmedPublisher,
    ReceivedCandidate,
)
from pipelines.canonical import canonical_json
from pipelines.errors import BusError, SealingError
from pipelines.events import CANDIDATE_SCHEMA, Candidate
from pipelines.signing import SigningKey, VerifyingKey, VerifyingKeys
from pipelines.spool import Spool
from tests.event_builders import make_candidate
from tests.redis_server import WORKERS

KEYS = {worker_id: SigningKey.generate() for worker_id in ("w1", "w2")}


def registry() -> VerifyingKeys:
    return VerifyingKeys(
        VerifyingKey(key.verifying_key.jwk, key.key_id, owner=worker_id) for worker_id, key in KEYS.items()
    )


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


@pytest.fixture
def publisher(worker_redis: Redis, spool: Spool) -> CandidatePublisher:
    return CandidatePublisher(worker_redis, spool, "w1", KEYS["w1"])


@pytest.fixture
def consumer(api_redis: Redis) -> CandidateConsumer:
    return CandidateConsumer(api_redis, registry, "ingest", stale_after_seconds=0.2)


def add_entry(redis: Redis, event: bytes | str, schema: str = CANDIDATE_SCHEMA) -> None:
    redis.xadd(streams.CANDIDATES, {"schema": schema, "event": event})


def dead_reasons(redis: Redis) -> list[str]:
    entries: Any = redis.xrange(streams.DEAD)
    return [fields[b"reason"].decode() for _, fields in entries]


def event_json(candidate: Candidate, **changes: object) -> bytes:
    return canonical_json(candidate.model_dump(mode="json") | changes)


def read_all(consumer: CandidateConsumer) -> list[ReceivedCandidate]:
    return consumer.read(block_seconds=0.05)


class TestOut:
    def test_a_candidate_arrives_as_it_was_signed(
        self, publisher: CandidatePublisher, consumer: CandidateConsumer
    ) -> None:
        signed = publisher.publish(make_candidate())
        assert publisher.waiting_count == 1
        assert publisher.flush() == 1
        assert publisher.waiting_count == 0
        (received,) = read_all(consumer)
        assert received.candidate == signed
        assert json.loads(received.event_json)["status"] == "unconfirmed"

    def test_nothing_is_lost_while_redis_is_away(self, tmp_path: Path, spool: Spool) -> None:
        nowhere = streams.connect(f"unix://{tmp_path}/none.sock", retries=0)
        before = CandidatePublisher(nowhere, spool, "w1", KEYS["w1"])
        for track_id in range(1, 6):
            before.publish(make_candidate(track_id=track_id))
            with pytest.raises(BusError, match=rf"{track_id} candidates wait on disk.*cannot be reached"):
                before.flush()
        entry = spool.first()
        assert entry is not None
        assert json.loads(entry.event)["track_id"] == 1

    def test_what_waits_is_sent_by_the_next_process(
        self, worker_redis: Redis, consumer: CandidateConsumer, tmp_path: Path
    ) -> None:
        first = Spool(tmp_path / "spool")
        for track_id in range(1, 6):
            CandidatePublisher(worker_redis, first, "w1", KEYS["w1"]).publish(
                make_candidate(track_id=track_id)
            )
        first.close()
        with Spool(tmp_path / "spool") as spool:
            second = CandidatePublisher(worker_redis, spool, "w1", KEYS["w1"])
            second.publish(make_candidate(track_id=6))
            assert second.flush() == 6
        assert [one.candidate.track_id for one in read_all(consumer)] == [1, 2, 3, 4, 5, 6]

    def test_a_crash_between_reply_and_removal_sends_twice_and_counts_once(
        self,
        publisher: CandidatePublisher,
        consumer: CandidateConsumer,
        spool: Spool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        publisher.publish(make_candidate())
        with monkeypatch.context() as patch:
            patch.setattr(spool, "remove", _crash)
            with pytest.raises(KeyboardInterrupt):
                publisher.flush()
        assert publisher.flush() == 1
        received = read_all(consumer)
        assert len(received) == 2
        assert len({(one.candidate.candidate_id, one.candidate.revision) for one in received}) == 1

    def test_a_worker_does_not_sign_for_another(self, publisher: CandidatePublisher) -> None:
        with pytest.raises(SealingError, match="does not sign for worker w2"):
            publisher.publish(make_candidate(worker_id="w2"))
        assert publisher.waiting_count == 0

    def test_what_redis_acknowledged_survives_its_kill(
        self, redis_program: RedisServer, tmp_path: Path, spool: Spool
    ) -> None:
        with EmbeddedRedis(redis_program, tmp_path / "data", workers=WORKERS) as server:
            with server.connect("worker:w1") as redis:
                publisher = CandidatePublisher(redis, spool, "w1", KEYS["w1"])
                for track_id in range(1, 21):
                    publisher.publish(make_candidate(track_id=track_id))
                assert publisher.flush() == 20
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
        with EmbeddedRedis(redis_program, tmp_path / "data") as again, again.connect() as redis:
            received = read_all(CandidateConsumer(redis, registry, "ingest"))
            assert [one.candidate.track_id for one in received] == list(range(1, 21))


class TestIn:
    def test_an_entry_stays_until_it_is_acknowledged(
        self, publisher: CandidatePublisher, consumer: CandidateConsumer, api_redis: Redis
    ) -> None:
        publisher.publish(make_candidate())
        publisher.flush()
        (first,) = read_all(consumer)
        restarted = CandidateConsumer(api_redis, registry, "ingest")
        (again,) = read_all(restarted)
        assert again == first
        restarted.ack([again.entry_id])
        assert read_all(CandidateConsumer(api_redis, registry, "ingest")) == []

    def test_a_restart_goes_through_all_that_was_left(
        self, publisher: CandidatePublisher, consumer: CandidateConsumer, api_redis: Redis
    ) -> None:
        for track_id in range(1, 8):
            publisher.publish(make_candidate(track_id=track_id))
        publisher.flush()
        assert len(read_all(consumer)) == 7
        publisher.publish(make_candidate(track_id=8))
        publisher.flush()
        restarted = CandidateConsumer(api_redis, registry, "ingest")
        seen = [
            one.candidate.track_id for _ in range(6) for one in restarted.read(count=3, block_seconds=0.01)
        ]
        assert seen == [1, 2, 3, 4, 5, 6, 7, 8]

    def test_what_a_lost_consumer_had_is_taken_over(
        self, publisher: CandidatePublisher, consumer: CandidateConsumer, api_redis: Redis
    ) -> None:
        publisher.publish(make_candidate())
        publisher.flush()
        lost = CandidateConsumer(api_redis, registry, "lost")
        assert len(read_all(lost)) == 1
        assert read_all(consumer) == []
        time.sleep(0.25)
        assert len(read_all(consumer)) == 1

    def test_a_new_worker_counts_from_its_registration(
        self, publisher: CandidatePublisher, api_redis: Redis
    ) -> None:
        keys = VerifyingKeys()
        consumer = CandidateConsumer(api_redis, lambda: keys, "ingest")
        publisher.publish(make_candidate(track_id=1))
        publisher.flush()
        assert read_all(consumer) == []
        keys = registry()
        publisher.publish(make_candidate(track_id=2))
        publisher.flush()
        assert [one.candidate.track_id for one in read_all(consumer)] == [2]

    def test_reject_puts_aside_with_its_reason(
        self, publisher: CandidatePublisher, consumer: CandidateConsumer, api_redis: Redis
    ) -> None:
        publisher.publish(make_candidate())
        publisher.flush()
        (received,) = read_all(consumer)
        consumer.reject(received.entry_id, received.event_json, "the camera is unknown")
        assert dead_reasons(api_redis) == ["the camera is unknown"]
        assert read_all(CandidateConsumer(api_redis, registry, "ingest")) == []


POISON: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is no candidate"),
    "not JSON": (lambda: b"{", "is no candidate"),
    "another shape": (lambda: b"[1]", "is no candidate"),
    "not UTF-8": (lambda: b'{"schema": "\xff"}', "is no candidate"),
    "unsigned": (lambda: event_json(make_candidate()), "not signed"),
    "signed by a stranger": (lambda: event_json(make_candidate(SigningKey.generate())), "not registered"),
    "signed by another worker": (lambda: event_json(make_candidate(KEYS["w2"])), "another worker"),
    "changed after signing": (
        lambda: event_json(make_candidate(KEYS["w1"]), similarity=0.99),
        "does not hold",
    ),
    "claimed for another": (lambda: event_json(make_candidate(KEYS["w1"]), worker_id="w2"), "does not hold"),
    "with a field of its own": (lambda: event_json(make_candidate(KEYS["w1"]), extra=1), "extra"),
    "confirmed already": (lambda: event_json(make_candidate(KEYS["w1"]), status="confirmed"), "status"),
    "deep": (lambda: b"[" * 60_000, "is no candidate"),
    "huge": (lambda: b" " * (MAX_EVENT_BYTES + 1), "larger than"),
}


@pytest.mark.parametrize("kind", POISON)
def test_poison_is_put_aside_and_costs_the_next_nothing(
    kind: str,
    publisher: CandidatePublisher,
    consumer: CandidateConsumer,
    worker_redis: Redis,
    api_redis: Redis,
) -> None:
    make, reason = POISON[kind]
    add_entry(worker_redis, make())
    publisher.publish(make_candidate())
    publisher.flush()
    received = read_all(consumer)
    assert [one.candidate.worker_id for one in received] == ["w1"]
    consumer.ack([one.entry_id for one in received])
    (found,) = dead_reasons(api_redis)
    assert reason in found
    assert consumer.dead_count == 1
    pending: Any = api_redis.xpending(streams.CANDIDATES, streams.API_GROUP)
    assert pending["pending"] == 0


def test_another_schema_and_no_fields_of_ours(
    consumer: CandidateConsumer, worker_redis: Redis, api_redis: Redis
) -> None:
    add_entry(worker_redis, event_json(make_candidate(KEYS["w1"])), schema="aiqyn.confirmed/1")
    worker_redis.xadd(streams.CANDIDATES, {"something": "else"})
    assert read_all(consumer) == []
    assert dead_reasons(api_redis) == ["the entry is not of schema aiqyn.candidate/1"] * 2


def test_receipts_go_to_the_confirmed_stream(
    api_redis: Redis, integrator_redis: Redis, redis_server: EmbeddedRedis
) -> None:
    entry_id = ConfirmedPublisher(api_redis).publish("a.b.c")
    reply: Any = integrator_redis.xread({streams.CONFIRMED: "0"})
    ((found_id, fields),) = reply[0][1]
    assert found_id.decode() == entry_id
    assert fields[b"schema"] == b"aiqyn.confirmed/1"
    assert json.loads(fields[b"event"]) == {"schema": "aiqyn.confirmed/1", "receipt": "a.b.c"}


@pytest.mark.parametrize("url", ["http://x", "", "localhost:6379", "redis://user:hunter2@host:port"])
def test_another_kind_of_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BusError, match=r"redis\.url") as caught:
        streams.connect(url)
    assert "hunter2" not in str(caught.value)


def test_tls_addresses_verify_certificates() -> None:
    client = streams.connect("rediss://redis.example:6380")
    context = client.connection_pool.connection_kwargs["context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def _crash(_: object) -> None:
    raise KeyboardInterrupt
