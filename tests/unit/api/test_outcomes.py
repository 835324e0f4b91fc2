"""Outcomes of contacts and retractions over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from api.store.models import LedgerEntry, OutboxEvent
from tests.api_client import Clients, FakeClock, Person
from tests.unit.api.test_clockwork import judged_same


@pytest.fixture
def confirmed(clients: Clients) -> str:
    """The id of a candidate two operators confirmed."""
    candidate_id = judged_same(clients)
    assert clients.seeded.services.hold_clock.run_once() == 1
    return candidate_id


def report(person: Person, candidate_id: str, outcome: str, note: str | None = None) -> Any:
    return person.post(f"/candidates/{candidate_id}/outcomes", {"outcome": outcome, "note": note})


def retract(person: Person, candidate_id: str, code: str = "mistaken_identity") -> Any:
    body = {"reason_code": code, "reason": "the person showed a passport"}
    return person.post(f"/candidates/{candidate_id}/retraction", body)


def kinds(clients: Clients) -> list[str]:
    with clients.seeded.services.database.read() as session:
        return list(session.scalars(select(LedgerEntry.kind)))


def test_an_outcome_is_owed_after_its_time_and_asked_for_until_it_is_told(
    clients: Clients, clock: FakeClock, confirmed: str
) -> None:
    services, saule = clients.seeded.services, clients.login("saule")
    assert saule.get("/outcomes/awaited").json()["items"] == []
    clock.forward(hours=30)
    saule = clients.login("saule")
    (owed,) = saule.get("/outcomes/awaited").json()["items"]
    assert (owed["candidate_id"], owed["overdue_seconds"]) == (confirmed, 6 * 3600)
    services.after.watch.run_once()
    (early,) = services.notices()
    clock.forward(hours=72)
    (late,) = services.notices()
    assert "1 confirmed matches have no outcome, the oldest for 6 hours longer" in early
    assert "the oldest for 3 days longer" in late
    assert report(clients.login("saule"), confirmed, "true_alert").status_code == 201
    services.after.watch.run_once()
    assert services.notices() == []


def test_what_was_reported_is_corrected_in_the_open(clients: Clients, confirmed: str) -> None:
    saule = clients.login("saule")
    assert report(saule, confirmed, "no_contact").json()["offers"] == []
    refusal = report(saule, confirmed, "false_alert")
    assert (refusal.status_code, refusal.json()["code"]) == (422, "note_needed")
    corrected = report(saule, confirmed, "false_alert", "the patrol's report came late")
    assert corrected.json()["offers"] == ["retraction", "complaint"]
    history = clients.login("erlan").get(f"/candidates/{confirmed}/outcomes").json()["items"]
    assert [item["outcome"] for item in history] == ["no_contact", "false_alert"]
    assert saule.get(f"/candidates/{confirmed}").json()["state"] == "confirmed"  # nothing follows by itself
    assert kinds(clients).count("outcome_reported") == 2


def test_only_what_was_confirmed_has_an_outcome(clients: Clients) -> None:
    candidate_id, saule = clients.seeded.take_in(), clients.login("saule")
    assert report(saule, candidate_id, "true_alert").json()["code"] == "not_confirmed"
    assert report(saule, "nothing", "true_alert").status_code == 404
    assert retract(saule, candidate_id).json()["code"] == "not_confirmed"
    assert retract(saule, "nothing").status_code == 404


@pytest.mark.parametrize("username", ["aigul", "erlan", "root"])
@pytest.mark.parametrize("act", [report, retract])
def test_supervisors_report_and_retract_and_nobody_else(
    clients: Clients, confirmed: str, username: str, act: Callable[..., Any]
) -> None:
    given = ("true_alert",) if act is report else ()
    assert act(clients.login(username), confirmed, *given).json()["code"] == "role"


def test_a_retraction_is_one_and_leaves_the_house_signed(
    clients: Clients, clock: FakeClock, confirmed: str
) -> None:
    saule = clients.login("saule")
    done = retract(saule, confirmed)
    assert (done.status_code, done.json()["reason_code"]) == (201, "mistaken_identity")
    assert retract(saule, confirmed).json()["code"] == "already_retracted"
    assert saule.get(f"/candidates/{confirmed}/retraction").json() == done.json()
    assert saule.get(f"/candidates/{confirmed}").json()["retracted_at"] is not None
    with clients.seeded.services.database.read() as session:
        events = session.scalars(select(OutboxEvent).order_by(OutboxEvent.created_at)).all()
    assert [event.schema_name for event in events] == ["aiqyn.confirmed/1", "aiqyn.retracted/1"]
    assert "passport" not in str(events[1].event)
    assert kinds(clients).count("retracted") == 1


def test_a_retraction_leaves_after_its_receipt_whatever_the_clock_does(
    clients: Clients, clock: FakeClock, confirmed: str
) -> None:
    saule = clients.login("saule")
    clock.now -= timedelta(minutes=10)
    assert retract(saule, confirmed).status_code == 201
    with clients.seeded.services.database.read() as session:
        events = session.scalars(select(OutboxEvent).order_by(OutboxEvent.created_at)).all()
    assert [event.schema_name for event in events] == ["aiqyn.confirmed/1", "aiqyn.retracted/1"]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE contact_outcomes SET outcome = 'true_alert'", "append-only"),
        ("DELETE FROM contact_outcomes", "append-only"),
        ("DELETE FROM retractions", "append-only"),
        (
            "INSERT INTO retractions SELECT 'x', candidate_id, 'r', 'c', 'r', retracted_by, retracted_at FROM retractions",
            "only a confirmed match",
        ),
    ],
)
def test_the_database_keeps_what_was_said(
    clients: Clients, confirmed: str, statement: str, words: str
) -> None:
    saule = clients.login("saule")
    report(saule, confirmed, "false_alert")
    retract(saule, confirmed)
    database = clients.seeded.services.database
    with pytest.raises(DBAPIError, match=words), database.write() as session:
        session.execute(text(statement))


def test_nothing_tells_of_a_retraction_that_is_none(clients: Clients, confirmed: str) -> None:
    statement = "INSERT INTO outbox SELECT 'x', candidate_id, 'aiqyn.retracted/1', event, created_at, NULL, 0 FROM outbox"
    database = clients.seeded.services.database
    with pytest.raises(DBAPIError, match="a retraction that is none"), database.write() as session:
        session.execute(text(statement))
