"""A polygon is one simple outline within the picture, or it is refused and says why."""

from __future__ import annotations

import math

import pytest

from vision.errors import MaskError
from vision.polygons import MAX_POINTS, Point, Polygon

SQUARE: tuple[Point, ...] = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5))


def ring(count: int) -> tuple[Point, ...]:
    """Corners on a circle."""
    return tuple(
        (0.5 + 0.4 * math.cos(2 * math.pi * i / count), 0.5 + 0.4 * math.sin(2 * math.pi * i / count))
        for i in range(count)
    )


@pytest.mark.parametrize(
    "points",
    [
        SQUARE,
        SQUARE[::-1],
        ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
        ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.2), (0.1, 0.9)),
        ring(MAX_POINTS),
    ],
    ids=["square", "the other way round", "whole picture", "notched", "64 corners"],
)
def test_simple_outlines_are_taken(points: tuple[Point, ...]) -> None:
    assert Polygon(points).points == points


@pytest.mark.parametrize(
    ("points", "why"),
    [
        (SQUARE[:2], "3 to 64"),
        (ring(MAX_POINTS + 1), "3 to 64"),
        ((*SQUARE[:3], (0.1, 1.01)), "corner 4"),
        ((*SQUARE[:3], (-0.01, 0.5)), "corner 4"),
        ((*SQUARE[:3], (math.nan, 0.5)), "corner 4"),
        ((*SQUARE[:3], (math.inf, 0.5)), "corner 4"),
        (((0.1, 0.1), (0.5, 0.5), (0.5, 0.1), (0.1, 0.5)), "sides 1 and 3"),
        (((0.1, 0.1), (0.9, 0.1), (0.5, 0.5), (0.5, 0.1), (0.1, 0.9)), "meet"),
        (((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.1), (0.1, 0.9)), "meet"),
        ((SQUARE[0], SQUARE[0], *SQUARE[1:]), "corner 2"),
        ((*SQUARE, SQUARE[0]), "corner 1"),
        (((0.1, 0.1), (0.2, 0.2), (0.3, 0.3)), "on a line"),
        (((0.1, 0.1), (0.1001, 0.1), (0.1001, 0.1001)), "on a line"),
    ],
    ids=[
        "two corners", "65 corners", "below the picture", "left of it", "not a number", "endless", "bow tie",
        "touching a side", "touching with a corner", "a corner twice", "closed by hand", "flat", "a speck",
    ],
)  # fmt: skip
def test_anything_else_is_refused(points: tuple[Point, ...], why: str) -> None:
    with pytest.raises(MaskError, match=why):
        Polygon(points)


def test_area_is_a_share_of_the_picture() -> None:
    assert Polygon(SQUARE).area == pytest.approx(0.16)
    assert Polygon(SQUARE[::-1]).area == pytest.approx(0.16)
