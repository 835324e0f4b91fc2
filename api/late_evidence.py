"""What evidence means for records and judges: who names which blob, which clip judges see, and what came too late.

A judge must not be able to tell a control from a candidate by its clip, nor whether somebody was there before her. So
clips are shown only where every control of the deployment has one; a candidate waits for its clip before it enters the
queue, a little longer than its camera's clips take; and once it was in somebody's list, no clip comes any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from api.clock import new_evidence_id
from api.review.presentation import LaterClip, Picture, PictureSource
from api.store.controls import ControlRepository
from api.store.evidence import EvidenceRepository
from api.store.models import ControlItem, Review
from api.store.reviews import ReviewRepository
from pipelines.events import Candidate, EvidenceItem
from pipelines.evidence import CLIP_KINDS

CLIPS_KNOWN_FOR: Final = timedelta(days=7)
"""A camera without a clip for so long has none any more, and its controls neither."""

WAIT_SHARE: Final = 1.5
"""A candidate waits for its clip so many times as long as the camera's newest one took."""

LONGEST_WAIT: Final = timedelta(seconds=20)
REMEMBERED: Final = 20
"""Reviews of a camera whose clips are counted, the newest."""


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
    if item is None or ControlRepository(session).without_clip(candidate.deployment_id, candidate.camera_id):
        return None
    return LaterClip(_source(item), now)


def usual_delay(session: Session, deployment_id: str, camera_id: str, now: datetime) -> timedelta | None:
    """How long a camera's clips take to come; None where judges are shown none."""
    if ControlRepository(session).without_clip(deployment_id, camera_id):
        return None
    return EvidenceRepository(session).newest_clip_delay(camera_id, now - CLIPS_KNOWN_FOR)


def wait_for_clip(delay: timedelta | None) -> timedelta:
    """How long a candidate stays out of the queue for its clip, at most."""
    return timedelta() if delay is None else min(delay * WAIT_SHARE, LONGEST_WAIT)


def control_clip(
    session: Session, item: ControlItem, queued_at: datetime, draw: float, shift_seconds: float = 0.0
) -> LaterClip | None:
    """The clip of a control, as often as candidates of its camera have one.

    Args:
        session: of the database.
        item: the control's item.
        queued_at: when the control enters the queue.
        draw: a number from [0, 1), drawn afresh.
        shift_seconds: how much later than it was taken the control claims to have been.
    """
    if item.clip is None or usual_delay(session, item.deployment_id, item.camera_id, queued_at) is None:
        return None
    shown = ReviewRepository(session).with_clip(item.camera_id, REMEMBERED)
    if shown and draw >= sum(shown) / len(shown):
        return None
    clip = EvidenceItem.model_validate(item.clip)
    if clip.began_pts_seconds is not None:
        clip = clip.model_copy(update={"began_pts_seconds": clip.began_pts_seconds + shift_seconds})
    return LaterClip(_source(clip), queued_at)


def joins_as_it_is(
    session: Session, review: Review | None, sources: list[PictureSource], clip: LaterClip | None
) -> bool:
    """Adds a clip to a review that shows the same pictures; False where it must be presented anew.

    So its pictures keep their addresses, and nothing tells that there was a revision.
    """
    if review is None or clip is None:
        return False
    if not shows_the_same(session, review, sources):
        return False
    join_clip(session, review, clip)
    return True


def shows_the_same(session: Session, review: Review, sources: Sequence[PictureSource]) -> bool:
    """Whether a review shows exactly these pictures, its clip aside."""
    shown = ReviewRepository(session).shown(review)
    wanted = {source.kind: _sealed_hash(source) for source in sources if source.sealed}
    return {kind: sha256 for kind, sha256 in shown.items() if kind != "clip"} == wanted


def join_clip(session: Session, review: Review, clip: LaterClip) -> None:
    """Adds a clip to a review that has none; what waited for it enters the queue."""
    reviews = ReviewRepository(session)
    if "clip" not in reviews.shown(review):
        reviews.add_clip(review, Picture(new_evidence_id(), clip.source, clip.shown_from))
        reviews.bring_forward(review, clip.shown_from)


def _sealed_hash(source: PictureSource) -> Any:
    return source.sealed["sha256_sealed"] if source.sealed else None


def _source(item: EvidenceItem) -> PictureSource:
    return PictureSource("clip", item.width, item.height, item.model_dump())
