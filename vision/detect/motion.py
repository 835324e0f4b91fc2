"""Where something moves, at a coarse scale: so that small and distant people are looked at closely.

A running mean of grey thumbnails is the background; what differs from it by more than the picture's own
noise is motion. Nothing is gated by it here: it only says where a second look at full resolution pays.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np

from vision.types import Float32, Image

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom, whole pixels of the picture."""

_THUMBNAIL_PX = 320
"""Long side of the thumbnail: a person of 40 pixels in a 1280-pixel picture still covers ten of its pixels."""

_NOISES = 4.0
"""A pixel moves where it differs by more than so many times the picture's median difference …"""

_MIN_DIFFERENCE = 12.0
"""… and by more than this, of 255: what coding alone does to a still wall."""

_MIN_AREA_PX = 6
_DILATED_PX = 9
"""Thumbnail pixels; joins a walker's legs, arms and head."""

_WHOLE_PICTURE = 0.6
"""Where more than this moves, the light or the camera changed and no region says anything."""


class MotionRegions:
    """The moving parts of one camera's picture; one instance per camera.

    Args:
        memory: share of the background that one picture renews, above 0, at most 1.
    """

    def __init__(self, memory: float = 0.2) -> None:
        if not 0 < memory <= 1:
            raise ValueError(f"memory must be above 0 and at most 1, got {memory}")
        self._memory = memory
        self._background: Float32 | None = None

    def update(self, image: Image) -> list[Box]:
        """Boxes around what moves since the pictures before, the largest first.

        Args:
            image: (H, W, 3) uint8 BGR; another size than before starts the background anew.

        Returns:
            Boxes in pixels of `image`; none for the first picture, or where everything changed at once.
        """
        step = max(1, max(image.shape[:2]) // _THUMBNAIL_PX)
        sparse = np.ascontiguousarray(image[::step, ::step])
        grey = cv2.GaussianBlur(cv2.cvtColor(sparse, cv2.COLOR_BGR2GRAY), (3, 3), 0).astype(np.float32)
        background = self._background
        if background is None or background.shape != grey.shape:
            self._background = grey
            return []
        change = grey - background
        background += self._memory * change
        # A lamp or the camera's own exposure lifts the whole picture at once: that is no motion.
        difference = np.abs(change - np.median(change))
        moving = difference > max(_NOISES * float(np.median(difference)), _MIN_DIFFERENCE)
        if moving.mean() > _WHOLE_PICTURE:
            self._background = grey
            return []
        return _boxes(moving.astype(np.uint8), step, (image.shape[1], image.shape[0]))

    def reset(self) -> None:
        """Forgets the background."""
        self._background = None


def _boxes(moving: Image, step: int, size_wh: tuple[int, int]) -> list[Box]:
    if not moving.any():
        return []
    kernel = np.ones((_DILATED_PX, _DILATED_PX), np.uint8)
    opened = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, _, found, _ = cv2.connectedComponentsWithStats(cv2.dilate(opened, kernel))
    order = sorted(range(1, count), key=lambda row: -int(found[row, cv2.CC_STAT_AREA]))
    boxes = []
    for row in order:
        left, top, width, height, covered = (int(value) for value in found[row])
        if covered < _MIN_AREA_PX + _DILATED_PX**2:
            continue
        boxes.append(
            (
                left * step,
                top * step,
                min((left + width) * step, size_wh[0]),
                min((top + height) * step, size_wh[1]),
            )
        )
    return boxes
