"""A camera's times carried on from one opening to the next, how far its pictures lag behind it, and how many it may
have looked at.

All work on times that are handed in: of the pictures, and of the machine's monotonic clock.
"""

from __future__ import annotations

import math
from enum import Enum


class ContinuedTime:
    """Times of a camera that never fall, across openings and processes: between two, the machine's clock goes on.

    Within an opening the times are the source's own, which bridges jumps of the camera's clock already
    (`vision.timestamps`). Those of a recording pass through.

    Args:
        live: False for a recording.

    Attributes:
        shift_seconds: what is added to the source's own times now.
    """

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._last: tuple[float, float] | None = None
        self._opening = False
        self.shift_seconds = 0.0

    def go_on_after(self, pts_seconds: float, elapsed_seconds: float, now_seconds: float) -> None:
        """Continues the times of a process before this one.

        Args:
            pts_seconds: of its last picture.
            elapsed_seconds: since that.
            now_seconds: monotonic.
        """
        self._last = (pts_seconds, now_seconds - max(0.0, elapsed_seconds))
        self._opening = True

    def open(self) -> None:
        """The next picture is the first of a new opening."""
        self._opening = self._last is not None

    def place(self, pts_seconds: float, now_seconds: float) -> float:
        """The time of a picture.

        Args:
            pts_seconds: as the source says.
            now_seconds: monotonic, when it came.
        """
        if not self._live:
            return pts_seconds
        if self._last is None:
            placed = pts_seconds
        else:
            last, at_seconds = self._last
            if self._opening:
                self.shift_seconds = last + max(0.0, now_seconds - at_seconds) - pts_seconds
            placed = max(last, pts_seconds + self.shift_seconds)
        self._opening = False
        self._last = (placed, now_seconds)
        return placed


class Allowance:
    """The looks a camera may ask for by the machine's clock, however fast its own time runs.

    A source that sends an hour in a minute is asked sixty times as often as was configured, by its own times.

    Args:
        per_second: looks; None for as many as come.
    """

    BURST = 3.0
    """Looks at once: what a network held back comes together."""
    TOLERANCE = 1.1
    """Clocks of cameras run faster than ours by parts in ten thousand; those of bad ones by a little more."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = None if per_second is None else self.TOLERANCE * per_second
        self._left = self.BURST
        self._at_seconds: float | None = None

    def take(self, now_seconds: float) -> bool:
        """Whether there is a look left; it is taken.

        Args:
            now_seconds: monotonic.
        """
        if self._per_second is None:
            return True
        if self._at_seconds is not None:
            self._left = min(self.BURST, self._left + (now_seconds - self._at_seconds) * self._per_second)
        self._at_seconds = now_seconds
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Pace(Enum):
    """How a camera is kept up with."""

    KEPT = "kept"
    LATE = "late"
    """The picture is old: newer ones wait already."""
    HOPELESS = "hopeless"
    """Decoding alone is too slow: go on at a later key frame."""


class Backlog:
    """Notices when pictures wait to be decoded, by how much later they come than the timeliest did.

    A camera whose way has become longer is late for good, and yet nothing waits. That shows in the time spent
    waiting for it: while we wait most of the time, what counts as timely follows slowly.

    Attributes:
        late_seconds: how much later than a timely one the last picture came.
    """

    LATE_SECONDS = 1.0
    HOPELESS_AFTER_SECONDS = 2.0
    _SHARE_SECONDS = 1.0
    _MOSTLY = 0.5
    _FOLLOW = 0.2
    _LONGEST_STEP_SECONDS = 0.5
    """A single picture after a silence says nothing of the way."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A new opening."""
        self.late_seconds = 0.0
        self._timely: float | None = None
        self._last_seconds: float | None = None
        self._waited_share = 1.0
        self._late_from: tuple[float, float] | None = None

    def see(self, pts_seconds: float, waited_seconds: float, now_seconds: float) -> Pace:
        """Takes a picture in.

        Args:
            pts_seconds: as placed.
            waited_seconds: for its packet, before there was anything to decode.
            now_seconds: monotonic.
        """
        offset = now_seconds - pts_seconds
        span = now_seconds - self._last_seconds if self._last_seconds is not None else 0.0
        self._last_seconds = now_seconds
        if span > 0:
            weight = 1 - math.exp(-span / self._SHARE_SECONDS)
            self._waited_share += (min(1.0, waited_seconds / span) - self._waited_share) * weight
        if self._timely is None or offset < self._timely:
            self._timely = offset
        elif self._waited_share > self._MOSTLY:
            self._timely += min(offset - self._timely, self._FOLLOW * min(span, self._LONGEST_STEP_SECONDS))
        self.late_seconds = offset - self._timely
        return self._pace(now_seconds)

    def timely_pts_seconds(self, now_seconds: float) -> float:
        """The time of a picture that would come without delay now."""
        return now_seconds - (self._timely or 0.0)

    def _pace(self, now_seconds: float) -> Pace:
        late_seconds = self.late_seconds
        if late_seconds <= self.LATE_SECONDS:
            self._late_from = None
            return Pace.KEPT
        if self._late_from is None:
            self._late_from = (now_seconds, late_seconds)
        since, late_then = self._late_from
        # Passing pictures over at once makes up for a pause within moments, unless decoding them is too much.
        if now_seconds - since < self.HOPELESS_AFTER_SECONDS or late_seconds < late_then / 2:
            return Pace.LATE
        self._late_from = None
        return Pace.HOPELESS
