"""Polygons as people draw them on a picture, in parts of its width and height."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

from vision.errors import MaskError

Point: TypeAlias = tuple[float, float]
"""x and y, 0 to 1 from the left and top edge of the upright picture."""

MIN_POINTS, MAX_POINTS = 3, 64
_MIN_AREA = 1e-6
"""Share of the picture; a polygon without area is a slip of the mouse and would mask nothing."""


@dataclass(frozen=True, slots=True)
class Polygon:
    """A simple polygon on a picture, closed by itself.

    Attributes:
        points: 3 to 64 corners (x, y), each 0 to 1, in order along the outline.

    Raises:
        MaskError: too few or too many corners, one that is not finite or outside the picture, an outline that
            crosses or touches itself, or no area.
    """

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if not MIN_POINTS <= len(self.points) <= MAX_POINTS:
            raise MaskError(f"a polygon has {MIN_POINTS} to {MAX_POINTS} corners, got {len(self.points)}")
        for number, (x, y) in enumerate(self.points, 1):
            if not (math.isfinite(x) and math.isfinite(y) and 0 <= x <= 1 and 0 <= y <= 1):
                raise MaskError(f"corner {number} of a polygon must lie within 0 to 1, got ({x}, {y})")
        for number, (corner, before) in enumerate(
            zip(self.points, (self.points[-1], *self.points), strict=False), 1
        ):
            if corner == before:
                raise MaskError(f"corner {number} of a polygon repeats the one before it: leave it out")
        crossing = _first_crossing(self.points)
        if crossing is not None:
            raise MaskError(
                f"sides {crossing[0] + 1} and {crossing[1] + 1} of a polygon meet; what would lie within is unclear: "
                "draw two polygons"
            )
        if self.area < _MIN_AREA:
            raise MaskError("a polygon covers nothing: its corners lie on a line")

    @property
    def area(self) -> float:
        """Share of the picture it covers."""
        ends = (*self.points[1:], self.points[0])
        return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(self.points, ends, strict=True))) / 2


def _first_crossing(corners: Sequence[Point]) -> tuple[int, int] | None:
    """Two sides that are no neighbours and meet; None where the outline is simple."""
    count = len(corners)
    sides = [(corners[place], corners[(place + 1) % count]) for place in range(count)]
    for first, second in combinations(range(count), 2):
        neighbours = second - first in (1, count - 1)
        if not neighbours and _meet(*sides[first], *sides[second]):
            return first, second
    return None


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the stretches a–b and c–d have a point in common."""
    turns = (_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b))
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(turn == 0 and _between(*end) for turn, end in zip(turns, ends, strict=True))


def _turn(a: Point, b: Point, c: Point) -> float:
    """Above 0 where c lies on one side of the line through a and b, below on the other, 0 on it."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _between(a: Point, b: Point, c: Point) -> bool:
    """Whether c, on the line through a and b, lies between them."""
    in_x = min(a[0], b[0]) <= c[0] <= max(a[0], b[0])
    return in_x and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])
