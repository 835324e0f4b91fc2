"""Delivery over `pipelines.bus` when something breaks in the middle: at least once, in order, and known for one."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from aiqyn.embedded.redis import EmbeddedRedis
from pipelines import streams
from pipelines.bus import BATCH_ENTRIES, CandidateConsumer, CandidatePublisher
from pipelines.canonical import canonical_json
from pipelines.dead_letters import DeadLetters
from pipelines.errors import BusError
from pipelines.events import CANDIDATE_SCHEMA, Candidate
from pipelines.signing import SigningKey, VerifyingKey, VerifyingKeys, sign_event
from pipelines.spool import Spool
from tests.event_builders import make_candidate
from tests.wire_cut import WireCut

KEY = SigningKey.generate()


def registry() -> VerifyingKeys:
    return VerifyingKeys([VerifyingKey(KEY.verifying_key.jwk, KEY.key_id, owner="w1")])


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool") as spool:
        yield spool


@pytest.fixture
def publisher(worker_redis: Redis, spool: Spool) -> CandidatePublisher:
    return CandidatePublisher(worker_redis, spool, "w1", KEY)


@pytest.fixture
def consumer(api_redis: Redis) -> CandidateConsumer:
    return CandidateConsumer(api_redis, registry, "ingest", stale_after_seconds=0.0)


def fill(publisher: CandidatePublisher, count: int, first: int = 1) -> None:
    for track_id in range(first, first + count):
        publisher.publish(make_candidate(track_id=track_id))


def in_stream(redis: Redis) -> list[int]:
    entries: Any = redis.xrange(streams.CANDIDATES)
    return [Candidate.model_validate_json(fields[b"event"]).track_id for _, fields in entries]


def reasons(redis: Redis) -> list[str]:
    return [letter.reason for letter in DeadLetters(redis).all()]


def test_a_long_backlog_arrives_whole_and_in_order(publisher: CandidatePublisher, api_redis: Redis) -> None:
    count = 2 * BATCH_ENTRIES + 7
    fill(publisher, count)
    assert publisher.flush() == count
    assert in_stream(api_redis) == list(range(1, count + 1))
    state = publisher.state
    assert (state.waiting, state.waiting_bytes, state.sent, state.lost) == (0, 0, count, 0)


def test_a_flush_that_may_not_take_long_goes_on_where_it_was(
    publisher: CandidatePublisher, api_redis: Redis
) -> None:
    count = BATCH_ENTRIES + 5
    fill(publisher, count)
    assert publisher.flush(limit_seconds=0.0) == BATCH_ENTRIES
    assert publisher.flush(limit_seconds=0.0) == 5
    assert in_stream(api_redis) == list(range(1, count + 1))


@pytest.mark.parametrize("retries", [0, 3])
def test_a_lost_reply_sends_again_and_loses_nothing(
    redis_server: EmbeddedRedis, api_redis: Redis, spool: Spool, retries: int
) -> None:
    """The XADDs have happened; whoever sent them cannot know."""
    with WireCut(redis_server.socket_path, redis_server.socket_path.parent) as wire:
        client = streams.connect(
            f"unix://{wire.path}",
            username="worker:w1",
            password=redis_server.password("worker:w1"),
            retries=retries,
        )
        publisher = CandidatePublisher(client, spool, "w1", KEY)
        with client:
            fill(publisher, 3)
            client.ping()
            wire.lose_reply_to(b"XADD")
            if retries == 0:
                with pytest.raises(BusError, match="3 candidates wait on disk"):
                    publisher.flush()
            assert publisher.flush() == 3
        assert wire.lost == 1
    assert in_stream(api_redis) == [1, 2, 3, 1, 2, 3]
    assert publisher.waiting_count == 0


def test_one_that_is_refused_and_all_after_it_wait(
    publisher: CandidatePublisher, api_redis: Redis, worker_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third is refused once, as by a server without memory: what came after it is sent again behind it."""
    fill(publisher, 5)
    pipeline = worker_redis.pipeline

    def broken(transaction: bool = True) -> Any:
        made = pipeline(transaction=transaction)
        execute = made.execute

        def refuse_the_third(raise_on_error: bool = True) -> Any:
            stack = made.command_stack
            stack[2] = (("XADD", streams.CANDIDATES, "NOMKSTREAM"), {})  # wrong number of arguments
            return execute(raise_on_error=raise_on_error)

        patch.setattr(made, "execute", refuse_the_third)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(worker_redis, "pipeline", broken)
        with pytest.raises(BusError, match="Redis refused"):
            publisher.flush()
    assert publisher.waiting_count == 3
    assert in_stream(api_redis) == [1, 2, 4, 5]
    assert publisher.flush() == 3
    assert in_stream(api_redis) == [1, 2, 4, 5, 3, 4, 5]


def test_a_refusal_costs_nothing(
    redis_server: EmbeddedRedis, publisher: CandidatePublisher, spool: Spool, api_redis: Redis
) -> None:
    """As a user that may not add: the entries stay, and go once somebody may."""
    fill(publisher, 4)
    with redis_server.connect("integrator:control-room") as nobody:
        refused = CandidatePublisher(nobody, spool, "w1", KEY)
        with pytest.raises(BusError, match="4 candidates wait on disk: Redis refused"):
            refused.flush()
    assert publisher.flush() == 4
    assert in_stream(api_redis) == [1, 2, 3, 4]


