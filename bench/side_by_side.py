"""Two ways of doing one thing, timed in turn, so that whatever else the machine does hits both."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one call costs on either side when nothing else is in its way: the fastest twentieth of the rounds.

    A call takes longer when the machine does something else meanwhile, and never shorter; what the fastest
    rounds take is the code's own.

    Attributes:
        rounds: of each side.
        ours_us: microseconds of our call.
        bare_us: microseconds of the call under it.
    """

    rounds: int
    ours_us: float
    bare_us: float

    @property
    def ratio(self) -> float:
        """Ours by bare."""
        return self.ours_us / self.bare_us

    @property
    def extra_us(self) -> float:
        """Ours less bare."""
        return self.ours_us - self.bare_us

    def document(self) -> dict[str, float]:
        """As JSON values."""
        return {**asdict(self), "ratio": self.ratio, "extra_us": self.extra_us}


def compare(ours: Callable[[], object], bare: Callable[[], object], rounds: int) -> Comparison:
    """Both in turn, after one round that is not counted; who begins changes from round to round.

    Args:
        ours: one call of our own.
        bare: one call of what lies under it.
        rounds: at least 1.
    """
    _timed_us(bare), _timed_us(ours)
    ours_us, bare_us = [], []
    for number in range(rounds):
        if number % 2:
            ours_us.append(_timed_us(ours))
            bare_us.append(_timed_us(bare))
        else:
            bare_us.append(_timed_us(bare))
            ours_us.append(_timed_us(ours))
    return Comparison(rounds, _fastest(ours_us), _fastest(bare_us))


@contextmanager
def one_core() -> Iterator[None]:
    """Everything this process does on one core, where the system lets a process say so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _fastest(values: list[float]) -> float:
    return sorted(values)[len(values) // 20]


def _timed_us(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e6
