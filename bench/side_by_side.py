"""Two ways of doing one thing, timed in turn, so that whatever else the machine does hits both."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one call costs on either side.

    Attributes:
        rounds: of each side.
        ours_us: median microseconds of our call.
        bare_us: median microseconds of the call under it.
        ratio: median of the rounds' own ratios, ours by bare.
        extra_us: median of the rounds' own differences, ours less bare.
    """

    rounds: int
    ours_us: float
    bare_us: float
    ratio: float
    extra_us: float


def compare(ours: Callable[[], object], bare: Callable[[], object], rounds: int) -> Comparison:
    """Both in turn, after one round that is not counted; who begins changes from round to round.

    Args:
        ours: one call of our own.
        bare: one call of what lies under it.
        rounds: at least 1.
    """
    _timed_us(bare), _timed_us(ours)
    pairs = []
    for number in range(rounds):
        if number % 2:
            ours_us, bare_us = _timed_us(ours), _timed_us(bare)
        else:
            bare_us, ours_us = _timed_us(bare), _timed_us(ours)
        pairs.append((ours_us, bare_us))
    return Comparison(
        rounds=rounds,
        ours_us=median(ours_us for ours_us, _ in pairs),
        bare_us=median(bare_us for _, bare_us in pairs),
        ratio=median(ours_us / bare_us for ours_us, bare_us in pairs),
        extra_us=median(ours_us - bare_us for ours_us, bare_us in pairs),
    )


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


def _timed_us(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e6
