"""A gap as it is kept, told and stored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

MAX_REASON_CHARACTERS: Final = 64
EARLIEST_YEAR: Final = 1970
LATEST_YEAR: Final = 2200
"""Further out some arithmetic on times fails, and whoever says so is wrong or means harm."""


@dataclass(frozen=True, slots=True)
class GapRecord:
    """One gap.

    Attributes:
        number: grows by one with each gap of a camera in one log.
        began_at: UTC.
        ended_at: UTC; None while it lasts.
        reason: one of those in docs/live.md.
        ended_by_restart: whether nobody saw its end: the worker died in it, and `ended_at` is when the next began.
    """

    number: int
    began_at: datetime
    ended_at: datetime | None
    reason: str
    ended_by_restart: bool = False

    def document(self) -> dict[str, Any]:
        """As it is told and stored."""
        ended = None if self.ended_at is None else self.ended_at.isoformat()
        return asdict(self) | {"began_at": self.began_at.isoformat(), "ended_at": ended}


def read_gap(document: Any) -> GapRecord:
    """The gap in a document that was told or stored.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    ended = document["ended_at"]
    number, reason, restart = document["number"], document["reason"], document["ended_by_restart"]
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**31:
        raise ValueError("a gap's number is none")
    if not isinstance(reason, str) or not isinstance(restart, bool):
        raise TypeError("a gap's reason is none")
    if not reason.isprintable() or len(reason) > MAX_REASON_CHARACTERS:
        raise ValueError("a gap's reason is no word")  # half of a surrogate pair, which no database takes
    began_at, ended_at = parse_moment(document["began_at"]), None if ended is None else parse_moment(ended)
    if ended_at is not None and ended_at < began_at:
        raise ValueError("a gap ends before it began")
    return GapRecord(number, began_at, ended_at, reason, restart)


def parse_moment(text: Any) -> datetime:
    """A time in UTC out of RFC 3339 text; raises ValueError or TypeError where there is none of our days."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise ValueError("a time at which there were no cameras")
    return moment.astimezone(UTC)
