"""When a control is mixed in, and how it is made to look like any other candidate."""

from __future__ import annotations

from datetime import datetime, timedelta

from api.review.policies import ReviewPolicy


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


def queue_moment(policy: ReviewPolicy, now: datetime, draw: float) -> datetime:
    """When the control enters the queue: a random moment, so that no pair of times gives it away."""
    return now + policy.control_spread * draw


def observed_like(
    neighbour_observed_at: datetime | None, neighbour_pts_seconds: float, pts_seconds: float
) -> datetime | None:
    """When a control claims to have been seen, on the clock of the real candidate beside it.

    Args:
        neighbour_observed_at: of the real candidate; None where its source has no known start.
        neighbour_pts_seconds: of the real candidate.
        pts_seconds: of the control's picture.
    """
    if neighbour_observed_at is None:
        return None
    return neighbour_observed_at + timedelta(seconds=pts_seconds - neighbour_pts_seconds)
