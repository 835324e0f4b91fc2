"""A line of an issue, the figures that decide it, and the report over all of them."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured.

    Attributes:
        name: what, with its unit where it has one.
        value: what was found.
        target: what was promised, in words a reader can check `value` against.
        passed: whether it holds.
    """

    name: str
    value: Value
    target: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One numbered line of an issue's list of what it must show.

    Attributes:
        number: in the issue.
        title: in a few words.
        measure: does the work; may take minutes.
    """

    number: int
    title: str
    measure: Callable[[], Iterable[Figure]]


@dataclass(frozen=True, slots=True)
class LineResult:
    """What became of a line.

    Attributes:
        elapsed_seconds: of the measurement.
        failure: where in the code the measurement itself ended, if it did; None otherwise.
    """

    number: int
    title: str
    figures: tuple[Figure, ...]
    elapsed_seconds: float
    failure: str | None = None

    @property
    def passed(self) -> bool:
        """Every figure holds, and there is at least one: a line that measured nothing shows nothing."""
        return self.failure is None and bool(self.figures) and all(figure.passed for figure in self.figures)


def at_least(name: str, value: float, bound: float) -> Figure:
    """Holds from `bound` up."""
    return Figure(name, value, f">= {bound:g}", value >= bound)


def at_most(name: str, value: float, bound: float) -> Figure:
    """Holds up to `bound`; a value that is no number does not."""
    return Figure(name, value, f"<= {bound:g}", value <= bound)


def equals(name: str, value: Value, wanted: Value) -> Figure:
    """Holds when both are the same."""
    return Figure(name, value, f"= {wanted}", value == wanted)


def holds(name: str, truth: bool, found: str = "") -> Figure:
    """Holds when it is true; `found` says what was seen where it is not."""
    return Figure(name, "yes" if truth else found or "no", "yes", truth)


def run_lines(lines: Sequence[Line]) -> Iterator[LineResult]:
    """Each line's result as soon as it is there; a line that breaks costs no other one."""
    for line in lines:
        started = time.monotonic()
        figures: list[Figure] = []
        failure = None
        try:
            figures.extend(line.measure())
        except Exception as error:  # noqa: BLE001 - one broken measurement must not hide the other lines
            failure = _where(error)
        yield LineResult(line.number, line.title, tuple(figures), time.monotonic() - started, failure)


def _where(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]} ({place.name}, line {place.lineno})"
