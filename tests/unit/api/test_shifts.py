"""Shifts over HTTP, what is handed over, and that too few judges on duty is said, paged and counted."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from api.duty import NOTICE, DutyWatch
from api.pager import LogPager, Page
from api.review.duty import LONGEST_SHIFT, Waiting, is_understaffed
from api.review.policies import ReviewPolicy
from api.store.models import (
    Account,
    CandidateRecord,
    Disclosure,
    LedgerEntry,
    UnderstaffedPeriod,
)
from tests.api_client import Clients, FakeChance, FakeClock, Person
from tests.seeds import add_control, seed

POLICY = ReviewPolicy(
    hold=timedelta(0),
    control_share=1.0,
    control_spread=timedelta(0),
    expire_after=timedelta(hours=40),
    second_judge_share=1.0,
)


class Calls:
    """A pager that writes down whom it called."""

    def __init__(self) -> None:
        self.pages: list[Page] = []

    def page(self, page: Page) -> None:
        self.pages.append(page)


@pytest.fixture
def pager() -> Calls:
    return Calls()


@pytest.fixture
def clients(tmp_path: Path, clock: FakeClock, chance: FakeChance) -> Iterator[Clients]:
    chance.value = 0.0
    made = Clients(seed(tmp_path, policy=POLICY, clock=clock, chance=chance))
    yield made
    made.close()


@pytest.fixture
def watch(clients: Clients, clock: FakeClock, pager: Calls) -> DutyWatch:
    return DutyWatch(clients.seeded.services.database, pager, clock)


def begin(person: Person) -> dict[str, Any]:
    response = person.post("/shifts")
    assert response.status_code == 201, response.text
    return dict(response.json())


def end(person: Person, note: str | None = None) -> dict[str, Any]:
    response = person.post("/shifts/current/end", {"handover_note": note})
    assert response.status_code == 200, response.text
    return dict(response.json())


def after_a_minute(watch: DutyWatch, clock: FakeClock) -> int:
    """Changes once the time of a handover has gone by."""
    changes = watch.run_once()
    clock.forward(seconds=60)
    return changes + watch.run_once()


def said(watch: DutyWatch) -> str | None:
    return watch.notice


def kinds(clients: Clients) -> list[str]:
    with clients.seeded.services.database.read() as session:
        return list(session.scalars(select(LedgerEntry.kind).order_by(LedgerEntry.sequence)))


class TestShifts:
    def test_it_begins_with_what_waits_and_nothing_about_answers(self, clients: Clients) -> None:
        clients.seeded.take_in(1)
        clients.seeded.take_in(2)
        first = clients.login("aigul")
        before = begin(first)
        assert before["waiting"]["reviews"] == 2
        assert before["waiting"]["cameras"] == [{"camera_id": "gate", "reviews": 2}]
        assert first.answer(first.queue()[0]["review_id"], "same_person").status_code == 201
        second = begin(clients.login("daniyar"))
        assert second["waiting"] == before["waiting"]
        assert first.get("/shifts/current").json()["waiting"]["reviews"] == 1

    def test_one_at_a_time(self, clients: Clients) -> None:
        person = clients.login("aigul")
        assert person.post("/shifts/current/end", {}).json()["code"] == "not_on_duty"
        assert person.get("/shifts/current").status_code == 404
        key = str(uuid.uuid4())
        begun = person.post("/shifts", key=key)
        assert person.post("/shifts", key=key).json() == begun.json()
        assert person.post("/shifts").json()["code"] == "on_duty"
        end(person)
        begin(person)

    @pytest.mark.parametrize("username", ["saule", "erlan", "root"])
    def test_only_operators_have_shifts(self, clients: Clients, username: str) -> None:
        assert clients.login(username).post("/shifts").status_code == 403

    def test_the_note_goes_to_supervisors_alone(self, clients: Clients, clock: FakeClock) -> None:
        clients.seeded.take_in(1)
        person, note = clients.login("aigul"), "I answered same person to the one in the red coat"
        begin(person)
        end(person, note)
        clock.forward(seconds=1)
        seen = [clients.login("daniyar").post("/shifts").text, person.post("/shifts").text]
        seen += [person.get("/shifts/current").text, person.get("/reviews").text]
        assert not [text for text in seen if "red coat" in text]
        assert person.get("/shifts").status_code == 403
        (_, _, first) = clients.login("saule").get("/shifts").json()["items"]
        assert first["handover_note"] == note
        with clients.seeded.services.database.read() as session:
            assert not [one for one in session.scalars(select(LedgerEntry.document)) if "red coat" in one]

    def test_it_ends_with_how_she_answered_its_controls(self, clients: Clients, clock: FakeClock) -> None:
        first, second = clients.login("aigul"), clients.login("daniyar")
        add_control(clients.seeded)
        for shift in range(2):
            begin(first)
            clock.forward(seconds=10)
            clients.seeded.take_in(shift + 1)
            for person in (first, second):
                for review in person.queue():
                    person.answer(review["review_id"], "same_person")
            clock.forward(seconds=10)
            told = end(first)["controls"]
            clock.forward(hours=2)
            add_control(clients.seeded, face=10 + shift)
        assert told["shift"]["false_matches"] | {"high": 1.0} == {
            "count": 1, "of": 1, "share": None, "low": pytest.approx(0.025), "high": 1.0,
        }  # fmt: skip
        assert told["pooled"]["false_matches"]["count"] == 2

    def test_of_a_control_that_waits_for_its_second_judge_she_is_told_nothing(
        self, clients: Clients, clock: FakeClock
    ) -> None:
        add_control(clients.seeded)
        person = clients.login("aigul")
        begin(person)
        clients.seeded.take_in(1)
        for review in person.queue():
            person.answer(review["review_id"], "same_person")
        clock.forward(seconds=1)
        assert end(person)["controls"]["shift"]["answered"] == 0

    def test_pages_of_shifts(self, clients: Clients, clock: FakeClock) -> None:
        person = clients.login("aigul")
        for _ in range(3):
            begin(person)
            clock.forward(seconds=1)
            end(person)
        saule = clients.login("saule")
        page = saule.get("/shifts?limit=2").json()
        rest = saule.get(f"/shifts?limit=2&cursor={page['next_cursor']}").json()
        assert (len(page["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None)


class TestDuty:
    def test_one_who_goes_and_another_who_comes_are_no_lack(
        self, clients: Clients, clock: FakeClock, watch: DutyWatch, pager: Calls
    ) -> None:
        first, second = clients.login("aigul"), clients.login("daniyar")
        begin(first)
        begin(second)
        watch.run_once()
        end(first)
        watch.run_once()
        clock.forward(seconds=50)
        watch.run_once()
        begin(clients.login("marat"))
        assert after_a_minute(watch, clock) == 0
        assert pager.pages == []

    def test_a_control_nobody_on_duty_may_judge_is_no_lack(
        self, clients: Clients, clock: FakeClock, watch: DutyWatch
    ) -> None:
        """Else the notice of `/ready` would tell of controls."""
        people = [clients.login(name) for name in ("aigul", "daniyar")]
        for person in people:
            begin(person)
        add_control(clients.seeded)
        clients.seeded.take_in(1)
        with clients.seeded.services.database.write() as session:
            control = session.scalars(
                select(CandidateRecord).where(CandidateRecord.control_id.is_not(None))
            ).one()
            account = session.scalars(select(Account).where(Account.username == "aigul")).one()
            session.add(
                Disclosure(
                    candidate_id=control.candidate_id,
                    account_id=account.account_id,
                    how="seen_before",
                    disclosed_at=clock.now,
                )
            )
        assert after_a_minute(watch, clock) == 0

    def test_too_few_is_said_paged_and_counted(
        self, clients: Clients, clock: FakeClock, watch: DutyWatch, pager: Calls
    ) -> None:
        clients.seeded.take_in(1)
        begin(clients.login("aigul"))
        began = clock.now
        assert after_a_minute(watch, clock) == 1
        assert said(watch) == NOTICE
        assert pager.pages == [Page("understaffed", began, 1)]
        clock.forward(minutes=5)
        assert watch.run_once() == 0
        clock.forward(minutes=6)
        assert watch.run_once() == 1
        assert len(pager.pages) == 2, "while nobody comes, people are called again"
        begin(clients.login("daniyar"))
        assert watch.run_once() == 1
        assert said(watch) is None
        assert [one for one in kinds(clients) if one in ("understaffed", "paged", "staffed")] == [
            "understaffed", "paged", "paged", "staffed",
        ]  # fmt: skip
        told = clients.login("saule").get("/duty").json()
        assert (len(told["on_duty"]), told["understaffed_since"]) == (2, None)
        assert told["understaffed_seconds_day"] == 720.0
        text = clients.http.get("/metrics")
        assert text.status_code in (200, 401)

    def test_ready_and_metrics_say_so(self, clients: Clients, clock: FakeClock) -> None:
        from api.store.figures import figures_of

        services = clients.seeded.services
        after_a_minute(services.duty, clock)
        clock.forward(seconds=30)
        assert NOTICE in clients.http.get("/ready").json()["notices"]
        with services.database.read() as session:
            figures = figures_of(session, clock.now)
        assert (figures.on_duty, figures.understaffed, figures.understaffed_seconds) == (0, True, 90.0)

    def test_two_on_duty_of_whom_one_may_not_judge_are_too_few(
        self, clients: Clients, watch: DutyWatch, clock: FakeClock
    ) -> None:
        for name in ("aigul", "daniyar"):
            begin(clients.login(name))
        assert watch.run_once() == 0
        candidate_id = clients.seeded.take_in(1)
        assert watch.run_once() == 0
        with clients.seeded.services.database.write() as session:
            account = session.scalars(select(Account).where(Account.username == "aigul")).one()
            from api.store.candidates import CandidateRepository

            CandidateRepository(session).disclose([candidate_id], account.account_id, "test", clock.now)
        assert after_a_minute(watch, clock) == 1
        begin(clients.login("marat"))
        assert watch.run_once() == 1
        assert said(watch) is None

    def test_an_answer_given_changes_nothing(self, clients: Clients, watch: DutyWatch) -> None:
        """Else whether somebody answered could be read from `/ready`."""
        clients.seeded.take_in(1)
        people = [clients.login(name) for name in ("aigul", "daniyar")]
        for person in people:
            begin(person)
        assert watch.run_once() == 0
        people[0].answer(people[0].queue()[0]["review_id"], "same_person")
        assert watch.run_once() == 0

    def test_who_forgot_to_end_a_shift_is_not_counted_for_ever(
        self, clients: Clients, watch: DutyWatch, clock: FakeClock
    ) -> None:
        for name in ("aigul", "daniyar"):
            begin(clients.login(name))
        assert watch.run_once() == 0
        clock.forward(seconds=LONGEST_SHIFT.total_seconds() + 1)
        assert watch.run_once() == 2
        assert kinds(clients).count("shift_lapsed") == 2
        after_a_minute(watch, clock)
        assert said(watch) == NOTICE

    def test_where_nothing_is_searched_and_nothing_waits_nobody_is_needed(
        self, clients: Clients, watch: DutyWatch, clock: FakeClock
    ) -> None:
        clock.forward(days=8)  # the deployment is over
        assert after_a_minute(watch, clock) == 0
        with clients.seeded.services.database.read() as session:
            assert session.scalars(select(UnderstaffedPeriod)).all() == []

    def test_the_log_is_a_pager(self, clock: FakeClock) -> None:
        LogPager().page(Page("understaffed", clock.now, 0))


@pytest.mark.parametrize(
    ("waiting", "deployed", "short"),
    [
        ([], False, False),
        ([], True, False),
        ([Waiting(2, frozenset())], True, False),
        ([Waiting(2, frozenset({"a"}))], True, True),
        ([Waiting(1, frozenset({"a"}))], True, False),
        ([Waiting(1, frozenset({"a", "b"}))], False, True),
        ([Waiting(2, frozenset({"x"}))], True, False),
    ],
)
def test_two_entitled_people_are_enough(waiting: list[Waiting], deployed: bool, short: bool) -> None:
    assert is_understaffed(frozenset({"a", "b"}), waiting, deployed=deployed) is short


def test_one_person_is_too_few_whatever_waits() -> None:
    assert is_understaffed(frozenset({"a"}), [], deployed=True)
    assert not is_understaffed(frozenset(), [], deployed=False)
