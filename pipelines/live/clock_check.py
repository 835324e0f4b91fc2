"""Whether this machine's clock can be trusted, and how far it may be off.

Every time a candidate carries is read from this clock, so a clock nothing keeps in step is said, not hidden. The
kernel knows whether something steers it: adjtimex(2), the call every NTP program uses, tells the state and the bound
on the error that the program last gave, which the kernel itself lets grow until it is renewed. A clock that was set
by hand shows as a jump against one that nobody can set.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

JUMP_SECONDS: Final = 0.5
"""What NTP programs step by at least; they slew what is less (chrony's and ntpd's usual limits lie at 0.1 to 1 s)."""

JUMP_REMEMBERED_SECONDS: Final = 600.0
"""So long the size of a jump counts as uncertainty: nobody knows which side of it was right."""

_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5
_REFUSED: Final = (errno.EPERM, errno.ENOSYS, errno.EINVAL)

_log = structlog.get_logger(__name__)


class _Timex(ctypes.Structure):
    """The beginning of struct timex of adjtimex(2), and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


@dataclass(frozen=True, slots=True)
class KernelClock:
    """What the kernel says of its clock.

    Attributes:
        synchronised: whether a program keeps it in step with a reference.
        max_error_seconds: how far it is off at most, as that program says; means nothing without one.
    """

    synchronised: bool
    max_error_seconds: float


@dataclass(frozen=True, slots=True)
class ClockState:
    """How far the clock can be trusted.

    Attributes:
        synchronised: None where the system does not say.
        uncertainty_seconds: how far it may be off; None where nothing bounds that.
        jumps: times it was set by more than `JUMP_SECONDS`, since this process began to look.
        last_jump_seconds: by how much, above 0 forwards; 0 where it never was.
    """

    synchronised: bool | None
    uncertainty_seconds: float | None
    jumps: int = 0
    last_jump_seconds: float = 0.0

    @property
    def problem(self) -> str | None:
        """What is wrong, in a line; None where nothing is."""
        if self.synchronised is None:
            return "the system does not say whether its clock is synchronised"
        if not self.synchronised:
            return "the clock is not synchronised: times of candidates may be wrong by any amount"
        return None


def read_kernel_clock() -> KernelClock | None:
    """The kernel's own word; None where the system has none, or does not let this process ask."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    timex = _Timex()  # modes 0: asks, changes nothing
    state = libc.adjtimex(ctypes.byref(timex))
    if state < 0:
        number = ctypes.get_errno()
        if number not in _REFUSED:
            _log.warning("clock_not_known", reason=os.strerror(number))
        return None
    synchronised = state != _TIME_ERROR and not timex.status & _STA_UNSYNC
    return KernelClock(synchronised, timex.maxerror / 1e6)  # microseconds, whatever STA_NANO says of `offset`


def unsettable_seconds() -> float:
    """A clock that nobody can set and that goes on while the machine sleeps, in seconds since some moment."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class ClockCheck:
    """Looks at the clock whenever it is asked to; safe to use from several threads."""

    def __init__(
        self,
        *,
        kernel: Callable[[], KernelClock | None] = read_kernel_clock,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = unsettable_seconds,
    ) -> None:
        """
        Args:
            kernel: what the kernel says.
            wall: the clock that is looked at, Unix seconds.
            steady: a clock nobody sets, seconds.
        """
        self._kernel = kernel
        self._wall = wall
        self._steady = steady
        self._mutex = threading.Lock()
        self._between = wall() - steady()
        self._jumps = 0
        self._last_jump_seconds = 0.0
        self._recent: deque[tuple[float, float]] = deque()
        self._state = self._judged(kernel(), steady())
        self._told: str | None = None
        self._tell()

    @property
    def state(self) -> ClockState:
        """As of the last look."""
        return self._state

    def uncertainty_seconds(self) -> float | None:
        """How far the clock may be off, as of the last look; None where nothing bounds that."""
        return self._state.uncertainty_seconds

    def look(self) -> ClockState:
        """Looks again; call it about once a second. What changed for the worse is logged."""
        with self._mutex:
            steady = self._steady()
            between = self._wall() - steady
            jump, self._between = between - self._between, between
            if abs(jump) > JUMP_SECONDS:
                self._jumps += 1
                self._last_jump_seconds = jump
                self._recent.append((steady, abs(jump)))
                _log.warning("clock_jumped", seconds=round(jump, 3))
            while self._recent and steady - self._recent[0][0] > JUMP_REMEMBERED_SECONDS:
                self._recent.popleft()
            self._state = self._judged(self._kernel(), steady)
            self._tell()
        return self._state

    def _judged(self, kernel: KernelClock | None, steady: float) -> ClockState:
        uncertainty = None
        if kernel is not None and kernel.synchronised:
            jumped = sum(size for at, size in self._recent if steady - at <= JUMP_REMEMBERED_SECONDS)
            uncertainty = kernel.max_error_seconds + jumped
        synchronised = None if kernel is None else kernel.synchronised
        return ClockState(synchronised, uncertainty, self._jumps, self._last_jump_seconds)

    def _tell(self) -> None:
        problem = self._state.problem
        if problem is not None and problem != self._told:
            _log.warning("clock_not_trusted", reason=problem)
        elif problem is None and self._told is not None:
            _log.info("clock_trusted", uncertainty_seconds=self._state.uncertainty_seconds)
        self._told = problem
