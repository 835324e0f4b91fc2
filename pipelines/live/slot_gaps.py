"""A camera's gaps as the supervisor passes them on: none stays open because who began it did not live to end it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from pipelines.live.messages import GapEnded, GapReason
from pipelines.live.reconnect import Gaps


class SlotGaps:
    """Gaps of one camera, told by its decoders one after another, and between them by the supervisor."""

    def __init__(self, camera_id: str, tell: Callable[[GapEnded], None]) -> None:
        """
        Args:
            camera_id: whose.
            tell: takes each message.
        """
        self._camera_id = camera_id
        self._tell = tell
        self._open: dict[datetime, GapEnded] = {}
        self._orphans: dict[datetime, GapEnded] = {}
        self._own: Gaps | None = None

    def pass_on(self, gap: GapEnded) -> None:
        """Hands on what a decoder said."""
        self._orphans.pop(gap.began_at, None)
        self._open.pop(gap.began_at, None)
        if gap.ended_at is None:
            self._open[gap.began_at] = gap
        self._tell(gap)

    def begin(self, reason: GapReason) -> None:
        """No decoder runs; goes on as what it began as."""
        if self._own is None:
            self._own = Gaps(self._camera_id, self.pass_on, time.time())
            self._own.lost(reason)

    def decoder_gone(self) -> None:
        """What it had begun will be ended by the next one's first picture."""
        self._orphans |= self._open
        self._open = {}

    def good(self) -> None:
        """The decoder that runs now gives pictures; what it began itself, it ends itself."""
        if self._own is not None:
            self._own.good(time.time())
            self._own = None
        self._end(self._orphans)

    def end(self) -> None:
        """Nobody looks at this camera any more, or somebody looks at another one in its place."""
        if self._own is not None:
            self._own.good(time.time())
            self._own = None
        self._end(self._orphans)
        self._end(self._open)

    def _end(self, gaps: dict[datetime, GapEnded]) -> None:
        for gap in list(gaps.values()):
            self.pass_on(replace(gap, ended_at=max(datetime.now(UTC), gap.began_at)))
