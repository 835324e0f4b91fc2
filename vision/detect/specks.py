"""Specks of change from picture to picture: which of them go on, and which come and go by chance."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from vision.types import Bool

_CHANCE = 1e-3
"""Motion is what chance would show less than so many times a picture."""

_SIZE_CLASSES = 12
"""Of specks, by powers of two of their pixels."""

_LEARN_SECONDS = 20.0
"""Over which the specks that come and go are counted."""

_FEWEST = 0.02
"""Specks a picture that are expected where none were seen: one in ten seconds, at five pictures a second."""

_REACH_PX_PER_SECOND = 20.0
_LEAST_REACH_PX, _MOST_REACH_PX = 3, 10
"""How far beside itself a speck is looked for in the next picture: people near by are large and overlap
themselves, those far away are slow."""

_MOST_SPECKS = 400
"""The largest so many are looked at."""

_LARGE_SHARE = 0.01
"""Larger specks of the picture than this are no rain; at once they are motion."""

_LONGEST = 200


class Specks:
    """The specks of one camera.

    Args:
        shape: (H, W) of the pictures.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._chains = np.zeros(shape, np.uint8)
        self._fresh = np.full(_SIZE_CLASSES, _FEWEST / _SIZE_CLASSES)

    def update(self, moving: Bool, elapsed_seconds: float, least_px: float) -> float:
        """Pixels of those specks that are motion.

        Args:
            moving: (H, W), True where something changed.
            elapsed_seconds: since the picture before.
            least_px: smaller specks are none.

        Returns:
            0 where nothing moves.
        """
        opened = cv2.morphologyEx(moving.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        count, labels, found, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
        areas = found[1:, cv2.CC_STAT_AREA]
        rows = np.flatnonzero(areas >= least_px)
        rows = rows[np.argsort(-areas[rows], kind="stable")][:_MOST_SPECKS]
        if not len(rows):
            self._learn(np.zeros(0, np.int64), elapsed_seconds)
            self._chains = np.zeros_like(self._chains)
            return 0.0
        length = self._lengths(labels, count)[rows + 1]
        sizes = areas[rows].astype(np.int64)
        reach = self._reach(elapsed_seconds)
        expected = self._by_chance(sizes, found[rows + 1], length, reach)
        large = sizes >= _LARGE_SHARE * moving.size
        moves = (expected < _CHANCE) | large
        self._learn(sizes[(length == 1) & ~large], elapsed_seconds)
        self._carry(labels, count, rows, length, reach)
        return float(sizes[moves].sum())

    def _lengths(self, labels: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int64]:
        """(count,) in how many pictures in a row each label was seen, this one included."""
        before = np.zeros(count, np.int64)
        rows, columns = np.nonzero(labels)
        np.maximum.at(before, labels[rows, columns], self._chains[rows, columns])
        return np.minimum(before + 1, _LONGEST)

    def _by_chance(
        self,
        sizes: npt.NDArray[np.int64],
        found: npt.NDArray[np.int32],
        length: npt.NDArray[np.int64],
        reach: int,
    ) -> npt.NDArray[np.float64]:
        """How many chains as long as each, of specks as large, chance makes in a picture."""
        rivals = np.cumsum(self._fresh[::-1])[::-1][_size_class(sizes)]
        spread = 2 * reach
        room = (found[:, cv2.CC_STAT_WIDTH] + spread) * (found[:, cv2.CC_STAT_HEIGHT] + spread)
        near = np.minimum(rivals * room / self._chains.size, 1.0)
        expected: npt.NDArray[np.float64] = rivals * near ** (length - 1)
        return expected

    def _learn(self, fresh_sizes: npt.NDArray[np.int64], elapsed_seconds: float) -> None:
        counted = np.bincount(_size_class(fresh_sizes), minlength=_SIZE_CLASSES)
        share = 1 - math.exp(-elapsed_seconds / _LEARN_SECONDS)
        self._fresh += share * (counted - self._fresh)
        self._fresh = np.maximum(self._fresh, _FEWEST / _SIZE_CLASSES)

    def _carry(
        self,
        labels: npt.NDArray[np.int32],
        count: int,
        rows: npt.NDArray[np.int64],
        length: npt.NDArray[np.int64],
        reach: int,
    ) -> None:
        per_label = np.zeros(count, np.uint8)
        per_label[rows + 1] = length
        side = 2 * reach + 1
        self._chains = np.asarray(cv2.dilate(per_label[labels], np.ones((side, side), np.uint8)), np.uint8)

    @staticmethod
    def _reach(elapsed_seconds: float) -> int:
        return int(min(max(round(_REACH_PX_PER_SECOND * elapsed_seconds), _LEAST_REACH_PX), _MOST_REACH_PX))


def _size_class(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.minimum(np.log2(np.maximum(sizes, 1)).astype(np.int64), _SIZE_CLASSES - 1)
