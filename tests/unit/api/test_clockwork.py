"""What time does to candidates: entries that lapse, and records that cannot be dealt with."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text

from api.store.lists import ListRepository
from api.store.models import CandidateRecord, LedgerEntry, Receipt
from tests.api_client import Clients


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
