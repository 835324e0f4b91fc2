"""How candidates come in: checked, deduplicated, kept, presented. What cannot be believed is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.orm import Session

from api.clock import Clock, new_evidence_id, new_review_id
from api.controls import ControlLibrary, evidence_sources, reference_sources
from api.keys.store import KeyStore
from api.late_evidence import (
    clip_of,
    joins_as_it_is,
    keep_late_clips,
    note_evidence,
    usual_delay,
    wait_for_clip,
)
from api.ledger.chain import Happening
from api.review import machine
from api.review.cases import State
from api.review.controls import Neighbour
from api.review.policies import ReviewPolicy
from api.review.presentation import PictureSource, Sighting, present
from api.store.arrivals import Arrivals
from api.store.candidates import CandidateRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.listings import ListingRepository
from api.store.models import CandidateRecord
from api.store.reviews import ReviewRepository
from pipelines.candidate_check import SignedCandidate
from pipelines.errors import SealingError
from pipelines.events import Candidate, EvidenceItem, unsigned_document
from pipelines.signing import VerifyingKeys, verify_event

CLOCK_LEEWAY: Final = timedelta(minutes=2)
"""How far a worker's clock may be off when its candidate is held against the deployment's times."""


_REVISABLE: Final = frozenset({State.OPEN, State.WITHDRAWN})
_Shown = tuple[EvidenceItem, EvidenceItem]
"""The redacted frame and the probe."""


class IntakeRefusedError(Exception):
    """A candidate nobody may be shown; its sender's fault or a forgery. `reason` goes with it to `dead`."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Taken(StrEnum):
    """What became of a candidate that was believed."""

    ACCEPTED = "accepted"
    UPDATED = "updated"
    WITHDRAWN = "withdrawn"
    DUPLICATE = "duplicate"
    FROZEN = "frozen"


