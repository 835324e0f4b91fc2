"""Re-examinations: the pictures of a candidate before two fresh judges, who cannot tell it from any other."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.clock import Clock, Draw, new_evidence_id, new_review_id
from api.controls import reference_sources
from api.ledger.chain import Happening
from api.review.cases import State
from api.review.controls import queue_moment
from api.review.policies import ReviewPolicy
from api.review.presentation import LaterClip, PictureSource, Presentation, Sighting, present
from api.review.redress import UNDECIDED, ComplaintState, Finding, finding_of
from api.review.scopes import WHOLE
from api.store.after import ComplaintRepository
from api.store.candidates import CandidateRepository
from api.store.controls import ControlRepository
from api.store.engine import Database
from api.store.evidence import EvidenceRepository
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import CandidateRecord, Complaint
from api.store.reexaminations import ReexaminationRepository
from api.store.reviews import ReviewRepository
from pipelines.events import CANDIDATE_NAMESPACE

AGAIN_AFTER: Final = timedelta(hours=4)
"""How long after the last time it is put before judges again, where nobody judged it."""


class Reexaminer:
    """Puts what complaints are about before fresh judges, as soon as it has ended, until two have answered."""

    def __init__(self, database: Database, policy: ReviewPolicy, clock: Clock, draw: Draw) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock
        self._draw = draw

    def run_once(self) -> int:
        """Orders every re-examination that is owed; returns how many."""
        now = self._clock()
        with self._database.read() as session:
            unanswered = ComplaintRepository(session).unanswered()
            waiting = [one for one in unanswered if self._owed(session, one, now)]
        return sum(self._order_for(complaint_id) for complaint_id in waiting)

    def _order_for(self, complaint_id: str) -> int:
        with self._database.write() as session:
            now = self._clock()
            complaint = ComplaintRepository(session).row(WHOLE, complaint_id, lock=True)
            if complaint is None or complaint.state == ComplaintState.ANSWERED.value:
                return 0
            originals = self._owed(session, complaint_id, now)
            for original in originals:
                self._order(session, complaint, original, now)
            return len(originals)

    def _owed(self, session: Session, complaint_id: str, now: datetime) -> list[CandidateRecord]:
        candidates, links = CandidateRepository(session), ComplaintRepository(session).links(complaint_id)
        originals = [candidates.row(link.candidate_id) for link in links]
        return [row for row in originals if row and self._is_owed(session, complaint_id, row, now)]

    def _is_owed(self, session: Session, complaint_id: str, original: CandidateRecord, now: datetime) -> bool:
        if State(original.state) in UNDECIDED or shown_before(session, original) is None:
            return False
        earlier = ReexaminationRepository(session).of_complaint(complaint_id, original.candidate_id)
        if not earlier:
            return True
        newest, copy = earlier[-1]
        return State(copy.state) is State.EXPIRED and now >= newest.ordered_at + AGAIN_AFTER

    def _order(
        self, session: Session, complaint: Complaint, original: CandidateRecord, now: datetime
    ) -> None:
        shown = shown_before(session, original)
        if shown is None:
            return
        queued_at = queue_moment(self._policy, now, self._draw())
        copy = _copy(original, queued_at, queued_at + self._policy.expire_after)
        CandidateRepository(session).add(copy)
        ReexaminationRepository(session).add(
            copy.candidate_id, original.candidate_id, complaint.complaint_id, now
        )
        ReviewRepository(session).add(copy.candidate_id, _presented(session, copy, shown, queued_at))
        complaint.state = ComplaintState.UNDER_REVIEW.value
        session.flush()
        detail = {"complaint": complaint.complaint_id, "as": copy.candidate_id}
        LedgerRepository(session).append(
            Happening("reexamination_ordered", now, "redress", f"candidate:{original.candidate_id}", detail)
        )


def finding(session: Session, complaint_id: str, candidate_id: str) -> Finding:
    """What two fresh judges found of a candidate a complaint is about."""
    original = CandidateRepository(session).row(candidate_id)
    if original is None:
        return Finding.IMPOSSIBLE
    states = [
        State(copy.state)
        for _, copy in ReexaminationRepository(session).of_complaint(complaint_id, candidate_id)
    ]
    undecided = State(original.state) in UNDECIDED
    possible = undecided or shown_before(session, original) is not None
    return finding_of(states[-1] if states else None, possible=possible)


def shown_before(session: Session, original: CandidateRecord) -> Presentation | None:
    """What its judges were shown; None where pictures or entry are gone, or nobody was ever shown it."""
    reviews, lists = ReviewRepository(session), ListRepository(session)
    review, subject = reviews.of_candidate(original.candidate_id), lists.subject(original.subject_id)
    if review is None or subject is None or subject.removed_at is not None:
        return None
    shown = reviews.load([review], original.claimed_at or original.created_at)[0]
    gone = {
        record.ref
        for record in EvidenceRepository(session).of_candidate(original.candidate_id)
        if record.deleted_at is not None
    }
    needed = {picture.source.sealed["ref"] for picture in (shown.frame, shown.probe) if picture.source.sealed}
    return None if needed & gone else shown


def _copy(original: CandidateRecord, queued_at: datetime, expires_at: datetime) -> CandidateRecord:
    """A candidate in the queue's clothes, without an event: nothing about it ever leaves the house."""
    observed_at = original.observed_at
    if observed_at is not None:  # as fresh as the original was: its age would tell that it is looked at again
        observed_at = queued_at - (original.created_at - observed_at)
    return CandidateRecord(
        candidate_id=str(uuid.uuid5(CANDIDATE_NAMESPACE, secrets.token_hex(16))),
        revision=1,
        event=None,
        control_id=None,
        truth=None,
        camera_id=original.camera_id,
        deployment_id=original.deployment_id,
        watchlist_id=original.watchlist_id,
        subject_id=original.subject_id,
        observed_at=observed_at,
        similarity=original.similarity,
        threshold=original.threshold,
        state=State.OPEN.value,
        round=0,
        created_at=queued_at,
        expires_at=expires_at,
    )


def _presented(
    session: Session, copy: CandidateRecord, shown: Presentation, queued_at: datetime
) -> Presentation:
    before = shown.sighting
    sighting = Sighting(
        camera_id=before.camera_id,
        observed_at=copy.observed_at,
        pts_seconds=before.pts_seconds,
        face_xyxy=before.face_xyxy,
        face_size_px=before.face_size_px,
        frame_accounting=before.frame_accounting,
    )
    sources: Sequence[PictureSource] = [
        shown.frame.source,
        shown.probe.source,
        *reference_sources(session, copy.subject_id),
    ]
    with_clip = shown.clip and not ControlRepository(session).without_clip(copy.deployment_id, copy.camera_id)
    clip = LaterClip(shown.clip.source, queued_at) if shown.clip and with_clip else None
    return present(new_review_id(), queued_at, sighting, sources, new_evidence_id, clip)
