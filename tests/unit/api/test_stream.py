"""From the worker's stream to the confirmed stream, over a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aiqyn.embedded.redis import EmbeddedRedis
from api.intake import Intake
from api.ledger.verify import (
    ReceiptError,
    load_keys,
    receipt_in_event,
    retraction_in_event,
    verify_receipt,
    verify_retraction,
    verify_stream_event,
)
from api.outlets.outbox import OutboxPublisher
from api.review.policies import ReviewPolicy
from api.store.arrivals import Arrivals
from api.store.models import CandidateRecord
from api.stream import MAX_FAILURES
from pipelines import streams
from pipelines.bus import CandidateConsumer, CandidatePublisher
from pipelines.errors import BusError
from pipelines.events import Candidate, utc_now
from pipelines.spool import Spool
from tests.api_client import Clients
from tests.redis_server import (
    api_redis,
    redis_program,
    redis_server,
    worker_redis,
)
from tests.seeds import WORKER, Seeded, seed

__all__ = ["api_redis", "redis_program", "redis_server", "worker_redis"]


@pytest.fixture
def live(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[Seeded]:
    """A seeded service on the bus."""
    made = seed(
        tmp_path / "service",
        policy=ReviewPolicy(hold=timedelta(0), control_share=0.0),
        redis_url=redis_server.url,
        redis_username="api",
        redis_password=redis_server.password("api"),
    )
    yield made
    made.services.close()


@pytest.fixture
def worker(tmp_path: Path, live: Seeded, worker_redis: Redis) -> Iterator[CandidatePublisher]:
    spool = Spool(tmp_path / "spool")
    yield CandidatePublisher(worker_redis, spool, WORKER, live.worker.candidates)
    spool.close()


def take_in(live: Seeded) -> int:
    assert live.services.bus is not None
    return live.services.bus.take_in()


def send(worker: CandidatePublisher, live: Seeded, track_id: int = 1, **changes: Any) -> None:
    unsigned = live.candidate(track_id, **changes).model_copy(update={"signature": None})
    worker.publish(unsigned)
    worker.flush()


def pending_count(redis: Redis) -> int:
    pending: Any = redis.xpending(streams.CANDIDATES, streams.API_GROUP)
    return int(pending["pending"])


def confirmed_entries(redis: Redis) -> list[str]:
    entries: Any = redis.xrange(streams.CONFIRMED)
    return [fields[b"event"].decode() for _, fields in entries]


def test_from_the_workers_stream_to_a_receipt_that_verifies(
    live: Seeded, worker: CandidatePublisher, api_redis: Redis
) -> None:
    send(worker, live)
    assert take_in(live) == 1
    clients = Clients(live)
    for name in ("aigul", "daniyar"):
        assert confirmed_entries(api_redis) == []
        person = clients.login(name)
        person.answer(person.queue()[0]["review_id"], "same_person")
    assert live.services.outbox is not None
    assert live.services.outbox.run_once() == 0
    assert live.services.hold_clock.run_once() == 1
    assert live.services.outbox.run_once() == 1
    (event,) = confirmed_entries(api_redis)
    keys = load_keys(clients.http.get("/.well-known/jwks.json").text)
    verified = verify_stream_event(event, keys, at=utc_now())
    assert verified.claims["candidate"]["worker_id"] == WORKER
    assert live.services.outbox.run_once() == 0
    assert len(confirmed_entries(api_redis)) == 1
    clients.close()


def test_a_retraction_follows_its_receipt_on_the_same_stream(
    live: Seeded, worker: CandidatePublisher, api_redis: Redis
) -> None:
    send(worker, live)
    take_in(live)
    clients = Clients(live)
    for name in ("aigul", "daniyar"):
        person = clients.login(name)
        review_id = person.queue()[0]["review_id"]
        person.answer(review_id, "same_person")
    assert live.services.hold_clock.run_once() == 1
    assert person.post(f"/reviews/{review_id}/undo", {}).json()["result"] == "retracted"
    assert live.services.outbox is not None
    assert live.services.outbox.run_once() == 2
    receipt, retraction = confirmed_entries(api_redis)
    keys = load_keys(clients.http.get("/.well-known/jwks.json").text)
    verified = verify_stream_event(receipt, keys, at=utc_now())
    token = retraction_in_event(retraction)
    assert verify_retraction(token, keys).receipt_id == verified.claims["jti"]
    with pytest.raises(ReceiptError) as refusal:
        verify_receipt(receipt_in_event(receipt), keys, at=utc_now(), retractions=[token])
    assert refusal.value.code == "retracted"
    clients.close()


def test_kept_entries_are_acknowledged_and_refused_ones_go_to_dead(
    live: Seeded, worker: CandidatePublisher, api_redis: Redis
) -> None:
    send(worker, live)
    send(worker, live, 2, camera_id="yard")
    assert take_in(live) == 2
    assert pending_count(api_redis) == 0
    dead: Any = api_redis.xrange(streams.DEAD)
    ((_, fields),) = dead
    assert fields[b"reason"].startswith(b"not_deployed")


def test_an_entry_is_not_acknowledged_before_its_commit(
    live: Seeded, worker: CandidatePublisher, api_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(worker, live)
    with monkeypatch.context() as broken:
        broken.setattr("api.intake.present", _fail)
        with pytest.raises(OSError, match="disk"):
            take_in(live)
    assert pending_count(api_redis) == 1
    assert take_in(live) == 1
    assert pending_count(api_redis) == 0


def test_an_entry_that_always_fails_does_not_hold_up_the_others(
    live: Seeded, worker: CandidatePublisher, api_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(worker, live)
    with monkeypatch.context() as broken:
        broken.setattr("api.intake.present", _fail)
        for _ in range(MAX_FAILURES - 1):
            with pytest.raises(OSError, match="disk"):
                take_in(live)
        assert take_in(live) == 1
    assert api_redis.xlen(streams.DEAD) == 1
    send(worker, live, 2)
    assert take_in(live) == 1


def _fail(*_: object) -> None:
    raise OSError("disk full")


def test_a_receipt_waits_in_the_outbox_while_redis_is_away(
    live: Seeded, worker: CandidatePublisher, redis_server: EmbeddedRedis, api_redis: Redis
) -> None:
    send(worker, live)
    take_in(live)
    clients = Clients(live)
    for name in ("aigul", "daniyar"):
        person = clients.login(name)
        person.answer(person.queue()[0]["review_id"], "same_person")
    live.services.hold_clock.run_once()

    class Away:
        def publish(self, receipt: str) -> None:
            raise BusError(f"away with {len(receipt)} characters")

        def publish_retraction(self, retraction: str) -> None:
            raise BusError(f"away with {len(retraction)} characters")

    with pytest.raises(BusError):
        OutboxPublisher(live.services.database, Away(), utc_now).run_once()
    assert live.services.outbox is not None
    assert live.services.outbox.run_once() == 1
    assert len(confirmed_entries(api_redis)) == 1
    clients.close()


def test_ready_means_it(live: Seeded, redis_server: EmbeddedRedis) -> None:
    clients = Clients(live)
    ready = clients.http.get("/ready")
    assert (ready.status_code, ready.json()["parts"]["bus"]) == (200, "ok")
    redis_server.stop()
    ready = clients.http.get("/ready")
    assert (ready.status_code, ready.json()["parts"]["bus"]) == (503, "away")
    assert clients.http.get("/health").status_code == 200
    clients.close()


def test_what_comes_together_is_kept_together_and_acknowledged_once(
    live: Seeded, worker: CandidatePublisher, api_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for track_id in range(1, 6):
        send(worker, live, track_id)
    send(worker, live, 6, camera_id="yard")
    batches, acks = [], []
    accept, ack = Intake.accept_batch, CandidateConsumer.ack

    def accepting(self: Intake, batch: Any) -> Any:
        batches.append(len(batch))
        return accept(self, batch)

    def acking(self: CandidateConsumer, entry_ids: Any) -> None:
        acks.append(len(entry_ids))
        ack(self, entry_ids)

    monkeypatch.setattr(Intake, "accept_batch", accepting)
    monkeypatch.setattr(CandidateConsumer, "ack", acking)
    assert take_in(live) == 6
    assert batches == [6]
    assert acks == [1, 5], "the refused one goes to dead first"
    assert pending_count(api_redis) == 0
    with live.services.database.read() as session:
        assert session.scalar(select(func.count()).select_from(CandidateRecord)) == 5


def test_one_that_cannot_be_kept_holds_up_only_what_follows(
    live: Seeded, worker: CandidatePublisher, api_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for track_id in (1, 2, 3):
        send(worker, live, track_id)
    received = Intake._receive

    def failing(self: Intake, session: Session, arrivals: Arrivals, candidate: Candidate, *rest: Any) -> Any:
        if candidate.track_id == 2:
            raise ValueError("cannot be kept")
        return received(self, session, arrivals, candidate, *rest)

    monkeypatch.setattr(Intake, "_receive", failing)
    for _ in range(MAX_FAILURES - 1):
        with pytest.raises(ValueError, match="cannot be kept"):
            take_in(live)
    assert pending_count(api_redis) == 2, "the first was kept by itself"
    take_in(live)
    take_in(live)
    assert pending_count(api_redis) == 0
    with live.services.database.read() as session:
        assert session.scalar(select(func.count()).select_from(CandidateRecord)) == 2
