"""Revisions that take a candidate back: it leaves the queue unclaimed, and stays as it is once a judge has it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select

from api.intake import Intake, Taken
from api.review.cases import State
from api.store.listings import ListingRepository
from api.store.models import CandidateRecord, LedgerEntry, PresentedEvidence, Review
from api.store.reviews import ReviewRepository
from pipelines.events import Candidate
from tests.api_client import Clients, FakeClock
from tests.seeds import Seeded


def withdrawn(seeded: Seeded, revision: int) -> Candidate:
    return seeded.candidate(revision=revision, withdrawn=True, evidence=(), similarity=0.2)


def row(seeded: Seeded) -> tuple[str, int, float]:
    with seeded.services.database.read() as session:
        found = session.scalars(select(CandidateRecord)).one()
        return found.state, found.revision, found.similarity


def kinds(seeded: Seeded) -> list[str]:
    with seeded.services.database.read() as session:
        return list(session.scalars(select(LedgerEntry.kind).order_by(LedgerEntry.sequence)))


def test_a_candidate_nobody_was_listed_leaves_the_queue_and_the_ledger_says_so(clients: Clients) -> None:
    seeded, person = clients.seeded, clients.login("aigul")
    seeded.take_in()
    assert seeded.services.intake.accept(withdrawn(seeded, 2)) is Taken.WITHDRAWN
    assert person.queue() == []
    assert row(seeded) == (State.WITHDRAWN, 2, 0.2)
    assert kinds(seeded)[-1] == "candidate_withdrawn"
    assert "judged" not in kinds(seeded)


def test_supervisors_see_it_withdrawn_and_not_judged(clients: Clients) -> None:
    clients.seeded.take_in()
    clients.seeded.services.intake.accept(withdrawn(clients.seeded, 2))
    (shown,) = clients.login("saule").get("/candidates?state=withdrawn").json()["items"]
    assert (shown["state"], shown["judgements"], shown["is_control"]) == ("withdrawn", [], False)


@pytest.mark.parametrize("claim", ["list", "open", "picture", "answer"])
def test_once_listed_or_claimed_nothing_changes_any_more(clients: Clients, claim: str) -> None:
    seeded, person = clients.seeded, clients.login("aigul")
    seeded.take_in()
    (review,) = person.queue()
    if claim == "open":
        person.get(f"/reviews/{review['review_id']}")
    elif claim == "picture":
        person.get(f"/evidence/{review['probe']['evidence_id']}")
    elif claim == "answer":
        assert person.answer(review["review_id"], "same_person").status_code == 201
    before = row(seeded)
    assert seeded.services.intake.accept(withdrawn(seeded, 2)) is Taken.FROZEN
    assert row(seeded) == before
    assert kinds(seeded)[-1] == "revision_ignored"
    if claim != "answer":
        assert person.queue() == [review]


def test_what_was_listed_keeps_time_pictures_and_addresses(clients: Clients) -> None:
    """A control never changes in the list, so nothing else may."""
    seeded, person = clients.seeded, clients.login("aigul")
    evidence = seeded.evidence(1)
    seeded.take_in(evidence=evidence)
    before, kept = person.queue(), row(seeded)
    other = seeded.candidate(revision=2, evidence=seeded.evidence(5), pts_seconds=9.0, similarity=0.9)
    assert seeded.services.intake.accept(other) is Taken.FROZEN
    assert person.queue() == before
    same = seeded.candidate(revision=3, evidence=evidence, similarity=0.8)
    assert seeded.services.intake.accept(same) is Taken.FROZEN
    assert (person.queue(), row(seeded)) == (before, kept)


def test_what_nobody_was_listed_shows_the_newer_picture(clients: Clients) -> None:
    seeded = clients.seeded
    seeded.take_in()
    assert seeded.services.intake.accept(seeded.candidate(revision=2, pts_seconds=9.0)) is Taken.UPDATED
    (review,) = clients.login("aigul").queue()
    assert review["pts_seconds"] == 9.0


def test_still_later_looks_bring_it_back_with_its_whole_time(clients: Clients, clock: FakeClock) -> None:
    seeded, person = clients.seeded, clients.login("aigul")
    seeded.take_in()
    seeded.services.intake.accept(withdrawn(seeded, 2))
    clock.forward(seconds=3)
    assert seeded.services.intake.accept(seeded.candidate(revision=3)) is Taken.UPDATED
    assert len(person.queue()) == 1
    assert row(seeded)[0] == State.OPEN


def test_the_review_of_a_withdrawn_candidate_cannot_be_opened_or_answered(clients: Clients) -> None:
    seeded, person = clients.seeded, clients.login("aigul")
    seeded.take_in()
    with seeded.services.database.read() as session:
        review_id = session.scalars(select(Review.review_id)).one()
        evidence_id = session.scalars(select(PresentedEvidence.evidence_id)).first()
    seeded.services.intake.accept(withdrawn(seeded, 2))
    assert person.get(f"/reviews/{review_id}").status_code == 404
    assert person.get(f"/evidence/{evidence_id}").status_code == 404
    assert person.answer(review_id, "same_person").status_code == 409
    with seeded.services.database.read() as session:
        assert session.scalars(select(CandidateRecord.claimed_at)).one() is None


@pytest.mark.parametrize("order", list(permutations((1, 2, 3, 2))))
def test_whatever_the_order_the_newest_revision_stands(seeded: Seeded, order: tuple[int, ...]) -> None:
    events = {
        1: seeded.candidate(revision=1, similarity=0.5),
        2: seeded.candidate(revision=2, similarity=0.6),
        3: withdrawn(seeded, 3),
    }
    for revision in order:
        seeded.services.intake.accept(events[revision])
    assert row(seeded) == (State.WITHDRAWN, 3, 0.2)


def test_a_withdrawal_that_comes_first_shows_nothing_to_anybody(clients: Clients) -> None:
    seeded = clients.seeded
    assert seeded.services.intake.accept(withdrawn(seeded, 3)) is Taken.WITHDRAWN
    assert seeded.services.intake.accept(seeded.candidate(revision=1)) is Taken.DUPLICATE
    assert clients.login("aigul").queue() == []
    with seeded.services.database.read() as session:
        assert session.scalars(select(Review)).all() == []


def test_the_probe_that_is_shown_is_the_first(seeded: Seeded, clock: FakeClock) -> None:
    """Further probes are of the same track; the face's box and the frame belong to the first."""
    candidate = seeded.candidate()
    frame, probe = candidate.evidence[:2]
    more = probe.model_copy(update={"width": 77})
    seeded.services.intake.accept(seeded.candidate(evidence=(frame, probe, more)))
    with seeded.services.database.read() as session:
        review = session.scalars(select(Review)).one()
        assert ReviewRepository(session).load([review], clock.now)[0].probe.source.width == probe.width


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys_of(item)}
    if isinstance(value, list):
        return {key for item in value for key in keys_of(item)}
    return set()


