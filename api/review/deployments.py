"""Where, when and for what a list is searched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from api.review.errors import RecordError
from api.review.watchlists import check_two_people

MAX_DEPLOYMENT_AGE: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class DeploymentTerms:
    """A deployment as it was ordered.

    Attributes:
        deployment_id: its id.
        watchlist_id: the list it searches.
        camera_ids: the cameras it searches on, and no others.
        purpose: what for.
        requested_by: who asked.
        authorised_by: who allowed it; somebody else.
        starts_at: aware, UTC.
        ends_at: aware, UTC; not included.
        place: in words, where the cameras stand; empty where their ids say it.
    """

    deployment_id: str
    watchlist_id: str
    camera_ids: frozenset[str]
    purpose: str
    requested_by: str
    authorised_by: str
    starts_at: datetime
    ends_at: datetime
    place: str = ""

    def covers(self, camera_id: str, at: datetime) -> bool:
        """Whether the list may be searched on this camera at this time."""
        return camera_id in self.camera_ids and self.starts_at <= at < self.ends_at


def check_deployment(terms: DeploymentTerms, now: datetime | None = None) -> None:
    """Lets through a deployment that says who, where, what for, from when and until when.

    Args:
        now: where given, a deployment that is over is refused.

    Raises:
        RecordError: says what is missing or too long.
    """
    check_two_people(terms.requested_by, terms.authorised_by)
    if not terms.camera_ids:
        raise RecordError("a deployment names at least one camera")
    if not terms.purpose.strip():
        raise RecordError("the deployment's purpose is missing")
    check_period(terms.starts_at, terms.ends_at, now)


def check_period(starts_at: datetime, ends_at: datetime, now: datetime | None = None) -> None:
    """Lets through a period that is one, and not longer than the ceiling.

    Args:
        now: where given, a period that is over is refused.

    Raises:
        RecordError: it ends before it begins, lasts too long, or is over.
    """
    if ends_at <= starts_at:
        raise RecordError("the deployment ends before it begins")
    if ends_at - starts_at > MAX_DEPLOYMENT_AGE:
        raise RecordError(f"the deployment lasts more than {MAX_DEPLOYMENT_AGE.days} days")
    if now is not None and ends_at <= now:
        raise RecordError("the deployment would be over already")
