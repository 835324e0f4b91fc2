"""The control library: pairs of which the truth is known, and their way into the queue."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, Protocol

from sqlalchemy.orm import Session

from api.clock import Clock, Draw, new_evidence_id, new_review_id
from api.late_evidence import control_clip, note_control
from api.ledger.chain import Happening
from api.review.cases import JUDGES_NEEDED, State, Truth
from api.review.controls import (
    Moment,
    Neighbour,
    fits_time_of_day,
    queue_moment,
    seen_like,
    wants_control,
)
from api.review.errors import RecordError
from api.review.policies import ReviewPolicy
from api.review.presentation import PictureSource, Sighting, present
from api.store.candidates import CandidateRepository
from api.store.controls import ControlRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import CandidateRecord, ControlItem
from api.store.reviews import ReviewRepository
from pipelines.accounting import FrameAccounting
from pipelines.events import CANDIDATE_NAMESPACE, EvidenceItem
from pipelines.evidence import EvidenceKind
from pipelines.evidence_clip import Clip
from vision.types import Image


class EvidenceSink(Protocol):
    """Seals pictures, as a worker does."""

    def put(self, kind: EvidenceKind, image: Image) -> EvidenceItem:
        """Where the picture lies now, and its hashes."""

    def put_clip(self, kind: Literal["clip", "clip_redacted"], clip: Clip) -> EvidenceItem:
        """Where the clip lies now, and its hashes."""


@dataclass(frozen=True, slots=True, repr=False)
class ControlInput:
    """A pair of which the truth is known, in the form a worker gives its candidates.

    Attributes:
        deployment_id: under which it is mixed in.
        camera_id: one of that deployment's cameras.
        subject_id: the listed subject it is paired with.
        truth: whether probe and subject are the same person.
        frame_redacted: (H, W, 3) uint8 BGR, all but the probe's enlarged box pixelated.
        probe: (H, W, 3) uint8 BGR portrait.
        face_xyxy: pixels of the frame.
        pts_seconds: on the source's clock.
        similarity: what the embedder says of the pair, −1 to 1.
        threshold: the deployment's.
        frame_accounting: of the source up to that frame.
        clip_redacted: the seconds around it, redacted like a candidate's.
    """

    deployment_id: str
    camera_id: str
    subject_id: str
    truth: Truth
    frame_redacted: Image
    probe: Image
    face_xyxy: tuple[float, float, float, float]
    pts_seconds: float
    similarity: float
    threshold: float
    frame_accounting: FrameAccounting
    clip_redacted: Clip | None = None


class ControlLibrary:
    """Keeps control items and mixes them in. They are sealed and presented like any candidate."""

    def __init__(
        self, database: Database, evidence: EvidenceSink, policy: ReviewPolicy, clock: Clock, draw: Draw
    ) -> None:
        self._database = database
        self._evidence = evidence
        self._policy = policy
        self._clock = clock
        self._draw = draw

    def add_control_item(self, item: ControlInput) -> str:
        """Keeps a pair; returns its id.

        Raises:
            RecordError: no such deployment or subject, or a camera the deployment does not cover.
            EvidenceError: its pictures could not be stored.
        """
        with self._database.read() as session:
            _check(ListRepository(session), item)
        frame = self._evidence.put("frame_redacted", item.frame_redacted)
        probe = self._evidence.put("probe", item.probe)
        clip = self._evidence.put_clip("clip_redacted", item.clip_redacted) if item.clip_redacted else None
        control_id, now = f"ctl_{secrets.token_hex(12)}", self._clock()
        row = _row(control_id, item, frame, probe, now)
        row.clip = None if clip is None else clip.model_dump()
        with self._database.write() as session:
            ControlRepository(session).add(row)
            note_control(session, control_id, (frame, probe, *((clip,) if clip else ())), now)
            LedgerRepository(session).append(
                Happening("control_item_added", now, "console", f"control:{control_id}")
            )
        return control_id

    def mix_in(self, session: Session, neighbour: Neighbour, now: datetime) -> str | None:
        """Maybe puts a control into the queue, in the transaction of a real candidate.

        Returns:
            The control's candidate id; None where none was mixed in.
        """
        candidates = CandidateRepository(session)
        made = candidates.controls_made() if self._policy.control_first else 1
        if not wants_control(self._policy, queued_before=made, draw=self._draw()):
            return None
        chosen = self._next(session, neighbour, now)
        if chosen is None:
            return None
        item, seen_by = chosen
        item.times_used += 1
        soon = self._policy.control_first and not made
        gap = None if soon else ControlRepository(session).usual_gap(neighbour.camera_id, now)
        queued_at = queue_moment(self._policy, neighbour.queued_at, self._draw(), gap)
        if item.usable_until is not None:
            queued_at = min(queued_at, max(item.usable_until, neighbour.queued_at))
        moment = seen_like(neighbour, item.pts_seconds, item.frame_accounting, queued_at, self._draw())
        row = self._candidate(session, item, moment, queued_at)
        candidates.add(row)
        ControlRepository(session).keep_from(row.candidate_id, seen_by, now)
        sighting = Sighting(
            item.camera_id,
            row.observed_at,
            moment.pts_seconds,
            (item.face_xyxy[0], item.face_xyxy[1], item.face_xyxy[2], item.face_xyxy[3]),
            item.face_size_px,
            moment.frame_accounting,
        )
        sources = [*evidence_sources(item.frame, item.probe), *reference_sources(session, item.subject_id)]
        clip = control_clip(session, item, queued_at, self._draw(), moment.shift_seconds)
        shown = present(new_review_id(), queued_at, sighting, sources, new_evidence_id, clip)
        ReviewRepository(session).add(row.candidate_id, shown)
        LedgerRepository(session).append(
            Happening("control_mixed_in", now, "intake", f"candidate:{row.candidate_id}")
        )
        return row.candidate_id

    def _next(
        self, session: Session, neighbour: Neighbour, now: datetime
    ) -> tuple[ControlItem, set[str]] | None:
        """The next item, and who has seen its pictures before; enough operators must be left who have not."""
        controls = ControlRepository(session)
        operators: set[str] | None = None
        for item in controls.usable(neighbour.deployment_id, neighbour.camera_id, now):
            if not fits_time_of_day(item.taken_at, now):
                continue
            seen_by = controls.seen_by(item)
            operators = controls.operators() if operators is None else operators
            if not seen_by or len(operators - seen_by) >= JUDGES_NEEDED:
                return item, seen_by
        return None

    def _candidate(
        self, session: Session, item: ControlItem, moment: Moment, queued_at: datetime
    ) -> CandidateRecord:
        deployment = ListRepository(session).deployment(item.deployment_id)
        if deployment is None:
            raise RecordError(f"there is no deployment {item.deployment_id}")
        return CandidateRecord(
            # Version 5 like a real one's, so that the id does not tell.
            candidate_id=str(uuid.uuid5(CANDIDATE_NAMESPACE, secrets.token_hex(16))),
            revision=1,
            event=None,
            control_id=item.control_id,
            truth=item.truth,
            camera_id=item.camera_id,
            deployment_id=item.deployment_id,
            watchlist_id=deployment.watchlist_id,
            subject_id=item.subject_id,
            observed_at=moment.observed_at,
            similarity=item.similarity,
            threshold=item.threshold,
            state=State.OPEN.value,
            round=0,
            created_at=queued_at,
            expires_at=queued_at + self._policy.expire_after,
        )


def evidence_sources(frame: dict[str, object], probe: dict[str, object]) -> list[PictureSource]:
    """The two pictures of a sighting, from their evidence items as JSON values."""
    items = (("frame", EvidenceItem.model_validate(frame)), ("probe", EvidenceItem.model_validate(probe)))
    return [
        PictureSource("frame" if kind == "frame" else "probe", item.width, item.height, item.model_dump())
        for kind, item in items
    ]


def reference_sources(session: Session, subject_id: str) -> list[PictureSource]:
    """The reference portraits of a subject, in order."""
    return [
        PictureSource("reference", width, height, reference_id=reference_id)
        for reference_id, width, height in ListRepository(session).reference_sizes(subject_id)
    ]


def _check(lists: ListRepository, item: ControlInput) -> None:
    deployment, subject = lists.deployment(item.deployment_id), lists.subject(item.subject_id)
    if deployment is None or subject is None:
        raise RecordError("a control needs a deployment and a subject that exist")
    if item.camera_id not in deployment.camera_ids or subject.watchlist_id != deployment.watchlist_id:
        raise RecordError("a control's camera and subject must be of its deployment")
    watchlist = lists.watchlist(subject.watchlist_id)
    if item.truth is Truth.SAME and (watchlist is None or not watchlist.is_test):
        raise RecordError("a known match is of a list for tests, whose people have consented")


def _row(
    control_id: str, item: ControlInput, frame: EvidenceItem, probe: EvidenceItem, now: datetime
) -> ControlItem:
    left, top, right, bottom = (float(value) for value in item.face_xyxy)
    return ControlItem(
        control_id=control_id,
        deployment_id=item.deployment_id,
        camera_id=item.camera_id,
        subject_id=item.subject_id,
        truth=item.truth.value,
        pts_seconds=float(item.pts_seconds),
        face_xyxy=[left, top, right, bottom],
        face_size_px=float(max(0.0, (right - left) * (bottom - top)) ** 0.5),
        similarity=float(item.similarity),
        threshold=float(item.threshold),
        frame=frame.model_dump(),
        probe=probe.model_dump(),
        frame_accounting=asdict(item.frame_accounting),
        created_at=now,
        times_used=0,
    )
