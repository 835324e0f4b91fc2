"""Figures over HTTP and from the command line: true counts, hidden small ones, and nobody's name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.review.policies import ReviewPolicy
from api.statistics import StatisticsService, is_month
from api.statistics_files import as_csv, as_document, as_svg
from api.store.models import (
    Account,
    CameraDay,
    CandidateRecord,
    Complaint,
    ContactOutcome,
    LedgerEntry,
    Watchlist,
)
from api.store.statistics import By
from tests.api_client import Clients, FakeChance, FakeClock
from tests.seeds import OTHER_NAME, SUBJECT_NAME, WATCHLIST_NAME, add_control, seed

APRIL = datetime(2026, 4, 10, 9, tzinfo=UTC)
MONTH = "from=2026-04-01T00:00:00Z&to=2026-05-01T00:00:00Z"
POLICY = ReviewPolicy(hold=timedelta(0), control_share=0.0, second_judge_share=1.0)
CONFIRMED, REJECTED, SPLIT = 12, 9, 6


@pytest.fixture
def clients(tmp_path: Path, chance: FakeChance) -> Iterator[Clients]:
    made = Clients(seed(tmp_path, policy=POLICY, clock=FakeClock(APRIL), chance=chance))
    yield made
    made.close()


@pytest.fixture
def judged(clients: Clients) -> Clients:
    """12 confirmed, 9 rejected, 6 in disagreement and 3 that wait; all decided in 40 seconds."""
    return _judged(clients)


@pytest.fixture(scope="module")
def judged_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """The same, for tests that only read."""
    folder = tmp_path_factory.mktemp("judged")
    made = Clients(seed(folder, policy=POLICY, clock=FakeClock(APRIL), chance=FakeChance()))
    yield _judged(made)
    made.close()


def _judged(clients: Clients) -> Clients:
    clock = clients.seeded.services.desk._clock
    assert isinstance(clock, FakeClock)
    first, second = clients.login("aigul"), clients.login("daniyar")
    answers = [("same_person", "same_person")] * CONFIRMED + [("different", "different")] * REJECTED
    answers += [("same_person", "different")] * SPLIT
    for number, (one, other) in enumerate(answers):
        clients.seeded.take_in(number + 1)
        clock.forward(seconds=40)
        (review,) = first.queue()
        assert first.answer(review["review_id"], one).status_code == 201
        assert second.answer(review["review_id"], other).status_code == 201
    clients.seeded.services.hold_clock.run_once()
    for number in range(3):
        clients.seeded.take_in(100 + number)
    clock.forward(days=25)  # April is over
    return clients


def read(clients: Clients, query: str = MONTH, who: str = "saule") -> dict[str, Any]:
    response = clients.login(who).get(f"/statistics?{query}")
    assert response.status_code == 200, response.text
    return dict(response.json())


def report(session: Session, outcome: str, candidate_id: str, number: int, at: datetime) -> None:
    account = session.scalars(select(Account).where(Account.username == "saule")).one()
    session.add(
        ContactOutcome(
            outcome_id=f"out_{candidate_id}_{number}",
            candidate_id=candidate_id,
            outcome=outcome,
            reported_by=account.account_id,
            reported_at=at,
        )
    )


@pytest.mark.system  # takes its time
class TestCounts:
    def test_what_was_decided_and_how_soon(self, judged: Clients) -> None:
        total = read(judged)["total"]
        counts = total["counts"]
        assert (counts["confirmed"], counts["rejected"]) == (CONFIRMED, REJECTED)
        assert (counts["pairs"], counts["pairs_agreed"], counts["pairs_differed"]) == (27, 21, 6)
        assert (total["decision_median_seconds"], total["decision_p90_seconds"]) == (40.0, 40.0)
        assert total["agreed_of_pairs"]["share"] == pytest.approx(21 / 27)
        assert 0 < total["kappa"] < 1

    def test_a_small_count_is_hidden_and_cannot_be_subtracted(self, judged: Clients) -> None:
        """6 disagreements and 3 that wait are `pending`; 9 is no small count, and one not judged is."""
        with judged.seeded.services.database.write() as session:
            rows = session.scalars(select(CandidateRecord).where(CandidateRecord.state == "open")).all()
            rows[0].state = "expired"
        counts = read(judged)["total"]["counts"]
        assert counts["not_judged"] is None
        shown = [counts[name] for name in ("confirmed", "rejected", "inconclusive", "withdrawn", "pending")]
        assert counts["candidates"] is None or None in shown

    def test_false_alerts_are_what_the_contact_showed_last(self, judged: Clients) -> None:
        with judged.seeded.services.database.write() as session:
            confirmed = session.scalars(
                select(CandidateRecord.candidate_id).where(CandidateRecord.state == "confirmed")
            ).all()
            for number, candidate_id in enumerate(confirmed):
                report(session, "true_alert", candidate_id, 1, APRIL + timedelta(hours=1))
                if number < 5:
                    report(session, "false_alert", candidate_id, 2, APRIL + timedelta(hours=2))
        total = read(judged)["total"]
        assert (total["counts"]["true_alert"], total["counts"]["false_alert"]) == (7, 5)
        assert total["false_of_known"]["share"] == pytest.approx(5 / 12)

    def test_complaints_count_by_their_answer(self, judged: Clients) -> None:
        with judged.seeded.services.database.write() as session:
            account = session.scalars(select(Account).where(Account.username == "saule")).one()
            session.add_all(
                Complaint(
                    complaint_id=f"cmp_{number}",
                    camera_id="gate",
                    received_at=APRIL,
                    due_at=APRIL + timedelta(days=15),
                    state="answered" if number < 5 else "open",
                    outcome="upheld" if number < 5 else None,
                    filed_by=account.account_id,
                )
                for number in range(10)
            )
        (group,) = read(judged, f"{MONTH}&by=camera")["groups"]
        counts = group["counts"]
        assert (counts["complaints"], counts["complaints_upheld"], counts["complaints_waiting"]) == (10, 5, 5)

    @pytest.mark.parametrize("by", ["camera", "list", "model"])
    def test_by_camera_list_and_model(self, judged: Clients, by: str) -> None:
        (group,) = read(judged, f"{MONTH}&by={by}")["groups"]
        wanted = {"camera": "gate", "list": judged.seeded.watchlist_id, "model": "unknown"}
        assert (group["key"], group["counts"]["confirmed"]) == (wanted[by], CONFIRMED)

    def test_controls_and_lists_for_tests_do_not_count(self, judged: Clients) -> None:
        with judged.seeded.services.database.write() as session:
            session.get_one(Watchlist, judged.seeded.watchlist_id).is_test = True
        assert read(judged)["total"]["counts"]["candidates"] == 0

    def test_a_control_is_no_alert(self, clients: Clients) -> None:
        add_control(clients.seeded)
        with clients.seeded.services.database.write() as session:
            for number in range(7):
                clients_id = f"control-{number}"
                session.add(_control(session, clients, clients_id))
        assert read(clients)["total"]["counts"]["candidates"] == 0

    def test_another_months_do_not_count(self, judged: Clients) -> None:
        query = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z"
        assert read(judged, query)["total"]["counts"]["candidates"] == 0

    def test_false_alerts_per_1000_faces(self, judged: Clients) -> None:
        with judged.seeded.services.database.write() as session:
            session.add_all(day(number, faces) for number, faces in enumerate((2000, 1000)))
        for by in ("camera", "nothing"):
            found = read(judged, f"{MONTH}&by={by}")
            for group in (found["total"], *found["groups"]):
                shown = group["false_alerts_per_1000_faces"]
                assert (shown["count"], shown["of"], shown["per_1000"]) == (REJECTED, 3000, 3.0)
                assert [shown["low"], shown["high"]] == pytest.approx([1.3718, 5.6949], abs=1e-3)
            assert found["notes"] == []
        assert read(judged, f"{MONTH}&by=list")["total"]["false_alerts_per_1000_faces"] is None


@pytest.mark.parametrize("told", [[], [None], [1000, None], [3]])
def test_faces_nobody_counted_are_not_made_up(clients: Clients, told: list[int | None]) -> None:
    with clients.seeded.services.database.write() as session:
        session.add_all(day(number, faces) for number, faces in enumerate(told))
    found = read(clients)
    assert found["total"]["faces_searched"] is None
    assert found["total"]["false_alerts_per_1000_faces"] is None
    assert any("per 1,000" in note for note in found["notes"])


def day(number: int, faces: int | None) -> CameraDay:
    return CameraDay(
        camera_id="gate", day=(APRIL + timedelta(days=number)).date(), worker_id="w1", read=9, decoded=9,
        undecodable=0, not_sampled=0, gated=0, inferred=9, dropped={}, faces_searched=faces, updated_at=APRIL,
    )  # fmt: skip


def _control(session: Session, clients: Clients, candidate_id: str) -> CandidateRecord:
    from api.store.models import ControlItem

    item = session.scalars(select(ControlItem)).one()
    return CandidateRecord(
        candidate_id=candidate_id, revision=1, control_id=item.control_id, truth="different", camera_id="gate",
        deployment_id="d1", watchlist_id=clients.seeded.watchlist_id, subject_id=item.subject_id, similarity=0.1,
        threshold=0.4, state="control_passed", round=0, created_at=APRIL, expires_at=APRIL,
    )  # fmt: skip


class TestWhoMayRead:
    @pytest.mark.parametrize(("who", "status"), [("erlan", 200), ("aigul", 403), ("root", 403)])
    def test_overseers(self, clients: Clients, who: str, status: int) -> None:
        assert clients.login(who).get(f"/statistics?{MONTH}").status_code == status

    def test_operators_are_for_supervisors_and_never_published(self, judged_once: Clients) -> None:
        told = read(judged_once, f"{MONTH}&by=operator")
        assert told["publishable"] is False
        assert len(told["groups"]) == 2
        assert told["groups"][0]["counts"]["answers"] == 27
        assert judged_once.login("erlan").get(f"/statistics?{MONTH}&by=operator").status_code == 403

    def test_only_a_whole_month_that_is_over_is_published(self, judged_once: Clients) -> None:
        assert read(judged_once)["publishable"] is True
        assert read(judged_once, "from=2026-05-01T00:00:00Z&to=2026-06-01T00:00:00Z")["publishable"] is False
        assert read(judged_once, "from=2026-04-01T00:00:00Z&to=2026-04-30T00:00:00Z")["publishable"] is False

    @pytest.mark.parametrize("form", ["json", "csv", "svg"])
    @pytest.mark.parametrize("by", ["camera", "list", "model"])
    def test_nobody_is_named(self, judged_once: Clients, by: str, form: str) -> None:
        text = judged_once.login("saule").get(f"/statistics?{MONTH}&by={by}&format={form}").text
        with judged_once.seeded.services.database.read() as session:
            accounts = list(session.scalars(select(Account.account_id)))
        names = [
            SUBJECT_NAME,
            OTHER_NAME,
            WATCHLIST_NAME,
            "aigul",
            *accounts,
            *judged_once.seeded.subject_ids,
        ]
        assert not [name for name in names if name in text]

    def test_reading_is_an_entry(self, clients: Clients) -> None:
        read(clients)
        with clients.seeded.services.database.read() as session:
            kinds = list(session.scalars(select(LedgerEntry.kind)))
        assert "statistics_read" in kinds


@pytest.mark.parametrize(
    ("since", "until", "month"),
    [
        ("2026-04-01T00:00:00+00:00", "2026-05-01T00:00:00+00:00", True),
        ("2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00", True),
        ("2026-04-01T00:00:00+00:00", "2026-06-01T00:00:00+00:00", False),
        ("2026-04-02T00:00:00+00:00", "2026-05-01T00:00:00+00:00", False),
        ("2026-04-01T00:00:01+00:00", "2026-05-01T00:00:00+00:00", False),
        ("2026-04-01T00:00:00+05:00", "2026-05-01T00:00:00+05:00", False),
    ],
)
def test_months_never_overlap(since: str, until: str, month: bool) -> None:
    assert is_month(datetime.fromisoformat(since), datetime.fromisoformat(until)) is month


@pytest.mark.system  # takes its time
class TestFiles:
    def test_the_table_has_a_row_a_group_and_hidden_cells_are_empty(self, judged_once: Clients) -> None:
        text = judged_once.login("saule").get(f"/statistics?{MONTH}&by=camera&format=csv").text
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["group"] for row in rows] == ["all", "gate"]
        assert (rows[0]["confirmed"], rows[0]["rejected"]) == ("12", "9")
        assert float(rows[0]["agreed_of_pairs_low"]) < 21 / 27 < float(rows[0]["agreed_of_pairs_high"])

    def test_a_cell_is_no_formula(self, judged: Clients) -> None:
        with judged.seeded.services.database.write() as session:
            for row in session.scalars(select(CandidateRecord)):
                row.camera_id = "=cmd"
        text = judged.login("saule").get(f"/statistics?{MONTH}&by=camera&format=csv").text
        assert ",'=cmd," in text

    def test_the_plot_is_one_svg_without_scripts(self, judged_once: Clients) -> None:
        response = judged_once.login("saule").get(f"/statistics?{MONTH}&by=camera&format=svg")
        assert response.headers["content-type"] == "image/svg+xml"
        root = ET.fromstring(response.text)  # noqa: S314  # our own
        assert root.tag.endswith("svg")
        assert not [one for one in root.iter() if one.tag.endswith("script")]
        assert "2026-04-01" in response.text

    def test_three_forms_of_one_thing(self, judged_once: Clients) -> None:
        service = StatisticsService(judged_once.seeded.services.database, FakeClock(APRIL))
        found = service.read(
            "test", datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC), By.LIST
        )
        document = as_document(found)
        assert json.loads(json.dumps(document)) == document
        assert "12" in as_csv(found)
        assert as_svg(found).startswith("<svg")
