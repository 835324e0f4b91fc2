"""What evidence means for records and judges: who names which blob, which clip judges see, and what came too late.

A judge must not be able to tell a control from a candidate by its clip. So clips are shown only where every control
of the deployment has one, and a control's appears as late as a candidate's would.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from api.clock import new_evidence_id
from api.review.presentation import LaterClip, Picture, PictureSource
from api.store.candidates import CandidateRepository
from api.store.evidence import EvidenceRepository
from api.store.models import ControlItem, Review
from api.store.reviews import ReviewRepository
from pipelines.events import Candidate, EvidenceItem
from pipelines.evidence import CLIP_KINDS

CLIPS_KNOWN_FOR: Final = timedelta(days=7)
"""A camera without a clip for so long has none any more, and its controls neither."""

DELAY_SPREAD: Final = 0.4
"""A control's clip comes after the time the camera's newest one took, give or take half of this share of it."""


def note_evidence(session: Session, candidate: Candidate, now: datetime) -> None:
    """Keeps which blobs a candidate names, so that they stay as long as they must and no longer."""
    owner = str(candidate.candidate_id)
    EvidenceRepository(session).note(owner, owner, candidate.evidence, now)


def note_control(session: Session, control_id: str, items: tuple[EvidenceItem, ...], now: datetime) -> None:
    """Keeps which blobs a control names; they stay as long as it does."""
    EvidenceRepository(session).note(control_id, None, items, now)


def keep_late_clips(session: Session, candidate: Candidate, now: datetime) -> int:
    """Attaches clips that came after the first claim; no judge is shown them, and the event stays as it was.

    Returns:
        How many are new.
    """
    owner = str(candidate.candidate_id)
    clips = [item for item in candidate.evidence if item.kind in CLIP_KINDS]
    return len(EvidenceRepository(session).note(owner, owner, clips[:2], now, late=True))


def clip_of(session: Session, candidate: Candidate, now: datetime) -> LaterClip | None:
    """The redacted clip of a candidate, where judges may see one: from now on."""
    item = next((item for item in candidate.evidence if item.kind == "clip_redacted"), None)
    if item is None or CandidateRepository(session).controls_without_clip(candidate.deployment_id):
        return None
    return LaterClip(_source(item), now)


def control_clip(session: Session, item: ControlItem, queued_at: datetime, draw: float) -> LaterClip | None:
    """The clip of a control, from when one would have come; None where candidates of its camera have none."""
    if item.clip is None or CandidateRepository(session).controls_without_clip(item.deployment_id):
        return None
    usual = EvidenceRepository(session).newest_clip_delay(item.camera_id, queued_at - CLIPS_KNOWN_FOR)
    if usual is None:
        return None
    delay = usual * (1 + DELAY_SPREAD * (draw - 0.5))
    return LaterClip(_source(EvidenceItem.model_validate(item.clip)), queued_at + delay)


def joins_as_it_is(
    session: Session, review: Review | None, sources: list[PictureSource], clip: LaterClip | None
) -> bool:
    """Adds a clip to a review that shows the same pictures; False where it must be presented anew.

    So its pictures keep their addresses, and nothing tells that there was a revision.
    """
    if review is None or clip is None:
        return False
    reviews = ReviewRepository(session)
    shown = reviews.shown(review)
    wanted = {source.kind: _sealed_hash(source) for source in sources if source.sealed}
    if {kind: sha256 for kind, sha256 in shown.items() if kind != "clip"} != wanted:
        return False
    if "clip" not in shown:
        reviews.add_clip(review, Picture(new_evidence_id(), clip.source, clip.shown_from))
    return True


def _sealed_hash(source: PictureSource) -> Any:
    return source.sealed["sha256_sealed"] if source.sealed else None


def _source(item: EvidenceItem) -> PictureSource:
    return PictureSource("clip", item.width, item.height, item.model_dump())
