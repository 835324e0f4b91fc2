"""Where controls come from, whom they are shown to, what they come to, and that they never leave the house."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from api.control_sources import ControlSources
from api.retention import RetentionPolicy
from api.review.cases import Role, State, Truth
from api.review.errors import RecordError
from api.review.policies import ReviewPolicy
from api.store.controls import ControlRepository
from api.store.models import CandidateRecord, ControlItem, OutboxEvent, Receipt, Review, Subject, Watchlist
from pipelines.events import Alternative
from tests.api_client import Clients, FakeChance, FakeClock
from tests.seeds import OTHER_NAME, Seeded, add_account, add_control, seed

ALWAYS = ReviewPolicy(
    hold=timedelta(0), control_share=1.0, control_spread=timedelta(0), second_judge_share=1.0
)

WEEK = RetentionPolicy(unconfirmed=timedelta(days=7))


@pytest.fixture
def clients(tmp_path: Path, clock: FakeClock, chance: FakeChance) -> Iterator[Clients]:
    """A service in which every candidate brings a control, where there is one."""
    chance.value = 0.0
    made = Clients(seed(tmp_path, policy=ALWAYS, clock=clock, chance=chance, retention=WEEK))
    yield made
    made.close()


def candidate_like(seeded: Seeded, track_id: int, similarity: float = 0.2) -> str:
    other = Alternative(subject_id=seeded.subject_ids[1], similarity=similarity)
    return seeded.take_in(track_id, face=track_id, alternatives=(other,))


def answer_all(clients: Clients, answer: str, *names: str) -> None:
    for name in names:
        person = clients.login(name)
        for review in person.queue():
            assert person.answer(review["review_id"], answer).status_code == 201


def items(seeded: Seeded) -> list[ControlItem]:
    with seeded.services.database.read() as session:
        return list(session.scalars(select(ControlItem).order_by(ControlItem.created_at)))


def controls(seeded: Seeded) -> list[CandidateRecord]:
    with seeded.services.database.read() as session:
        return list(session.scalars(select(CandidateRecord).where(CandidateRecord.control_id.is_not(None))))


def make_test_list(seeded: Seeded) -> None:
    with seeded.services.database.write() as session:
        session.get_one(Watchlist, seeded.watchlist_id).is_test = True


class TestSources:
    def test_a_probe_two_rejected_is_paired_with_whom_it_resembled(self, clients: Clients) -> None:
        seeded = clients.seeded
        candidate_id = candidate_like(seeded, 1)
        answer_all(clients, "different", "aigul", "daniyar")
        assert seeded.services.control_sources.run_once() == 1
        assert seeded.services.control_sources.run_once() == 0
        (item,) = items(seeded)
        assert (item.truth, item.source, item.origin_candidate_id) == ("different", "rejected", candidate_id)
        assert (item.subject_id, item.similarity) == (seeded.subject_ids[1], 0.2)
        with seeded.services.database.read() as session:
            event = session.get_one(CandidateRecord, candidate_id).event
        assert event is not None
        assert {item.frame["ref"], item.probe["ref"]} == {one["ref"] for one in event["evidence"]}

    def test_nothing_is_opened_for_it(self, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
        candidate_like(clients.seeded, 1)
        answer_all(clients, "different", "aigul", "daniyar")

        def refuse(*_: object) -> bytes:
            raise AssertionError("a control is made by reference")

        for name in ("open_template", "open_portrait", "open_name"):
            monkeypatch.setattr(f"api.vault.SubjectVault.{name}", refuse)
        monkeypatch.setattr("api.evidence.EvidenceCabinet.read", refuse)
        assert clients.seeded.services.control_sources.run_once() == 1

    @pytest.mark.parametrize(
        ("answers", "similarity"),
        [
            (("different", "cannot_tell"), 0.2),
            (("same_person", "same_person"), 0.2),
            (("different", "different"), 0.5),
        ],
        ids=["doubt", "confirmed", "as alike as the search asks"],
    )
    def test_what_is_not_certain_is_no_control(
        self, clients: Clients, answers: tuple[str, str], similarity: float
    ) -> None:
        candidate_like(clients.seeded, 1, similarity)
        for name, answer in zip(("aigul", "daniyar"), answers, strict=True):
            answer_all(clients, answer, name)
        assert clients.seeded.services.control_sources.run_once() == 0

    def test_one_rejection_is_not_enough(self, clients: Clients, chance: FakeChance) -> None:
        policy_draw = 0.999
        chance.value = policy_draw
        seeded = clients.seeded
        candidate_like(seeded, 1)
        sources = ControlSources(seeded.services.database, ALWAYS, WEEK, seeded.services.desk._clock)
        answer_all(clients, "different", "aigul")
        assert sources.run_once() == 0

    def test_pictures_that_are_about_to_be_deleted_are_not_used(
        self, clients: Clients, clock: FakeClock
    ) -> None:
        seeded = clients.seeded
        candidate_like(seeded, 1)
        answer_all(clients, "different", "aigul", "daniyar")
        clock.forward(days=6, hours=23, minutes=30)
        assert seeded.services.control_sources.run_once() == 0

    def test_a_control_lasts_no_longer_than_its_pictures(self, clients: Clients, clock: FakeClock) -> None:
        seeded = clients.seeded
        candidate_like(seeded, 1)
        answer_all(clients, "different", "aigul", "daniyar")
        seeded.services.control_sources.run_once()
        clock.forward(days=6, hours=23, minutes=30)
        candidate_like(seeded, 2)
        assert controls(seeded) == []

    def test_a_confirmed_probe_of_a_test_list_is_a_known_match(self, clients: Clients) -> None:
        seeded = clients.seeded
        candidate_like(seeded, 1)
        answer_all(clients, "same_person", "aigul", "daniyar")
        seeded.services.hold_clock.run_once()
        assert seeded.services.control_sources.run_once() == 0, "nobody on a real list is a control"
        make_test_list(seeded)
        assert seeded.services.control_sources.run_once() == 1
        (item,) = items(seeded)
        assert (item.truth, item.subject_id) == ("same", seeded.subject_ids[0])

    def test_a_known_match_by_hand_is_of_a_test_list(self, clients: Clients) -> None:
        with pytest.raises(RecordError, match="list for tests"):
            add_control(clients.seeded, truth=Truth.SAME)
        make_test_list(clients.seeded)
        add_control(clients.seeded, truth=Truth.SAME)


class TestQueue:
    def shown(self, clients: Clients) -> Clients:
        """A rejected probe, and its control in the queue."""
        candidate_like(clients.seeded, 1)
        answer_all(clients, "different", "aigul", "daniyar")
        clients.seeded.services.control_sources.run_once()
        return clients

    def test_who_saw_its_pictures_is_not_shown_it(self, clients: Clients) -> None:
        self.shown(clients)
        add_account(clients.seeded.services, "bota", Role.OPERATOR)
        candidate_like(clients.seeded, 2)
        (control,) = controls(clients.seeded)
        with clients.seeded.services.database.read() as session:
            review_id = session.scalars(
                select(Review.review_id).where(Review.candidate_id == control.candidate_id)
            ).one()
        lists = {
            name: {review["review_id"] for review in clients.login(name).queue()}
            for name in ("aigul", "daniyar", "marat")
        }
        assert [name for name, listed in lists.items() if review_id in listed] == ["marat"]
        assert clients.login("aigul").get(f"/reviews/{review_id}").status_code == 404

    def test_where_too_few_are_left_there_is_no_control(self, clients: Clients) -> None:
        self.shown(clients)
        candidate_like(clients.seeded, 2)
        assert controls(clients.seeded) == [], "only one operator has not seen its pictures"

    def test_a_control_is_of_the_camera_of_its_neighbour(self, clients: Clients) -> None:
        add_control(clients.seeded)
        with clients.seeded.services.database.write() as session:
            session.scalars(select(ControlItem)).one().camera_id = "another"
        candidate_like(clients.seeded, 2)
        assert controls(clients.seeded) == []

    def test_a_removed_entry_is_shown_in_no_control(self, clients: Clients, clock: FakeClock) -> None:
        add_control(clients.seeded)
        with clients.seeded.services.database.write() as session:
            session.get_one(Subject, clients.seeded.subject_ids[1]).removed_at = clock.now
        candidate_like(clients.seeded, 2)
        assert controls(clients.seeded) == []

    def test_supervisors_do_not_see_it_before_its_time(
        self, tmp_path: Path, clock: FakeClock, chance: FakeChance
    ) -> None:
        chance.value = 0.5
        later = replace(ALWAYS, control_spread=timedelta(seconds=20), control_first=True)
        clients = Clients(seed(tmp_path / "later", policy=later, clock=clock, chance=chance))
        add_control(clients.seeded)
        candidate_like(clients.seeded, 1)
        saule = clients.login("saule")
        assert len(saule.get("/candidates").json()["items"]) == 1
        clock.forward(seconds=10)
        assert len(saule.get("/candidates").json()["items"]) == 2
        clients.close()

    def test_the_reveal_says_that_it_was_one_and_not_how_it_was_answered(self, clients: Clients) -> None:
        add_control(clients.seeded)
        candidate_like(clients.seeded, 2)
        answer_all(clients, "same_person", "aigul", "daniyar")
        (control,) = controls(clients.seeded)
        assert control.state == State.CONTROL_FAILED.value
        with clients.seeded.services.database.read() as session:
            review = session.scalars(select(Review).where(Review.candidate_id == control.candidate_id)).one()
        told = clients.login("aigul").get(f"/reviews/{review.review_id}/reveal").json()
        assert told["outcome"] == "control"
        assert told["name"] == OTHER_NAME

    @pytest.mark.parametrize("truth", list(Truth))
    def test_no_control_reaches_an_outlet_whatever_two_people_say(
        self, clients: Clients, clock: FakeClock, truth: Truth
    ) -> None:
        make_test_list(clients.seeded)
        add_control(clients.seeded, truth=truth)
        real = candidate_like(clients.seeded, 2)
        answer_all(clients, "same_person", "aigul", "daniyar")
        clock.forward(minutes=1)
        clients.seeded.services.hold_clock.run_once()
        clients.seeded.services.sweeper.run_once()
        with clients.seeded.services.database.read() as session:
            sent = set(session.scalars(select(OutboxEvent.candidate_id)))
            receipts = set(session.scalars(select(Receipt.candidate_id)))
        assert sent == receipts == {real}


class TestResults:
    def answered(self, clients: Clients, *answers: tuple[str, str]) -> None:
        add_control(clients.seeded)
        candidate_like(clients.seeded, 2)
        for name, answer in answers:
            answer_all(clients, answer, name)

    def results(self, clients: Clients, who: str = "saule") -> dict[str, Any]:
        response = clients.login(who).get("/controls/results")
        assert response.status_code == 200, response.text
        return dict(response.json())

    def test_each_operator_and_all_with_intervals(self, clients: Clients, clock: FakeClock) -> None:
        self.answered(clients, ("aigul", "same_person"), ("daniyar", "different"))
        clock.forward(seconds=1)
        told = self.results(clients)
        assert told["all"]["answered"] == 2
        assert told["all"]["false_matches"]["count"] == 1
        assert told["all"]["false_matches"]["share"] is None, "two answers make no percentage"
        assert told["all"]["false_matches"]["low"] < 0.5 < told["all"]["false_matches"]["high"]
        by_count = sorted(one["controls"]["false_matches"]["count"] for one in told["operators"])
        assert by_count == [0, 1]

    def test_nothing_is_told_while_the_second_judge_is_awaited(
        self, clients: Clients, clock: FakeClock
    ) -> None:
        self.answered(clients, ("aigul", "same_person"))
        clock.forward(seconds=1)
        assert self.results(clients)["all"]["answered"] == 0

    def test_a_control_two_saw_somebody_in_is_left_out_and_named(
        self, clients: Clients, clock: FakeClock
    ) -> None:
        self.answered(clients, ("aigul", "same_person"), ("daniyar", "same_person"))
        with clients.seeded.services.database.write() as session:
            session.scalars(select(ControlItem)).one().source = "rejected"
        clock.forward(seconds=1)
        told = self.results(clients)
        assert told["all"]["answered"] == 0
        assert told["doubtful"] == [controls(clients.seeded)[0].candidate_id]

    @pytest.mark.parametrize(("who", "status"), [("erlan", 200), ("aigul", 403), ("root", 403)])
    def test_overseers_alone_read_them(self, clients: Clients, who: str, status: int) -> None:
        assert clients.login(who).get("/controls/results").status_code == status

    def test_a_stretch_that_is_none_is_refused(self, clients: Clients) -> None:
        saule = clients.login("saule")
        for query in (
            "from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z",
            "from=2026-03-01T00:00:00",
            "to=0001-01-01T00:00:00Z",
        ):
            assert saule.get(f"/controls/results?{query}").json()["code"] == "bad_stretch"


def test_a_library_that_forgets_who_saw_a_probe_is_caught(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ControlRepository, "seen_by", lambda *_: set())
    with pytest.raises(AssertionError):
        TestQueue().test_who_saw_its_pictures_is_not_shown_it(clients)
