"""When a lost camera is tried again, and the stretches of time in which it gave nothing to look at."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from pipelines.live.messages import GapEnded, GapReason
from vision.luma import Grey

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 5.0
"""A camera is back within ten seconds of its return: five to the next attempt, the rest to open it and reach a key
frame. Waiting longer the longer it is away, as usual elsewhere, would spare an attempt now and then, which costs
nothing, and miss who walks by."""

LONGEST_REFUSED_SECONDS = 30.0
"""Who is refused a password asks seldom: cameras lock accounts that try too often."""


class Backoff:
    """How long to wait before the next attempt: twice as long each time, with jitter, up to a limit.

    Jitter takes up to half of each wait away, so that cameras lost together do not come back together. An
    attempt that took long has been waited for already.

    Args:
        chance: where the jitter comes from.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._next_seconds = FIRST_WAIT_SECONDS

    def reset(self) -> None:
        """It worked: the next wait is short again."""
        self._next_seconds = FIRST_WAIT_SECONDS

    def wait_seconds(self, attempt_seconds: float, *, refused: bool = False) -> float:
        """How long to wait from now on, after an attempt that failed.

        Args:
            attempt_seconds: how long it took.
            refused: the camera answered and does not let us in.
        """
        longest = LONGEST_REFUSED_SECONDS if refused else LONGEST_WAIT_SECONDS
        wanted = min(self._next_seconds, longest) * self._chance.uniform(0.5, 1.0)
        self._next_seconds = min(2 * self._next_seconds, LONGEST_REFUSED_SECONDS)
        return wanted if refused else max(wanted - attempt_seconds, FIRST_WAIT_SECONDS / 2)


@dataclass(frozen=True, slots=True)
class Loss:
    """Why an opening ended.

    Attributes:
        reason: of the gap it begins.
        detail: in words free of credentials.
    """

    reason: GapReason
    detail: str


class Gaps:
    """Tells of a camera's gaps as they begin and end.

    A gap begins when the last good picture came, or with this object, and is told of once it is known.

    Args:
        camera_id: whose.
        tell: takes each message.
        began_seconds: Unix time as of now.
    """

    def __init__(self, camera_id: str, tell: Callable[[GapEnded], None], began_seconds: float) -> None:
        self._camera_id = camera_id
        self._tell = tell
        self._last_good_seconds = began_seconds
        self._open: tuple[float, GapReason] | None = None

    @property
    def open_reason(self) -> GapReason | None:
        """Of the gap that lasts; None where the camera gives pictures."""
        return self._open[1] if self._open else None

    def good(self, at_seconds: float) -> None:
        """A picture worth looking at came."""
        self._end(at_seconds)
        self._last_good_seconds = at_seconds

    def lost(self, reason: GapReason) -> None:
        """No more pictures come. A gap that lasts goes on as what it began as."""
        if self._open is None:
            self._begin(self._last_good_seconds, reason)

    def frozen(self, since_seconds: float) -> None:
        """Pictures come, all alike since then; `good` ends it."""
        if self._open is None:
            self._begin(since_seconds, "frozen")

    def _begin(self, began_seconds: float, reason: GapReason) -> None:
        self._open = (began_seconds, reason)
        self._tell(GapEnded(self._camera_id, _utc(began_seconds), None, reason))

    def _end(self, ended_seconds: float) -> None:
        if self._open is None:
            return
        began_seconds, reason = self._open
        self._open = None
        # The machine's clock may have been set back meanwhile; no gap ends before it began.
        ended_seconds = max(began_seconds, ended_seconds)
        self._tell(GapEnded(self._camera_id, _utc(began_seconds), _utc(ended_seconds), reason))


class FrozenPictures:
    """Notices a camera that sends the same picture again and again.

    A lens sees noise, and coding it anew at the next key frame changes it as well: no live picture equals
    another to the last pixel for long.

    Args:
        seconds: alike for so long is frozen; None: never.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._last: Grey | None = None
        self._since_seconds = 0.0

    @property
    def watching(self) -> bool:
        """Whether it wants to see pictures at all."""
        return self._seconds is not None

    def reset(self) -> None:
        """A new opening."""
        self._last = None

    def see(self, grey: Grey, at_seconds: float) -> float | None:
        """Takes the next picture.

        Args:
            grey: (H, W) uint8.
            at_seconds: when it came; never falling.

        Returns:
            Since when all pictures were alike, where that is frozen; None where it is not.
        """
        alike = self._last is not None and np.array_equal(self._last, grey)
        if not alike:
            self._last, self._since_seconds = grey, at_seconds
        if self._seconds is None or at_seconds - self._since_seconds < self._seconds:
            return None
        return self._since_seconds


def _utc(unix_seconds: float) -> datetime:
    return datetime.fromtimestamp(unix_seconds, UTC)
