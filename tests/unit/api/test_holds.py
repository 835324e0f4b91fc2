"""Legal holds over HTTP: who may set and lift them, and that the ledger says so."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api.store.models import LedgerEntry
from tests.api_client import Clients, FakeClock, Person


@pytest.fixture
def held(clients: Clients) -> str:
    return clients.seeded.take_in()


def place(person: Person, candidate_id: str, **body: Any) -> Any:
    return person.post(f"/candidates/{candidate_id}/holds", {"reason": "court order 17"} | body)


def entries(clients: Clients, kind: str) -> list[dict[str, Any]]:
    with clients.seeded.services.database.read() as session:
        rows = session.scalars(select(LedgerEntry).where(LedgerEntry.kind == kind))
        return [json.loads(row.document) for row in rows]


def test_a_supervisor_sets_and_lifts_and_an_auditor_reads(clients: Clients, held: str) -> None:
    person, auditor = clients.login("saule"), clients.login("erlan")
    made = place(person, held)
    assert made.status_code == 201
    assert auditor.get(f"/candidates/{held}/holds").json()["items"] == [made.json()]
    assert place(auditor, held).status_code == 403
    lifted = person.post(f"/candidates/{held}/holds/{made.json()['hold_id']}/lift", {"reason": "case closed"})
    assert lifted.status_code == 200
    assert lifted.json()["lifted_reason"] == "case closed"
    (entry,) = entries(clients, "hold_set")
    assert entry["object"] == f"candidate:{held}"
    assert entry["detail"] == {"hold_id": made.json()["hold_id"], "until": None}, "words may hold names"
    assert len(entries(clients, "hold_lifted")) == 1


@pytest.mark.parametrize("username", ["aigul", "root"])
def test_nobody_else(clients: Clients, held: str, username: str) -> None:
    person = clients.login(username)
    assert place(person, held).status_code == 403
    assert person.get(f"/candidates/{held}/holds").status_code == 403
    hold_id = place(clients.login("saule"), held).json()["hold_id"]
    assert person.post(f"/candidates/{held}/holds/{hold_id}/lift", {"reason": "no"}).status_code == 403


def test_the_same_request_twice_is_one_hold(clients: Clients, held: str) -> None:
    person = clients.login("saule")
    one, two = (
        person.post(f"/candidates/{held}/holds", {"reason": "r"}, key="the-same-key") for _ in range(2)
    )
    assert one.json() == two.json()
    assert len(person.get(f"/candidates/{held}/holds").json()["items"]) == 1


def test_lifted_once(clients: Clients, held: str) -> None:
    person = clients.login("saule")
    path = f"/candidates/{held}/holds/{place(person, held).json()['hold_id']}/lift"
    assert person.post(path, {"reason": "a"}).status_code == 200
    refused = person.post(path, {"reason": "b"})
    assert (refused.status_code, refused.json()["code"]) == (409, "hold_lifted")


def test_what_is_not_there(clients: Clients, held: str) -> None:
    person = clients.login("saule")
    other = clients.seeded.take_in(2)
    hold_id = place(person, other).json()["hold_id"]
    assert place(person, "none").status_code == 404
    assert person.get("/candidates/none/holds").status_code == 404
    assert person.post(f"/candidates/{held}/holds/{hold_id}/lift", {"reason": "a"}).status_code == 404


@pytest.mark.parametrize("body", [{"reason": ""}, {"reason": "x" * 501}, {"until": "2026-03-01T12:00:00"}])
def test_orders_that_make_no_sense(clients: Clients, held: str, body: dict[str, Any]) -> None:
    assert place(clients.login("saule"), held, **body).status_code == 422


def test_one_that_would_be_over(clients: Clients, held: str, clock: FakeClock) -> None:
    over = place(clients.login("saule"), held, until=(clock.now - timedelta(seconds=1)).isoformat())
    assert (over.status_code, over.json()["code"]) == (422, "hold_over")


def test_setting_one_tells_nothing_of_the_candidate(clients: Clients, held: str) -> None:
    """Who sets a hold was not told a name or a score by it."""
    text = place(clients.login("saule"), held).text
    assert "similarity" not in text
    assert "subject" not in text
