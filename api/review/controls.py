"""When a control is mixed in, and how it is made to look like any other candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from api.review.cases import Answer, Truth
from api.review.policies import ReviewPolicy

LATENCY_SPREAD: Final = 0.5
"""A control's time from camera to queue is its neighbour's, give or take half of this share of it."""

GAPS: Final = 10
"""A control lies within so many usual gaps between candidates: in fewer than one case in twenty thousand (e⁻¹⁰) is a
gap so long that what ends it cannot be a control."""

DAYTIME_SPREAD: Final = timedelta(hours=3)
"""How far the time of day of a control's picture may be from now: night does not look like noon."""


class ControlSource(StrEnum):
    """Where a control's pictures come from."""

    LIBRARY = "library"
    REJECTED = "rejected"
    TEST_LIST = "test_list"


class Mark(StrEnum):
    """What an answer to a control is worth."""

    RIGHT = "right"
    WRONG = "wrong"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The real candidate beside which a control is mixed in.

    Attributes:
        deployment_id: under which it was found.
        camera_id: the camera; a control beside it shows the same one.
        observed_at: None where its source has no known start.
        is_live: whether a live camera saw it; else it is of a recording.
        pts_seconds: on the source's clock.
        frame_index: of its frame in the source, 0-based.
        frame_accounting: of the source up to it, JSON values.
        queued_at: when it enters the queue, as candidates of its camera do: with their clip.
    """

    deployment_id: str
    camera_id: str
    observed_at: datetime | None
    is_live: bool
    pts_seconds: float
    frame_index: int
    frame_accounting: Mapping[str, Any]
    queued_at: datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """When a control claims to have been seen.

    Attributes:
        observed_at: aware; None where the neighbour's is not known.
        pts_seconds: on the source's clock.
        shift_seconds: how far that is from the item's own time.
        frame_accounting: of the source up to then.
    """

    observed_at: datetime | None
    pts_seconds: float
    shift_seconds: float
    frame_accounting: dict[str, Any]


def wants_control(policy: ReviewPolicy, *, queued_before: int, draw: float) -> bool:
    """Whether a control goes into the queue beside the real candidate that just arrived.

    Args:
        policy: the share of the queue that are controls.
        queued_before: controls made so far.
        draw: a number from [0, 1), drawn afresh.
    """
    if policy.control_first and queued_before == 0:
        return True
    share = policy.control_share
    return draw < (share / (1.0 - share) if share < 1.0 else 1.0)


def queue_moment(
    policy: ReviewPolicy, beside: datetime, draw: float, usual_gap: timedelta | None = None
) -> datetime:
    """When the control enters the queue: a random moment after its neighbour, so that no pair of times gives it away.

    Where candidates are few, what soon follows one would be a control. So the moment lies within so many usual gaps
    that the control comes independently of the candidate it was decided beside.

    Args:
        policy: the least time within which it lies.
        beside: when its neighbour enters the queue.
        draw: a number from [0, 1), drawn afresh.
        usual_gap: between the camera's candidates; None where that is not known, or the control must come soon.
    """
    within = policy.control_spread if usual_gap is None else max(policy.control_spread, usual_gap * GAPS)
    return beside + within * draw


def seen_like(
    neighbour: Neighbour,
    pts_seconds: float,
    frame_accounting: Mapping[str, Any],
    queued_at: datetime,
    draw: float,
) -> Moment:
    """When a control claims to have been seen, on the clock of the real candidate beside it.

    Of a recording the picture keeps its own place. On a live camera it is a moment before the control enters the
    queue, as long before as candidates take, on the grid of the frames the models see, and the counts of frames have
    grown until then as they do: an old time or a stale count would tell.

    Args:
        neighbour: the real candidate.
        pts_seconds: of the control's picture.
        frame_accounting: of its source up to that picture.
        queued_at: when the control enters the queue.
        draw: a number from [0, 1), drawn afresh.
    """
    if not neighbour.is_live or neighbour.observed_at is None:
        offset = timedelta(seconds=pts_seconds - neighbour.pts_seconds)
        observed_at = None if neighbour.observed_at is None else neighbour.observed_at + offset
        return Moment(observed_at, pts_seconds, 0.0, dict(frame_accounting))
    latency = max(0.0, (neighbour.queued_at - neighbour.observed_at).total_seconds())
    later = (queued_at - neighbour.queued_at).total_seconds() - latency * LATENCY_SPREAD * (draw - 0.5)
    step = _frames_per_look(neighbour.frame_accounting)
    frame_seconds = neighbour.pts_seconds / neighbour.frame_index if neighbour.frame_index else 0.0
    looks = _looks(later, step * frame_seconds)
    moved = looks * step * frame_seconds
    return Moment(
        neighbour.observed_at + timedelta(seconds=moved),
        neighbour.pts_seconds + moved,
        neighbour.pts_seconds + moved - pts_seconds,
        _grown(neighbour.frame_accounting, looks, step),
    )


def _looks(seconds: float, interval: float) -> int:
    """Looks of the models in so much time; never none, as two pictures of one moment would tell."""
    looks = round(seconds / interval) if interval > 0 else 0
    return looks or 1


def _frames_per_look(accounting: Mapping[str, Any]) -> int:
    """Of how many frames one reaches gate and models."""
    looked_at = accounting["inferred"] + accounting["gated"]
    return max(1, round((looked_at + accounting["not_sampled"]) / looked_at)) if looked_at else 1


def _grown(accounting: Mapping[str, Any], looks: int, step: int) -> dict[str, Any]:
    """The counts after so many looks more (or fewer), gated and inferred in the proportion there was."""
    looked_at = accounting["inferred"] + accounting["gated"]
    inferred = round(looks * accounting["inferred"] / looked_at) if looked_at else looks
    more = {
        "read": looks * step,
        "decoded": looks * step,
        "not_sampled": looks * (step - 1),
        "inferred": inferred,
        "gated": looks - inferred,
    }
    grown = {name: accounting[name] + count for name, count in more.items()}
    return dict(accounting) if min(grown.values()) < 0 else {**accounting, **grown}


def fits_time_of_day(taken_at: datetime | None, now: datetime) -> bool:
    """Whether a picture of that time may be shown as one of now; one of unknown time may."""
    if taken_at is None:
        return True
    apart = (now - taken_at) % timedelta(days=1)
    return min(apart, timedelta(days=1) - apart) <= DAYTIME_SPREAD


def mark(truth: Truth, answer: Answer) -> Mark:
    """What an answer to a control is worth; doubt contradicts nothing."""
    if answer is Answer.CANNOT_TELL:
        return Mark.DOUBT
    return Mark.RIGHT if (answer is Answer.SAME_PERSON) == (truth is Truth.SAME) else Mark.WRONG


def is_doubtful(source: ControlSource, marks: list[Mark]) -> bool:
    """Whether the truth of a control is in doubt, and not its judges.

    A rejected probe is paired with somebody it resembles less than the threshold asks: a stranger, unless the search
    missed somebody. Two people who both see the same person there may have found just that.
    """
    return source is ControlSource.REJECTED and len(marks) > 1 and set(marks) == {Mark.WRONG}
