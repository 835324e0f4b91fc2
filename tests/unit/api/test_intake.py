"""What is taken in, what is refused, and what happens to later revisions and to controls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from api.intake import IntakeRefusedError, Taken
from api.review.cases import Truth
from api.review.errors import RecordError
from api.review.policies import ReviewPolicy
from api.store.models import CandidateRecord, LedgerEntry, PresentedEvidence, Subject
from pipelines.events import Candidate, unsigned_document
from pipelines.signing import SigningKey, sign_event
from pipelines.worker_keys import WorkerKeys
from tests.api_client import Clients, FakeChance, FakeClock
from tests.event_builders import make_evidence_item
from tests.seeds import RECIPE, Seeded, add_control, seed


def count(seeded: Seeded, table: type) -> int:
    with seeded.services.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_candidate_is_kept_once(seeded: Seeded) -> None:
    candidate = seeded.candidate()
    assert seeded.services.intake.accept(candidate) is Taken.ACCEPTED
    assert seeded.services.intake.accept(candidate) is Taken.DUPLICATE
    assert count(seeded, CandidateRecord) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"deployment_id": "d2"}, "unknown_deployment", id="no such deployment"),
        pytest.param({"watchlist_id": "other"}, "unknown_deployment", id="another list"),
        pytest.param({"camera_id": "yard"}, "not_deployed", id="another camera"),
        pytest.param({"subject_id": "sub_unknown"}, "not_listed", id="nobody's entry"),
        pytest.param({"evidence": (make_evidence_item(),)}, "no_evidence", id="no redacted frame"),
    ],
)
def test_what_cannot_be_believed_is_refused(seeded: Seeded, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(IntakeRefusedError) as refusal:
        seeded.services.intake.accept(seeded.candidate(**changes))
    assert refusal.value.code == code
    assert count(seeded, CandidateRecord) == 0
    with seeded.services.database.read() as session:
        assert "candidate_refused" in set(session.scalars(select(LedgerEntry.kind)))


@pytest.mark.parametrize("withdrawn", [False, True])
@pytest.mark.parametrize("foreign", ["another entry", "another worker"])
def test_a_revision_is_of_the_same_subject_and_from_the_same_worker(
    seeded: Seeded, clock: FakeClock, foreign: str, *, withdrawn: bool
) -> None:
    """Its id alone, which anybody who signs may write, makes it no revision."""
    candidate = seeded.candidate()
    seeded.services.intake.accept(candidate)
    changes: dict[str, Any] = {"revision": 2, "signature": None, "withdrawn": withdrawn}
    key = seeded.worker.candidates
    if foreign == "another entry":
        changes["subject_id"] = seeded.subject_ids[1]
    else:
        changes["worker_id"] = "w2"
        key = WorkerKeys.load(seeded.services.keys.create_worker("w2", now=clock())).candidates
    second = Candidate.model_validate(candidate.model_dump() | changes)
    signed = second.model_copy(update={"signature": sign_event(unsigned_document(second), key)})
    with pytest.raises(IntakeRefusedError) as refusal:
        seeded.services.intake.accept(signed)
    assert refusal.value.code == "not_its_revision"
    with seeded.services.database.read() as session:
        row = session.scalars(select(CandidateRecord)).one()
        assert (row.revision, row.state) == (1, "open")
        assert (row.event or {})["subject_id"] == row.subject_id == seeded.subject_ids[0]


def test_unsigned_forged_and_borrowed_candidates_are_refused(seeded: Seeded) -> None:
    candidate = seeded.candidate()
    stranger = SigningKey.generate()
    forged = candidate.model_copy(update={"signature": sign_event(unsigned_document(candidate), stranger)})
    borrowed = candidate.model_copy(update={"worker_id": "w2", "signature": None})
    borrowed = borrowed.model_copy(
        update={"signature": sign_event(unsigned_document(borrowed), seeded.worker.candidates)}
    )
    changed = candidate.model_copy(update={"similarity": 0.99})
    unsigned = candidate.model_copy(update={"signature": None})
    for one in (unsigned, forged, borrowed, changed):
        with pytest.raises(IntakeRefusedError) as refusal:
            seeded.services.intake.accept(one)
        assert refusal.value.code == "bad_signature"


def test_outside_the_deployments_time_nothing_is_taken(seeded: Seeded, clock: FakeClock) -> None:
    clock.forward(days=8)
    with pytest.raises(IntakeRefusedError) as refusal:
        seeded.services.intake.accept(seeded.candidate())
    assert refusal.value.code == "not_deployed"


def test_what_waited_in_a_spool_counts_when_it_was_seen(seeded: Seeded, clock: FakeClock) -> None:
    seen: dict[str, Any] = {"observed_at": clock(), "observed_at_source": "wall_clock"}
    late, future = (
        seeded.candidate(1, **seen),
        seeded.candidate(2, observed_at=clock() + timedelta(days=20), observed_at_source="wall_clock"),
    )
    clock.forward(days=7, hours=1)
    assert seeded.services.intake.accept(late) is Taken.ACCEPTED
    with pytest.raises(IntakeRefusedError):
        seeded.services.intake.accept(future)


def test_an_expired_entry_is_not_searched_for(seeded: Seeded, clock: FakeClock) -> None:
    with seeded.services.database.write() as session:
        session.get_one(Subject, seeded.subject_ids[0]).expires_at = clock()
    with pytest.raises(IntakeRefusedError) as refusal:
        seeded.services.intake.accept(seeded.candidate())
    assert refusal.value.code == "not_listed"


def test_a_newer_revision_takes_the_place_until_the_first_listing(clients: Clients, clock: FakeClock) -> None:
    seeded, began = clients.seeded, clock.now
    seeded.take_in()
    clock.forward(seconds=5)
    newer = seeded.candidate(revision=2, pts_seconds=9.9)
    assert seeded.services.intake.accept(newer) is Taken.UPDATED
    person = clients.login("aigul")
    (shown,) = person.queue()  # from now on it stays as it is
    assert datetime.fromisoformat(shown["queued_at"]) == began.replace(microsecond=0)
    assert shown["pts_seconds"] == 9.9
    assert count(seeded, PresentedEvidence) == 3
    newest = seeded.candidate(revision=3, pts_seconds=12.0)
    assert seeded.services.intake.accept(newest) is Taken.FROZEN
    assert person.queue() == [shown]


@pytest.fixture
def with_controls(tmp_path: Path) -> Iterator[Seeded]:
    policy = ReviewPolicy(control_share=0.5, control_spread=timedelta(seconds=20))
    made = seed(tmp_path, policy=policy, clock=FakeClock(), chance=FakeChance(0.5))
    yield made
    made.services.close()


def test_controls_are_mixed_in_at_the_set_share(with_controls: Seeded) -> None:
    add_control(with_controls)
    for track_id in range(1, 5):  # share ½ of the queue: one control for each
        with_controls.take_in(track_id)
    assert count(with_controls, CandidateRecord) == 8


def test_without_a_library_no_control_is_made_up(with_controls: Seeded) -> None:
    with_controls.take_in()
    assert count(with_controls, CandidateRecord) == 1


def test_a_control_enters_the_queue_a_little_later(with_controls: Seeded) -> None:
    add_control(with_controls)
    with_controls.take_in()
    clients = Clients(with_controls)
    person = clients.login("aigul")
    assert len(person.queue()) == 1
    clock = with_controls.services.desk._clock
    assert isinstance(clock, FakeClock)
    clock.forward(seconds=10)
    assert len(person.queue()) == 2
    clients.close()


def test_the_least_used_control_comes_next(with_controls: Seeded) -> None:
    made = {add_control(with_controls, face=face) for face in (3, 4, 5)}
    for track_id in range(1, 4):
        with_controls.take_in(track_id)
    with with_controls.services.database.read() as session:
        used = session.scalars(
            select(CandidateRecord.control_id).where(CandidateRecord.control_id.is_not(None))
        ).all()
    assert set(used) == made


@pytest.mark.parametrize(
    "wrong", [{"deployment_id": "d2"}, {"subject_id": "sub_unknown"}, {"camera_id": "yard"}]
)
def test_a_control_belongs_to_a_deployment(seeded: Seeded, wrong: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        add_control(seeded, truth=Truth.DIFFERENT, **wrong)


def test_an_entry_needs_two_people_and_leaves_no_key_behind_when_refused(seeded: Seeded) -> None:
    from tests.seeds import SUBJECT_NAME, add_subject

    keys = list((seeded.services.keys.folder / "api" / "subjects").iterdir())
    with pytest.raises(RecordError):
        add_subject(seeded.services, "no-such-list", SUBJECT_NAME, face=9, now=seeded.services.desk._clock())
    assert list((seeded.services.keys.folder / "api" / "subjects").iterdir()) == keys


def test_templates_come_back_as_they_were_enrolled(seeded: Seeded) -> None:
    subjects = seeded.services.records.gallery_subjects(seeded.watchlist_id, RECIPE.sha256)
    assert {item.subject_id for item in subjects} == set(seeded.subject_ids)
    assert all(abs(float((item.templates[0] ** 2).sum()) - 1.0) < 1e-5 for item in subjects)
    assert seeded.services.records.gallery_subjects(seeded.watchlist_id, "b" * 64) == []
    assert "templates" not in repr(replace(subjects[0]))
