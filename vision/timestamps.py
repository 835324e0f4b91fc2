"""Time stamps put on one line that never goes back, whatever a camera's clock does.

A stream's time stamps wrap (33 bits in MPEG-TS, ISO/IEC 13818-1; 32 bits in RTP, RFC 3550), jump when a camera
sets its clock, stand still, or are missing. What follows, tracks and clips, wants time that goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from av.packet import Packet
from av.video.stream import VideoStream

_WRAPS = (1 << 32, 1 << 33)
"""After so many ticks a stream's counter begins again."""

_REORDERED_SECONDS = Fraction(1)
"""So far back is no jump: pictures may be coded out of the order they are shown in, and repeat a time."""

_USUAL_STEP = Fraction(1, 25)


class Timeline:
    """Places raw time stamps of one stream, in order, on a line without jumps.

    A step back of more than a second, or ahead of more than `longest_step_seconds`, is taken for the camera's
    clock and not for time: from there on every time stamp is shifted, so that time goes on by one picture. A
    counter that wraps goes on exactly.

    Attributes:
        rebased_count: shifts made, wraps included.
    """

    def __init__(self, time_base: Fraction, longest_step_seconds: float | None = None) -> None:
        """At the beginning of a stream.

        Args:
            time_base: seconds of one tick.
            longest_step_seconds: more cannot have passed between two packets; None: any time ahead can, as in
                recordings made only while something moves.
        """
        self._time_base = time_base
        self._back = max(1, int(_REORDERED_SECONDS / time_base))
        self._ahead = (
            None if longest_step_seconds is None else int(Fraction(longest_step_seconds) / time_base)
        )
        self._step = max(1, round(_USUAL_STEP / time_base))
        self._shift = 0
        self._latest: int | None = None
        self.rebased_count = 0

    def place(self, ticks: int) -> tuple[int, str | None]:
        """A raw time stamp on the line.

        Returns:
            The time stamp to use, in the same unit; and what the clock did, where it had to be shifted.
        """
        placed = ticks + self._shift
        if self._latest is None:
            self._latest = placed
            return placed, None
        step = placed - self._latest
        problem = None
        if not self._fits(step):
            by, problem = self._rebase(step)
            placed += by
            step += by
        if step > 0:
            self._step = step if problem is None else self._step
            self._latest = placed
        return placed, problem

    def _fits(self, step: int) -> bool:
        return step >= -self._back and (self._ahead is None or step <= self._ahead)

    def _rebase(self, step: int) -> tuple[int, str | None]:
        """The ticks to shift by from now on, and the words for it; a wrap needs none."""
        self.rebased_count += 1
        for wrap in _WRAPS:
            if step < 0 and 0 <= step + wrap <= (self._ahead or wrap // 2):
                self._shift += wrap
                return wrap, None
        by = self._step - step
        self._shift += by
        seconds = float(step * self._time_base)
        direction = "back" if seconds < 0 else "ahead"
        return by, f"the clock jumped {direction} by {abs(seconds):.3f} s; time goes on without it"


_ARRIVAL_TIME_BASE = Fraction(1, 90_000)
"""Of packets timed by when they came."""

_STALL_MARGIN_SECONDS = 5.0
"""How much more than the read time-out may lie between two packets of a camera that did not stall."""


class PacketTimes:
    """Sets the times of one stream's packets before they are decoded, so that pictures and clips agree."""

    def __init__(
        self,
        stream: VideoStream,
        *,
        read_timeout_seconds: float | None,
        untimed: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """At the beginning of a stream.

        Args:
            stream: that the packets come from.
            read_timeout_seconds: of a camera: longer than that no time can have passed; None for a recording.
            untimed: the stream says nothing about time.
            clock: seconds, by which packets of an untimed stream are timed; None: they are given no time.
        """
        longest = None if read_timeout_seconds is None else read_timeout_seconds + _STALL_MARGIN_SECONDS
        self._timeline = Timeline(stream.time_base or _ARRIVAL_TIME_BASE, longest)
        self._untimed = untimed
        self._clock = clock

    @property
    def rebased_count(self) -> int:
        """Shifts made, wraps included."""
        return self._timeline.rebased_count

    def set(self, packet: Packet[VideoStream]) -> str | None:
        """Sets a packet's times; returns what the stream's clock did, where it had to be shifted."""
        if self._untimed:
            packet.time_base = _ARRIVAL_TIME_BASE
            arrived = None if self._clock is None else round(self._clock() / _ARRIVAL_TIME_BASE)
            packet.pts = packet.dts = arrived
            packet.duration = 0
            return None
        raw = packet.pts if packet.dts is None else packet.dts
        if raw is None:
            return None
        placed, problem = self._timeline.place(raw)
        if placed != raw:
            packet.pts = None if packet.pts is None else packet.pts + placed - raw
            packet.dts = None if packet.dts is None else placed
        return problem


class PictureTimes:
    """The times of pictures in the order in which they are shown: never going back, counted on where missing.

    Attributes:
        estimated_count: pictures whose time was missing.
        repeated_count: pictures with the time of the one before, or an earlier one.
    """

    def __init__(self) -> None:
        self._last_seconds: float | None = None
        self.estimated_count = 0
        self.repeated_count = 0

    def seconds_of(self, own_seconds: float | None, fps: float | None) -> float:
        """The time of the next picture.

        Args:
            own_seconds: what the stream says; None where it says nothing.
            fps: pictures a second by which missing times are counted on; None: 25.
        """
        last = self._last_seconds
        if own_seconds is None:
            self.estimated_count += 1
            seconds = 0.0 if last is None else last + 1 / (fps or float(1 / _USUAL_STEP))
        elif last is not None and own_seconds <= last:
            self.repeated_count += 1
            seconds = last
        else:
            seconds = own_seconds
        self._last_seconds = seconds
        return seconds
