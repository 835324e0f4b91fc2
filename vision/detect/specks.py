"""Specks of change from picture to picture: which of them go on, and which only come and go."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vision.types import Bool, Int64

_CHANCE = 1e-3
"""Motion is what chance would show less than so many times a picture."""

_SIZE_CLASSES = 16
"""Of specks, by powers of two of their pixels."""

_LEARN_SECONDS = 20.0
"""Over which specks that come and go are counted."""

_FEWEST = 0.02
"""Specks of one pixel expected in a picture where none were seen: one in ten seconds at five pictures a second …"""

_FEWER_WITH_SIZE = 0.5
"""… and by so much fewer with every doubling of their size: what is large is motion the first time it is seen."""

_SAME_SIZE_CLASSES = 2
"""A speck goes on as one at most four times larger or smaller."""

_BRIEF = 8
"""A speck that is gone after so many pictures at most only came and went."""

_REACH_PX_PER_SECOND = 20.0
_LEAST_REACH_PX, _MOST_REACH_PX = 3.0, 40.0
"""How far beside itself a speck is looked for in the next picture: people near by are large and overlap
themselves, those far away are slow."""

_MOST_SPECKS = 300
"""The largest so many are looked at."""

_CLOSING = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Moving:
    """What moves in one picture.

    Attributes:
        xyxy: (N, 4) int64, boxes around it, whole pixels.
        pixels: how many of them move.
    """

    xyxy: Int64
    pixels: int

    def __bool__(self) -> bool:
        return self.pixels > 0


NOTHING = Moving(np.zeros((0, 4), np.int64), 0)


class Specks:
    """The specks of one camera."""

    def __init__(self) -> None:
        self._boxes: Int64 = np.zeros((0, 4), np.int64)
        self._classes: Int64 = np.zeros(0, np.int64)
        self._lengths: Int64 = np.zeros(0, np.int64)
        self._fewest = _FEWEST * _FEWER_WITH_SIZE ** np.arange(_SIZE_CLASSES)
        self._expected = self._fewest.copy()

    def update(self, changed: Bool, elapsed_seconds: float, least_px: float) -> Moving:
        """Those specks that are motion.

        Args:
            changed: (H, W), True where something changed.
            elapsed_seconds: since the picture before.
            least_px: smaller specks are none.
        """
        boxes, areas = _specks(changed, least_px)
        classes = _size_class(areas)
        reach = min(max(_REACH_PX_PER_SECOND * elapsed_seconds, _LEAST_REACH_PX), _MOST_REACH_PX)
        goes_on = _near(boxes, self._boxes, reach) & (
            np.abs(classes[:, np.newaxis] - self._classes) <= _SAME_SIZE_CLASSES
        )
        before = np.where(goes_on, self._lengths, 0).max(axis=1, initial=0)
        self._learn(~goes_on.any(axis=0), elapsed_seconds)
        by_chance = self._by_chance(boxes, classes, before, reach, changed.size)
        self._boxes, self._classes, self._lengths = boxes, classes, before + 1
        moves = by_chance < _CHANCE
        return Moving(boxes[moves], int(areas[moves].sum()))

    def _by_chance(
        self, boxes: Int64, classes: Int64, before: Int64, reach: float, pixels: int
    ) -> npt.NDArray[np.float64]:
        """How many specks of this size or more, seen so often before and each time near, chance makes in a picture."""
        as_large = np.cumsum(self._expected[::-1])[::-1]
        alike = as_large[np.maximum(classes - _SAME_SIZE_CLASSES, 0)]
        sides = boxes[:, 2:] - boxes[:, :2] + 2 * reach
        near = np.minimum(alike * sides.prod(axis=1) / pixels, 1.0)
        expected: npt.NDArray[np.float64] = as_large[classes] * near**before
        return expected

    def _learn(self, gone: Bool, elapsed_seconds: float) -> None:
        """Counts the specks that came and went: those before that do not go on in this picture."""
        brief = gone & (self._lengths <= _BRIEF)
        counted = np.bincount(self._classes[brief], self._lengths[brief], _SIZE_CLASSES)
        share = 1 - math.exp(-elapsed_seconds / _LEARN_SECONDS)
        self._expected += share * (counted - self._expected)
        self._expected = np.maximum(self._expected, self._fewest)


def _specks(changed: Bool, least_px: float) -> tuple[Int64, Int64]:
    """Boxes (N, 4) and areas (N,) of the largest specks."""
    joined = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, _CLOSING)
    _, _, found, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    found = found[1:][found[1:, cv2.CC_STAT_AREA] >= least_px].astype(np.int64)
    order = np.argsort(-found[:, cv2.CC_STAT_AREA], kind="stable")[:_MOST_SPECKS]
    found = found[order]
    corner, areas = found[:, :2], found[:, cv2.CC_STAT_AREA]
    boxes = np.concatenate([corner, corner + found[:, 2:4]], axis=1)
    return np.asarray(boxes, np.int64), np.asarray(areas, np.int64)


def _near(boxes: Int64, others: Int64, reach: float) -> Bool:
    """(N, M), which boxes come within `reach` of each other."""
    a, b = boxes[:, np.newaxis], others[np.newaxis]
    begins_before = (a[..., :2] <= b[..., 2:] + reach).all(axis=2)
    ends_after = (b[..., :2] <= a[..., 2:] + reach).all(axis=2)
    return np.asarray(begins_before & ends_after, np.bool_)


def _size_class(areas: Int64) -> Int64:
    return np.minimum(np.log2(np.maximum(areas, 1)).astype(np.int64), _SIZE_CLASSES - 1)
