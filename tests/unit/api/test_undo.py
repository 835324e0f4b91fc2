"""Answers taken back over HTTP: undone while nothing rests on them, retracted once something does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from api.review.policies import ReviewPolicy
from api.store import candidates as candidate_store
from api.store.models import CandidateRecord, JudgementRecord, JudgementWithdrawal, LedgerEntry, Receipt
from tests.api_client import Clients, FakeChance, FakeClock, Person
from tests.seeds import seed

POLICY = ReviewPolicy(hold=timedelta(seconds=10), control_share=0.0)


@pytest.fixture
def clients(tmp_path: Path, clock: FakeClock, chance: FakeChance) -> Iterator[Clients]:
    made = Clients(seed(tmp_path, policy=POLICY, clock=clock, chance=chance))
    yield made
    made.close()


@pytest.fixture
def held(clients: Clients) -> tuple[str, Person, Person]:
    """The id of the review of a candidate two have called the same person, and the two."""
    clients.seeded.take_in()
    first, second = clients.login("aigul"), clients.login("daniyar")
    review_id = str(first.queue()[0]["review_id"])
    for person in (first, second):
        assert person.answer(review_id, "same_person").status_code == 201
    return review_id, first, second


def undo(person: Person, review_id: str, key: str | None = None) -> tuple[int, str]:
    response = person.post(f"/reviews/{review_id}/undo", {"reason": "pressed the wrong key"}, key=key)
    body = response.json()
    return response.status_code, str(body.get("result") or body["code"])


def state(clients: Clients) -> str:
    with clients.seeded.services.database.read() as session:
        return session.scalars(select(CandidateRecord.state)).one()


def kinds(clients: Clients) -> list[str]:
    with clients.seeded.services.database.read() as session:
        return list(session.scalars(select(LedgerEntry.kind).order_by(LedgerEntry.sequence)))


def test_an_answer_is_undone_within_the_hold_and_nothing_is_confirmed(
    clients: Clients, clock: FakeClock, held: tuple[str, Person, Person]
) -> None:
    review_id, first, _ = held
    clock.forward(seconds=9)
    assert undo(first, review_id) == (200, "undone")
    clock.forward(hours=1)
    assert clients.seeded.services.hold_clock.run_once() == 0
    clients.seeded.services.sweeper.run_once()
    assert state(clients) == "expired"
    with clients.seeded.services.database.read() as session:
        assert len(session.scalars(select(JudgementRecord)).all()) == 2
        assert len(session.scalars(select(JudgementWithdrawal)).all()) == 1
        assert session.scalars(select(Receipt)).all() == []
    assert "judgement_undone" in kinds(clients)


def test_somebody_else_may_take_her_place_and_she_may_not(
    clients: Clients, clock: FakeClock, held: tuple[str, Person, Person]
) -> None:
    review_id, first, _ = held
    undo(first, review_id)
    assert first.queue() == []
    assert first.answer(review_id, "same_person").json()["code"] == "already_judged"
    third = clients.login("marat")
    assert third.answer(third.queue()[0]["review_id"], "same_person").status_code == 201
    clock.forward(seconds=10)
    assert clients.seeded.services.hold_clock.run_once() == 1
    receipt = clients.login("saule").get(f"/candidates/{_candidate(clients)}").json()
    standing = [item for item in receipt["judgements"] if item["withdrawn_at"] is None]
    assert (len(receipt["judgements"]), len(standing)) == (3, 2)


def test_after_the_receipt_it_is_retracted(
    clients: Clients, clock: FakeClock, held: tuple[str, Person, Person]
) -> None:
    review_id, first, second = held
    clock.forward(seconds=10)
    assert clients.seeded.services.hold_clock.run_once() == 1
    assert undo(first, review_id) == (200, "retracted")
    assert undo(second, review_id) == (409, "already_retracted")
    view = clients.login("saule").get(f"/candidates/{_candidate(clients)}/retraction").json()
    assert (view["reason_code"], view["reason"]) == ("judge_error", "pressed the wrong key")


def test_undoing_is_done_once(clients: Clients, held: tuple[str, Person, Person]) -> None:
    review_id, first, _ = held
    assert undo(first, review_id, "one-undo-key") == undo(first, review_id, "one-undo-key") == (200, "undone")
    assert undo(first, review_id) == (409, "too_late")
    assert kinds(clients).count("judgement_undone") == 1


def test_nobody_undoes_what_is_not_hers(clients: Clients, held: tuple[str, Person, Person]) -> None:
    review_id, _, _ = held
    assert undo(clients.login("marat"), review_id) == (404, "not_found")
    assert undo(clients.login("saule"), review_id) == (403, "role")
    assert undo(clients.login("marat"), "rev_nothing") == (404, "not_found")


def test_the_database_refuses_an_undo_under_a_receipt(
    clients: Clients, clock: FakeClock, held: tuple[str, Person, Person]
) -> None:
    clock.forward(seconds=10)
    clients.seeded.services.hold_clock.run_once()
    statement = (
        "INSERT INTO judgement_withdrawals SELECT judgement_id, account_id, NULL, answered_at FROM judgements"
    )
    database = clients.seeded.services.database
    with pytest.raises(DBAPIError, match="before there is a receipt"), database.write() as session:
        session.execute(text(statement))


def test_the_database_takes_no_receipt_over_an_undone_answer(
    clients: Clients, clock: FakeClock, held: tuple[str, Person, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even from a build whose machine forgets that an answer was taken back."""
    review_id, first, _ = held
    undo(first, review_id)
    with clients.seeded.services.database.write() as session:
        row = session.scalars(select(CandidateRecord)).one()
        row.state, row.hold_until = "confirmed_held", clock()
    as_it_was = candidate_store._judgement
    monkeypatch.setattr(candidate_store, "_judgement", lambda row: replace(as_it_was(row), withdrawn_at=None))
    with pytest.raises(DBAPIError, match="two people"):
        clients.seeded.services.hold_clock.run_once()


def _candidate(clients: Clients) -> str:
    with clients.seeded.services.database.read() as session:
        return session.scalars(select(CandidateRecord.candidate_id)).one()