def test_nothing_an_operator_gets_speaks_of_revisions(clients: Clients) -> None:
    seeded, person = clients.seeded, clients.login("aigul")
    seeded.take_in()
    (first,) = person.queue()
    seeded.services.intake.accept(seeded.candidate(revision=5, similarity=0.9))
    (later,) = person.queue()
    assert keys_of(first) == keys_of(later)
    assert not {"revision", "withdrawn", "similarity", "frames_fused"} & keys_of(later)
    shown = person.get(f"/reviews/{later['review_id']}")
    assert b"revision" not in shown.content
    assert b"0.9" not in shown.content


def assert_claim_and_withdrawal_exclude_each_other(clients: Clients) -> None:
    """Both at once: either she has it and it stays, or it is gone and she never saw it."""
    seeded, person = clients.seeded, clients.login("aigul")
    for track_id in range(1, 9):
        candidate_id = seeded.take_in(track_id)
        with seeded.services.database.read() as session:
            shown = ReviewRepository(session).of_candidate(candidate_id)
        assert shown is not None
        gate = threading.Barrier(2)
        newer = seeded.candidate(track_id, revision=2, withdrawn=True, evidence=())

        def open_it(review_id: str = shown.review_id, gate: threading.Barrier = gate) -> int:
            gate.wait(10)
            return person.get(f"/reviews/{review_id}").status_code

        def take_back(newer: Candidate = newer, gate: threading.Barrier = gate) -> Taken:
            gate.wait(10)
            return seeded.services.intake.accept(newer)

        with ThreadPoolExecutor(2) as pool:
            seen, taken = pool.submit(open_it), pool.submit(take_back)
        assert (seen.result(), taken.result()) in {(200, Taken.FROZEN), (404, Taken.WITHDRAWN)}


def test_a_claim_and_a_withdrawal_at_once_exclude_each_other(clients: Clients) -> None:
    assert_claim_and_withdrawal_exclude_each_other(clients)


def assert_listing_and_withdrawal_exclude_each_other(clients: Clients) -> None:
    """Both at once: either it is in her list and stays there as it is, or she never sees it."""
    seeded, person = clients.seeded, clients.login("aigul")
    listed = 0
    for track_id in range(1, 9):
        seeded.take_in(track_id)
        gate = threading.Barrier(2)
        newer = seeded.candidate(track_id, revision=2, withdrawn=True, evidence=())

        def look(gate: threading.Barrier = gate) -> int:
            gate.wait(10)
            return len(person.queue())

        def take_back(newer: Candidate = newer, gate: threading.Barrier = gate) -> Taken:
            gate.wait(10)
            return seeded.services.intake.accept(newer)

        with ThreadPoolExecutor(2) as pool:
            seen, taken = pool.submit(look), pool.submit(take_back)
        assert (seen.result(), taken.result()) in {
            (listed + 1, Taken.FROZEN),
            (listed, Taken.WITHDRAWN),
        }
        listed = len(person.queue())


def test_a_listing_and_a_withdrawal_at_once_exclude_each_other(clients: Clients) -> None:
    assert_listing_and_withdrawal_exclude_each_other(clients)


def test_an_intake_that_forgets_what_was_listed_is_caught(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ListingRepository, "was_listed", lambda *_: False)
    with pytest.raises(AssertionError):
        test_what_was_listed_keeps_time_pictures_and_addresses(clients)


def test_an_intake_that_forgets_the_claim_is_caught(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard of these tests: without the freeze a judged candidate would be taken back."""
    seeded, person = clients.seeded, clients.login("aigul")
    seeded.take_in()
    with seeded.services.database.read() as session:
        review_id = session.scalars(select(Review.review_id)).one()
    person.get(f"/reviews/{review_id}")  # opened without having been listed
    keep = Intake._keep

    def unclaimed(self: Intake, session: Any, *rest: Any) -> Taken:
        session.scalars(select(CandidateRecord)).one().claimed_at = None
        return keep(self, session, *rest)

    monkeypatch.setattr(Intake, "_keep", unclaimed)
    assert seeded.services.intake.accept(withdrawn(seeded, 2)) is Taken.WITHDRAWN