class Intake:
    """Takes candidates into the records."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        controls: ControlLibrary,
        policy: ReviewPolicy,
        clock: Clock,
    ) -> None:
        self._database = database
        self._keys = keys
        self._controls = controls
        self._policy = policy
        self._clock = clock

    def accept(self, candidate: Candidate, signed: Mapping[str, Any] | None = None) -> Taken:
        """Keeps a candidate; on return it is committed and its message may be acknowledged.

        Args:
            candidate: the event.
            signed: what its signature is over, as it came; None: the event as this version writes it.

        Raises:
            IntakeRefusedError: not signed by the worker it names, outside any active deployment, of a
                subject not on the list, without the evidence a judge needs, or said to be a revision of what
                another worker said, or of something else.
        """
        shown = _checked(candidate, signed, self._keys.worker_verifying_keys())
        (outcome,) = self._take([(candidate, shown)])
        if isinstance(outcome, IntakeRefusedError):
            raise outcome
        return outcome

    def accept_batch(self, batch: Sequence[SignedCandidate]) -> list[Taken | IntakeRefusedError]:
        """Keeps candidates in one transaction; on return all are committed.

        Args:
            batch: events whose signatures hold, which is not looked at a second time.

        Returns:
            What became of each, in order. A refusal stands in its place, and keeps none of the others out.
        """
        return self._take([(one.candidate, _shown(one.candidate)) for one in batch])

    def _take(
        self, batch: Sequence[tuple[Candidate, _Shown | IntakeRefusedError | None]]
    ) -> list[Taken | IntakeRefusedError]:
        now = self._clock()
        with self._database.write() as session:
            # All of them before the first entry of the ledger: a judge takes candidate and ledger in that order, too.
            ids = [str(candidate.candidate_id) for candidate, _ in batch]
            known = CandidateRepository(session).lock(ids)
            if known:
                ReviewRepository(session).lock(known)
            arrivals = Arrivals(session, known)
            outcomes = [self._taken(session, arrivals, candidate, shown, now) for candidate, shown in batch]
            arrivals.write()
        return outcomes

    def _taken(
        self,
        session: Session,
        arrivals: Arrivals,
        candidate: Candidate,
        shown: _Shown | IntakeRefusedError | None,
        now: datetime,
    ) -> Taken | IntakeRefusedError:
        """All refusals come before anything is written, so that the transaction stays whole."""
        try:
            if isinstance(shown, IntakeRefusedError):
                raise shown
            _check_deployed(arrivals, candidate, now)
            if arrivals.is_new(str(candidate.candidate_id)):
                return self._receive(session, arrivals, candidate, shown, now)
            arrivals.write()
            return self._keep(session, candidate, shown, now)
        except IntakeRefusedError as refusal:
            _note_refusal(session, candidate, refusal, now)
            return refusal

    def _keep(self, session: Session, candidate: Candidate, shown: _Shown | None, now: datetime) -> Taken:
        """Keeps the newest revision, in whatever order they come; frozen once somebody was listed it."""
        candidates = CandidateRepository(session)
        known = candidates.row(str(candidate.candidate_id), lock=True)
        if known is None:
            raise LookupError("a candidate that was there is gone")
        _check_same(known, candidate)
        if candidate.revision <= known.revision:
            return Taken.DUPLICATE
        if self._is_frozen(session, known):
            late = keep_late_clips(session, candidate, now)
            self._note(session, "late_evidence_kept" if late else "revision_ignored", candidate, now)
            return Taken.FROZEN
        self._update(session, known, candidate)
        case = candidates.case(known)
        if shown is None:
            if case.state is State.OPEN:
                candidates.save(known, machine.withdraw(case))
            self._note(session, "candidate_withdrawn", candidate, now)
            return Taken.WITHDRAWN
        if case.state is State.WITHDRAWN:
            candidates.save(known, machine.restore(case, now + self._policy.expire_after))
        self._present(session, candidate, shown, now)
        self._note(session, "candidate_updated", candidate, now)
        return Taken.UPDATED

    def _is_frozen(self, session: Session, known: CandidateRecord) -> bool:
        """Whether no revision changes it any more: an operator has had it in her list, where a control never changes."""
        if known.claimed_at is not None or State(known.state) not in _REVISABLE:
            return True
        reviews = ReviewRepository(session)
        review = reviews.of_candidate(known.candidate_id)
        return (
            review is not None
            and known.state == State.OPEN.value
            and ListingRepository(session).was_listed(review.review_id)
        )

    def _receive(
        self, session: Session, arrivals: Arrivals, candidate: Candidate, shown: _Shown | None, now: datetime
    ) -> Taken:
        row = self._row(candidate, now)
        if shown is None:  # taken back before it came: kept, so that an older revision is known for one
            arrivals.add(row | {"state": State.WITHDRAWN.value}, candidate.evidence, None, now)
            self._note(session, "candidate_withdrawn", candidate, now)
            return Taken.WITHDRAWN
        sources = [*_evidence_sources(shown), *arrivals.references(candidate.subject_id)]
        clip = clip_of(session, candidate, now)
        place = candidate.deployment_id, candidate.camera_id
        delay = arrivals.delay(*place, lambda: usual_delay(session, *place, now))
        queued_at = now if clip else now + wait_for_clip(delay)
        shown_now = present(new_review_id(), queued_at, _sighting(candidate), sources, new_evidence_id, clip)
        arrivals.add(row, candidate.evidence, shown_now, now)
        self._note(session, "candidate_received", candidate, now)
        self._controls.mix_in(session, _neighbour(candidate, now + (delay or timedelta())), now)
        return Taken.ACCEPTED

    def _row(self, candidate: Candidate, now: datetime) -> dict[str, Any]:
        return {
            "candidate_id": str(candidate.candidate_id),
            "revision": candidate.revision,
            "event": candidate.model_dump(mode="json"),
            "control_id": None,
            "truth": None,
            "camera_id": candidate.camera_id,
            "deployment_id": candidate.deployment_id,
            "watchlist_id": candidate.watchlist_id,
            "subject_id": candidate.subject_id,
            "observed_at": candidate.observed_at,
            "similarity": candidate.similarity,
            "threshold": candidate.threshold,
            "state": State.OPEN.value,
            "round": 0,
            "created_at": now,
            "expires_at": now + self._policy.expire_after,
            "hold_until": None,
            "claimed_at": None,
        }

    def _update(self, session: Session, row: CandidateRecord, candidate: Candidate) -> None:
        note_evidence(session, candidate, self._clock())
        row.revision = candidate.revision
        row.event = candidate.model_dump(mode="json")
        row.observed_at = candidate.observed_at
        row.similarity, row.threshold = candidate.similarity, candidate.threshold
        session.flush()

    def _present(
        self,
        session: Session,
        candidate: Candidate,
        shown: _Shown,
        now: datetime,
    ) -> None:
        """Puts a revision into the queue."""
        reviews = ReviewRepository(session)
        earlier = reviews.of_candidate(str(candidate.candidate_id))
        sources = [*_evidence_sources(shown), *reference_sources(session, candidate.subject_id)]
        clip = clip_of(session, candidate, now)
        if joins_as_it_is(session, earlier, sources, clip):
            return
        # A revision keeps its place and its address in the queue; its pictures get new addresses.
        review_id = earlier.review_id if earlier else new_review_id()
        queued_at = earlier.queued_at if earlier and not clip else now
        if earlier:
            queued_at = min(queued_at, earlier.queued_at)
        shown_now = present(review_id, queued_at, _sighting(candidate), sources, new_evidence_id, clip)
        if earlier:
            reviews.replace(earlier, shown_now)
        else:
            reviews.add(str(candidate.candidate_id), shown_now)

    def _note(self, session: Session, kind: str, candidate: Candidate, now: datetime) -> None:
        about = f"candidate:{candidate.candidate_id}"
        detail = {
            "revision": candidate.revision,
            "worker_id": candidate.worker_id,
            "camera_id": candidate.camera_id,
            "deployment_id": candidate.deployment_id,
        }
        LedgerRepository(session).append(Happening(kind, now, "intake", about, detail))


def _checked(
    candidate: Candidate, signed: Mapping[str, Any] | None, keys: VerifyingKeys
) -> _Shown | IntakeRefusedError | None:
    """What judges would be shown of it, none where it is taken back, or why it is not believed."""
    try:
        key = verify_event(signed or unsigned_document(candidate), candidate.signature, keys)
        if key.owner != candidate.worker_id:
            return IntakeRefusedError("bad_signature", "signed by another worker than the event names")
    except SealingError as error:
        return IntakeRefusedError("bad_signature", str(error))
    return _shown(candidate)


def _shown(candidate: Candidate) -> _Shown | IntakeRefusedError | None:
    """What judges would be shown of one that is believed."""
    try:
        return None if candidate.withdrawn else _evidence(candidate)
    except IntakeRefusedError as refusal:
        return refusal


def _note_refusal(session: Session, candidate: Candidate, refusal: IntakeRefusedError, now: datetime) -> None:
    about = f"candidate:{candidate.candidate_id}"
    happening = Happening("candidate_refused", now, "intake", about, {"code": refusal.code})
    LedgerRepository(session).append(happening)


def _sighting(candidate: Candidate) -> Sighting:
    return Sighting(
        camera_id=candidate.camera_id,
        observed_at=candidate.observed_at,
        pts_seconds=candidate.pts_seconds,
        face_xyxy=candidate.face_xyxy,
        face_size_px=candidate.quality.face_size_px,
        frame_accounting=asdict(candidate.frame_accounting),
    )


def _evidence_sources(shown: _Shown) -> list[PictureSource]:
    return evidence_sources(*(item.model_dump() for item in shown))


def _check_deployed(arrivals: Arrivals, candidate: Candidate, now: datetime) -> None:
    deployment = arrivals.deployment(candidate.deployment_id)
    if deployment is None or deployment.watchlist_id != candidate.watchlist_id:
        raise IntakeRefusedError("unknown_deployment", "no deployment of that id searches that list")
    # A candidate may have waited in a worker's spool: what counts is when the face was seen.
    live = candidate.observed_at_source == "wall_clock" and candidate.observed_at is not None
    seen_at = candidate.observed_at if live and candidate.observed_at is not None else now
    if seen_at > now + CLOCK_LEEWAY or not deployment.covers(candidate.camera_id, seen_at):
        raise IntakeRefusedError("not_deployed", "the deployment does not cover that camera at that time")
    subject = arrivals.subject(candidate.subject_id)
    on_it = subject is not None and subject.watchlist_id == candidate.watchlist_id
    if not (on_it and arrivals.is_listed(candidate.subject_id, now)):
        raise IntakeRefusedError("not_listed", "the subject is not on the list, or not any more")


def _check_same(known: CandidateRecord, candidate: Candidate) -> None:
    """A revision says the same thing better: not of somebody else, and not in another worker's name.

    Judges would else compare the pictures of one entry, and the record name another.
    """
    event = known.event or {}  # a control has none, and nobody revises it
    names = ("subject_id", "watchlist_id", "deployment_id", "camera_id", "worker_id")
    if any(event.get(name) != getattr(candidate, name) for name in names):
        raise IntakeRefusedError(
            "not_its_revision", "a revision must name the subject, place and worker that the first one named"
        )


def _neighbour(candidate: Candidate, queued_at: datetime) -> Neighbour:
    return Neighbour(
        candidate.deployment_id,
        candidate.camera_id,
        candidate.observed_at,
        candidate.observed_at_source == "wall_clock",
        candidate.pts_seconds,
        candidate.frame_index,
        asdict(candidate.frame_accounting),
        queued_at,
    )


def _evidence(candidate: Candidate) -> _Shown:
    """The redacted frame and the probe that belongs to it, the first."""
    by_kind = {item.kind: item for item in reversed(candidate.evidence)}
    frame, probe = by_kind.get("frame_redacted"), by_kind.get("probe")
    if frame is None or probe is None:
        raise IntakeRefusedError("no_evidence", "a judge needs the redacted frame and the probe")
    return frame, probe
