"""Supervisors and auditors over HTTP: candidates, disagreements, receipts, ledger."""

from __future__ import annotations

import json

import pytest

from api.ledger.chain import Entry, check_chain
from api.ledger.verify import load_keys, verify_receipt
from tests.api_client import Clients, FakeClock, Person
from tests.seeds import SUBJECT_NAME


@pytest.fixture
def split(clients: Clients) -> str:
    """The id of a candidate whose judges disagree."""
    candidate_id = clients.seeded.take_in()
    for name, answer in (("aigul", "same_person"), ("daniyar", "different")):
        person = clients.login(name)
        person.answer(person.queue()[0]["review_id"], answer)
    return candidate_id


def resolve(person: Person, candidate_id: str, action: str) -> tuple[int, dict[str, object]]:
    body = {"action": action, "reason": "looked at both"}
    response = person.post(f"/candidates/{candidate_id}/resolution", body)
    return response.status_code, response.json()


@pytest.mark.parametrize("username", ["saule", "erlan"])
def test_overseers_see_name_score_and_judgements(clients: Clients, split: str, username: str) -> None:
    view = clients.login(username).get(f"/candidates/{split}").json()
    assert (view["name"], view["similarity"], view["state"]) == (SUBJECT_NAME, 0.71, "disagreement")
    assert {item["answer"] for item in view["judgements"]} == {"same_person", "different"}
    assert view["event"]["candidate_id"] == split


@pytest.mark.parametrize(
    ("action", "state"), [("reject", "rejected"), ("inconclusive", "inconclusive"), ("rejudge", "open")]
)
def test_a_supervisor_ends_a_disagreement(clients: Clients, split: str, action: str, state: str) -> None:
    status, body = resolve(clients.login("saule"), split, action)
    assert (status, body["state"]) == (200, state)


def test_nobody_confirms_a_disagreement(clients: Clients, split: str) -> None:
    assert resolve(clients.login("saule"), split, "confirm")[0] == 422
    assert resolve(clients.login("erlan"), split, "reject")[0] == 403
    assert resolve(clients.login("aigul"), split, "reject")[0] == 403
    assert resolve(clients.login("root"), split, "reject")[0] == 403


def test_only_a_disagreement_is_resolved(clients: Clients) -> None:
    candidate_id = clients.seeded.take_in()
    status, body = resolve(clients.login("saule"), candidate_id, "reject")
    assert (status, body["code"]) == (409, "not_a_disagreement")
    assert resolve(clients.login("saule"), "nothing", "reject")[0] == 404


def test_a_repeated_resolution_is_one(clients: Clients, split: str) -> None:
    person = clients.login("saule")
    body = {"action": "rejudge", "reason": "again"}
    path = f"/candidates/{split}/resolution"
    once, twice = (person.post(path, body, key="one-resolution") for _ in range(2))
    assert once.json() == twice.json()
    assert person.get(f"/candidates/{split}").json()["round"] == 1


def test_fresh_judges_are_fresh(clients: Clients, split: str) -> None:
    resolve(clients.login("saule"), split, "rejudge")
    assert clients.login("aigul").queue() == []
    assert clients.login("daniyar").queue() == []
    fresh = clients.login("marat")
    fresh.answer(fresh.queue()[0]["review_id"], "same_person")
    assert clients.seeded.services.hold_clock.run_once() == 0  # one fresh judge and an old *same* are not two
    assert clients.login("saule").get(f"/candidates/{split}").json()["state"] == "one_answer"


def test_a_receipt_verifies_with_the_published_key(clients: Clients, clock: FakeClock) -> None:
    candidate_id = clients.seeded.take_in()
    for name in ("aigul", "daniyar"):
        person = clients.login(name)
        person.answer(person.queue()[0]["review_id"], "same_person")
    clients.seeded.services.hold_clock.run_once()
    receipt = clients.login("erlan").get(f"/receipts/{candidate_id}").json()
    keys = load_keys(clients.http.get("/.well-known/jwks.json").text)
    verified = verify_receipt(receipt["receipt"], keys, at=clock())
    assert verified.claims["candidate"]["candidate_id"] == candidate_id
    assert len({one["judge"] for one in verified.claims["judgements"]}) == 2
    assert SUBJECT_NAME not in json.dumps(verified.claims)
    again = clients.login("saule").get(f"/receipts/{receipt['receipt_id']}").json()
    assert again == receipt


def test_the_ledger_is_read_in_pages_and_holds_together(clients: Clients, split: str) -> None:
    person = clients.login("erlan")
    entries: list[Entry] = []
    page = person.get("/ledger?limit=7").json()
    entries += [Entry(**item) for item in page["items"]]
    while page["next_cursor"] and len(entries) < 7 * 40:  # each page read is an entry more
        page = person.get(f"/ledger?limit=7&cursor={page['next_cursor']}").json()
        entries += [Entry(**item) for item in page["items"]]
    assert check_chain(entries) == entries[-1].entry_sha256
    assert "judged" in {entry.kind for entry in entries}


def test_candidates_are_paged_newest_first(clients: Clients, clock: FakeClock) -> None:
    ids = []
    for track_id in range(1, 6):
        ids.append(clients.seeded.take_in(track_id))
        clock.forward(seconds=1)
    person = clients.login("saule")
    first = person.get("/candidates?limit=3").json()
    second = person.get(f"/candidates?limit=3&cursor={first['next_cursor']}").json()
    assert [item["candidate_id"] for item in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None
    assert person.get("/candidates?state=rejected").json()["items"] == []


def test_operators_see_none_of_it(clients: Clients, split: str) -> None:
    for username in ("aigul", "root"):
        person = clients.login(username)
        for path in ("/candidates", f"/candidates/{split}", f"/receipts/{split}", "/ledger"):
            assert person.get(path).status_code == 403
