"""Records that are no evidence go by age; what is evidence, or held, stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from api.record_retention import BATCH, RecordAges, ages_of
from api.store.models import (
    Base,
    CameraDay,
    CameraGap,
    IdempotentResult,
    JudgementRecord,
    LedgerEntry,
    LoginSession,
    ReviewListing,
)
from pipelines.config_records import RecordsConfig
from tests.api_client import Clients, FakeChance, FakeClock
from tests.seeds import seed

MONTH = timedelta(days=30)
AGES = RecordAges(MONTH, MONTH, MONTH, MONTH, MONTH)


@pytest.fixture
def ageing(tmp_path: Path, clock: FakeClock) -> Iterator[Clients]:
    made = Clients(seed(tmp_path, clock=clock, chance=FakeChance(0.99), records=AGES))
    yield made
    made.close()


def count(clients: Clients, model: type[Base]) -> int:
    with clients.seeded.services.database.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def sweep(clients: Clients) -> int:
    return clients.seeded.services.record_sweeper.run_once()


def noted(clients: Clients) -> list[dict[str, Any]]:
    with clients.seeded.services.database.read() as session:
        found = session.scalars(select(LedgerEntry.document).where(LedgerEntry.kind == "records_deleted"))
        return [json.loads(document)["detail"] for document in found]


def judged(clients: Clients, answer: str = "different") -> str:
    """The id of a candidate that was listed and judged by one."""
    candidate_id = clients.seeded.take_in()
    person = clients.login("aigul")
    assert person.answer(person.queue()[0]["review_id"], answer).status_code == 201
    return candidate_id


def test_logins_results_and_listings_go_and_the_judgement_stays(ageing: Clients, clock: FakeClock) -> None:
    judged(ageing)
    idle = ageing.login("daniyar")
    assert idle.queue() == []
    before = count(ageing, LoginSession)
    assert sweep(ageing) == 0
    clock.forward(days=31)
    assert sweep(ageing) > 0
    assert sweep(ageing) == 0
    assert (count(ageing, IdempotentResult), count(ageing, ReviewListing)) == (0, 0)
    assert count(ageing, JudgementRecord) == 1
    assert 0 < count(ageing, LoginSession) < before, "the login she judged through stays"
    (detail,) = noted(ageing)
    assert (detail["listings"], detail["write_results"]) == (
        1,
        3,
    )  # two passkeys were registered, one answer given


def test_listings_of_what_waits_and_of_what_is_held_stay(ageing: Clients, clock: FakeClock) -> None:
    held = judged(ageing)
    ageing.login("saule").post(f"/candidates/{held}/holds", {"reason": "court order 17"})
    ageing.seeded.take_in(2)
    ageing.login("aigul").queue()
    assert count(ageing, ReviewListing) == 2
    clock.forward(days=31)
    sweep(ageing)
    assert count(ageing, ReviewListing) == 2


def test_what_cameras_said_goes_by_its_own_day(ageing: Clients, clock: FakeClock) -> None:
    today = clock.now.date()
    counted = dict.fromkeys(("read", "decoded", "undecodable", "not_sampled", "gated", "inferred"), 1)
    with ageing.seeded.services.database.write() as session:
        for day in (today, today - timedelta(days=31)):
            session.add(
                CameraDay(
                    camera_id="gate", day=day, worker_id="w1", dropped={}, updated_at=clock.now, **counted
                )
            )
        for number, days in enumerate((0, 40)):
            began = clock.now - timedelta(days=days)
            ended = None if number == 0 else began
            session.add(
                CameraGap(
                    camera_id="gate",
                    worker_id="w1",
                    log_id="l",
                    number=number,
                    began_at=began,
                    ended_at=ended,
                    reason="none",
                    ended_by_restart=False,
                )
            )
    assert sweep(ageing) == 2
    with ageing.seeded.services.database.read() as session:
        assert list(session.scalars(select(CameraDay.day))) == [today]
        assert list(session.scalars(select(CameraGap.number))) == [0]


def test_a_round_is_short_and_the_next_goes_on(ageing: Clients, clock: FakeClock) -> None:
    person = ageing.login("aigul")
    account_id = person.get("/me").json()["account_id"]
    with ageing.seeded.services.database.write() as session:
        session.add_all(
            IdempotentResult(
                account_id=account_id,
                idempotency_key=f"key-{number}",
                request_sha256="0" * 64,
                status_code=201,
                body={},
                created_at=clock.now - timedelta(days=40),
            )
            for number in range(BATCH + 3)
        )
    assert [sweep(ageing), sweep(ageing), sweep(ageing)] == [BATCH, 3, 0]


def test_nothing_goes_where_no_age_is_set(tmp_path: Path, clock: FakeClock) -> None:
    clients = Clients(seed(tmp_path, clock=clock))
    judged(clients)
    clock.forward(days=10_000)
    assert sweep(clients) == 0
    clients.close()


def test_the_settings_name_ages_in_days() -> None:
    assert ages_of(RecordsConfig()).write_results == timedelta(days=7)
    assert ages_of(RecordsConfig(logins_days=None)).logins is None
