"""What time does to candidates: entries that lapse, and records that cannot be dealt with."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text

from api.ledger.verify import load_keys, verify_receipt
from api.store.lists import ListRepository
from api.store.models import CandidateRecord, LedgerEntry, Receipt
from tests.api_client import Clients, FakeClock


def judged_same(clients: Clients, track_id: int = 1) -> str:
    """The id of a candidate two operators have called the same person."""
    candidate_id = clients.seeded.take_in(track_id)
    for username in ("aigul", "daniyar"):
        person = clients.login(username)
        for review in person.queue():
            assert person.answer(review["review_id"], "same_person").status_code == 201
    return candidate_id


def state_of(clients: Clients, candidate_id: str) -> str:
    with clients.seeded.services.database.read() as session:
        return session.get_one(CandidateRecord, candidate_id).state


def take_off_the_list(clients: Clients) -> None:
    services = clients.seeded.services
    with services.database.write() as session:
        session.execute(text("UPDATE subjects SET removed_at = created_at"))


def receipts(clients: Clients) -> int:
    with clients.seeded.services.database.read() as session:
        return session.scalar(select(func.count()).select_from(Receipt)) or 0


def test_an_entry_that_left_its_list_gets_no_receipt(clients: Clients) -> None:
    candidate_id = judged_same(clients)
    assert state_of(clients, candidate_id) == "confirmed_held"
    take_off_the_list(clients)
    assert clients.seeded.services.hold_clock.run_once() == 0
    assert (state_of(clients, candidate_id), receipts(clients)) == ("expired", 0)
    with clients.seeded.services.database.read() as session:
        assert "lapsed" in session.scalars(select(LedgerEntry.kind)).all()


def test_a_build_that_does_not_look_again_is_caught(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ListRepository, "is_listed", lambda *_: True)
    judged_same(clients)
    take_off_the_list(clients)
    clients.seeded.services.hold_clock.run_once()
    assert receipts(clients) == 1


def test_nobody_is_asked_about_an_entry_that_left_its_list(clients: Clients) -> None:
    clients.seeded.take_in()
    person = clients.login("aigul")
    assert len(person.queue()) == 1
    take_off_the_list(clients)
    assert person.queue() == []


def test_a_record_that_cannot_be_released_holds_up_no_other(clients: Clients) -> None:
    broken, sound = judged_same(clients, 1), judged_same(clients, 2)
    with clients.seeded.services.database.write() as session:
        session.get_one(CandidateRecord, broken).event = {"schema": "something else"}
    with pytest.raises(ValueError, match="schema"):
        clients.seeded.services.hold_clock.run_once()
    assert (state_of(clients, broken), state_of(clients, sound)) == ("confirmed_held", "confirmed")


def test_a_disagreement_nobody_decides_ends_by_itself(clients: Clients, clock: FakeClock) -> None:
    candidate_id = clients.seeded.take_in()
    for username, answer in (("aigul", "same_person"), ("daniyar", "different")):
        person = clients.login(username)
        assert person.answer(person.queue()[0]["review_id"], answer).status_code == 201
    sweeper = clients.seeded.services.sweeper
    clock.forward(minutes=29)
    assert sweeper.run_once() == 0
    clock.forward(minutes=2)
    assert sweeper.run_once() == 1
    assert state_of(clients, candidate_id) == "inconclusive"
    with clients.seeded.services.database.read() as session:
        assert "disagreement_ran_out" in session.scalars(select(LedgerEntry.kind)).all()


def test_a_reason_in_a_word_stands_in_receipt_and_ledger(clients: Clients) -> None:
    clients.seeded.take_in()
    for username in ("aigul", "daniyar"):
        person = clients.login(username)
        review_id = person.queue()[0]["review_id"]
        given = {"answer": "same_person", "reason_code": "distinctive_mark"}
        assert person.give(review_id, given).status_code == 201
    unknown = {"answer": "same_person", "reason_code": "because"}
    assert person.post(f"/reviews/{review_id}/judgements", unknown).status_code == 422
    services = clients.seeded.services
    assert services.hold_clock.run_once() == 1
    keys = load_keys(services.keys.receipts_key().public_pem().decode())
    with services.database.read() as session:
        receipt = session.scalars(select(Receipt)).one()
        entries = session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "judged")).all()
    claims = verify_receipt(receipt.jws, keys, at=receipt.issued_at).claims
    assert [one["reason_code"] for one in claims["judgements"]] == ["distinctive_mark"] * 2
    assert all('"reason_code":"distinctive_mark"' in entry.document for entry in entries)
