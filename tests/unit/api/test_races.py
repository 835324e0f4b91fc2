"""Many clients at once on one candidate: what one after the other forbids, at once is forbidden too."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from api.review import guards, machine
from api.store.models import CandidateRecord, JudgementRecord, LedgerEntry
from tests.api_client import Clients, Person
from tests.seeds import seed
from tests.unguarded import open_unguarded_database

AT_ONCE = 8


def answers_at_once(answer: Callable[[int], int]) -> Counter[int]:
    """Status codes of `answer(0)`, `answer(1)` … all let go at the same moment."""
    gate = threading.Barrier(AT_ONCE)

    def go(number: int) -> int:
        gate.wait(10)
        return answer(number)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(go, range(AT_ONCE)))


def judgements(clients: Clients) -> list[JudgementRecord]:
    with clients.seeded.services.database.read() as session:
        return list(session.scalars(select(JudgementRecord)))


def state(clients: Clients) -> str:
    with clients.seeded.services.database.read() as session:
        return session.scalars(select(CandidateRecord.state)).one()


def sessions_of_one_account(clients: Clients) -> tuple[str, list[Person]]:
    clients.seeded.take_in()
    tabs = [clients.login("aigul") for _ in range(AT_ONCE)]
    return tabs[0].queue()[0]["review_id"], tabs


def test_one_of_many_sessions_of_an_account_gets_through(clients: Clients) -> None:
    review_id, tabs = sessions_of_one_account(clients)
    codes = answers_at_once(lambda number: tabs[number].answer(review_id, "same_person").status_code)
    assert codes == {201: 1, 409: AT_ONCE - 1}
    assert (len(judgements(clients)), state(clients)) == (1, "one_answer")


def test_one_request_sent_many_times_is_one_answer(clients: Clients) -> None:
    clients.seeded.take_in()
    person = clients.login("aigul")
    review_id = person.queue()[0]["review_id"]
    path, body = f"/reviews/{review_id}/judgements", person.prepared(review_id, "same_person")
    codes = answers_at_once(lambda _: person.post(path, body, key="one-request").status_code)
    assert codes == {201: AT_ONCE}
    assert len(judgements(clients)) == 1


def test_a_third_judge_comes_too_late(clients: Clients) -> None:
    clients.seeded.take_in()
    people = [clients.login(name) for name in ("aigul", "daniyar", "marat")]
    review_id = people[0].queue()[0]["review_id"]
    codes = answers_at_once(lambda number: people[number % 3].answer(review_id, "same_person").status_code)
    assert codes[201] == 2
    assert len({item.account_id for item in judgements(clients)}) == 2
    assert state(clients) == "confirmed_held"


def test_the_ledger_stays_in_order(clients: Clients) -> None:
    people = [clients.login(name) for name in ("aigul", "daniyar", "marat")]
    answers_at_once(lambda number: people[number % 3].get("/candidates").status_code)
    with clients.seeded.services.database.read() as session:
        sequences = list(session.scalars(select(LedgerEntry.sequence).order_by(LedgerEntry.sequence)))
    assert sequences == list(range(1, len(sequences) + 1))


def test_a_build_without_limits_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.setattr("api.services.open_database", open_unguarded_database)
    for guard in ("check_first_answer", "check_apart"):
        monkeypatch.setattr(guards, guard, lambda _case, _judge: None)
    monkeypatch.setattr(machine, "has_judged", lambda _case, _judgement: False)
    clients = Clients(seed(tmp_path))
    review_id, tabs = sessions_of_one_account(clients)
    answers_at_once(lambda number: tabs[number].answer(review_id, "same_person").status_code)
    with pytest.raises(AssertionError):
        assert (len(judgements(clients)), state(clients)) == (1, "one_answer")
    clients.close()