def test_a_disk_that_keeps_what_was_sent_sends_it_once(
    publisher: CandidatePublisher, api_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(publisher, 2)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", _read_only)
        assert publisher.flush() == 2
        for _ in range(3):
            assert publisher.flush() == 0
    assert in_stream(api_redis) == [1, 2]
    assert publisher.state.unremoved == 2


def _read_only(*_: object, **__: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system")


class TestVersions:
    """What `docs/events.md` says of events of other versions."""

    def send(self, redis: Redis, schema: str = CANDIDATE_SCHEMA, **fields: Any) -> None:
        redis.xadd(streams.CANDIDATES, {"schema": schema, "event": canonical_json(_signed(**fields))})

    def test_an_older_worker_without_a_field_of_today_is_believed(
        self, worker_redis: Redis, consumer: CandidateConsumer
    ) -> None:
        self.send(worker_redis, without="withdrawn")
        (received,) = consumer.read(block_seconds=0.01)
        assert received.candidate.withdrawn is False
        assert "withdrawn" not in received.checked.document

    def test_a_field_nobody_here_knows_is_put_aside_with_what_to_do(
        self, worker_redis: Redis, api_redis: Redis, consumer: CandidateConsumer
    ) -> None:
        self.send(worker_redis, weather="fog")
        assert consumer.read(block_seconds=0.01) == []
        (reason,) = reasons(api_redis)
        assert "does not know, 'weather'" in reason
        assert "aiqyn dead retry" in reason

    @pytest.mark.parametrize("schema", ["aiqyn.candidate/2", "aiqyn.candidate/17"])
    def test_a_newer_version_says_that_it_is_one(
        self, worker_redis: Redis, api_redis: Redis, consumer: CandidateConsumer, schema: str
    ) -> None:
        self.send(worker_redis, schema=schema)
        assert consumer.read(block_seconds=0.01) == []
        (letter,) = DeadLetters(api_redis).all()
        assert f"{schema}, newer than aiqyn.candidate/1" in letter.reason
        assert letter.schema == schema

    @pytest.mark.parametrize(
        "schema", ["aiqyn.candidate/0", "aiqyn.candidate/1.1", "aiqyn.candidate/", "x/2"]
    )
    def test_anything_else_is_none_of_ours(
        self, worker_redis: Redis, api_redis: Redis, consumer: CandidateConsumer, schema: str
    ) -> None:
        self.send(worker_redis, schema=schema)
        assert consumer.read(block_seconds=0.01) == []
        assert reasons(api_redis) == ["the entry is not of schema aiqyn.candidate/1"]

    @pytest.mark.parametrize(
        "change", [b'"camera_id":"yard","camera_id":"gate"', b'"similarity":NaN,"camera_id":"gate"']
    )
    def test_json_that_readers_read_differently_is_refused(
        self, worker_redis: Redis, api_redis: Redis, consumer: CandidateConsumer, change: bytes
    ) -> None:
        event = canonical_json(_signed()).replace(b'"camera_id":"gate"', change)
        worker_redis.xadd(streams.CANDIDATES, {"schema": CANDIDATE_SCHEMA, "event": event})
        assert consumer.read(block_seconds=0.01) == []
        assert reasons(api_redis) == ["the event is no candidate: no JSON (ValueError)"]

    def test_a_field_taken_out_after_signing_is_missed(
        self, worker_redis: Redis, api_redis: Redis, consumer: CandidateConsumer
    ) -> None:
        whole = _signed()
        del whole["withdrawn"]
        worker_redis.xadd(streams.CANDIDATES, {"schema": CANDIDATE_SCHEMA, "event": canonical_json(whole)})
        assert consumer.read(block_seconds=0.01) == []
        assert reasons(api_redis) == ["the signature does not hold for this event"]


def test_a_server_without_our_group_gets_it_and_nothing_is_passed_over(
    publisher: CandidatePublisher, consumer: CandidateConsumer, api_redis: Redis
) -> None:
    """As one that was emptied, or another in its place."""
    fill(publisher, 2)
    publisher.flush()
    api_redis.xgroup_destroy(streams.CANDIDATES, streams.API_GROUP)
    assert consumer.read(block_seconds=0.01) == []
    assert [one.candidate.track_id for one in consumer.read(block_seconds=0.01)] == [1, 2]


def test_what_vanishes_while_it_is_pending_is_told(
    publisher: CandidatePublisher, api_redis: Redis, worker_redis: Redis
) -> None:
    """Somebody with a worker's password may trim; then at least it is said, and nothing stays pending for ever."""
    fill(publisher, 3)
    publisher.flush()
    lost = CandidateConsumer(api_redis, registry, "lost")
    assert len(lost.read(block_seconds=0.01)) == 3
    worker_redis.xadd(streams.CANDIDATES, {"schema": "x", "event": "x"}, maxlen=1, approximate=False)
    consumer = CandidateConsumer(api_redis, registry, "ingest", stale_after_seconds=0.0)
    for _ in range(3):
        consumer.read(block_seconds=0.01)
    assert (
        sorted(reasons(api_redis))
        == ["the entry is not of schema aiqyn.candidate/1"]
        + ["the entry was trimmed away before it was kept"] * 3
    )
    pending: Any = api_redis.xpending(streams.CANDIDATES, streams.API_GROUP)
    assert pending["pending"] == 0


def _signed(*, without: str = "", **more: Any) -> dict[str, Any]:
    """An event as a worker of another version would sign it."""
    document = make_candidate().model_dump(mode="json") | more
    document = {name: value for name, value in document.items() if name not in {without, "signature"}}
    return document | {"signature": sign_event(document, KEY).model_dump(mode="json")}
