"""How people are called who are needed now: one seam, behind which outlets may stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import structlog

PAGE_SCHEMA = "aiqyn.page/1"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """A call for people. Names nobody, and no candidate.

    Attributes:
        kind: what for.
        since: since when.
        on_duty: operators on duty.
    """

    kind: Literal["understaffed"]
    since: datetime
    on_duty: int


class Pager(Protocol):
    """Calls people."""

    def page(self, page: Page) -> None:
        """Sends a call on its way; never raises for want of a listener."""


class LogPager:
    """Calls through the log, which whatever watches this machine reads."""

    def page(self, page: Page) -> None:
        """An error in the log."""
        _log.error(
            "paged", schema=PAGE_SCHEMA, kind=page.kind, since=page.since.isoformat(), on_duty=page.on_duty
        )
