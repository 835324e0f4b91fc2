"""Polygons drawn on a camera's picture: privacy masks burnt into it, and what lies under a detection mask.

Points are relative to the upright picture, 0 to 1 from its left and top edge, so that a mask holds at every
size the camera sends. Burning errs outward: a pixel is covered where the polygon only touches it, and one
pixel beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from vision.errors import ImageError
from vision.polygons import Point, Polygon
from vision.types import Bool, Float32

__all__ = ["Anchor", "Masks", "Polygon", "burn", "covers", "rasterise"]

Grey: TypeAlias = npt.NDArray[np.uint8]
"""Shape (H, W), uint8."""

Anchor: TypeAlias = Literal["bottom_centre", "centre"]
"""Which point of a box says where it is: where people and vehicles stand, or the middle of a face."""

_SUBPIXEL_BITS = 6
_MAX_SIDE_PX = 16_384
"""Larger pictures are refused: OpenCV's fixed-point corners would overflow."""

_MARGIN = np.ones((5, 5), np.uint8)
"""Two pixels to every side: OpenCV's outline strays from the true one by up to one, and one is to spare."""

_AROUND_PX = 4
_EDGE = 1e-6


class Masks:
    """Some polygons of one camera; rasterised once for each size of picture in turn.

    Args:
        polygons: none is allowed, and covers nothing.
    """

    def __init__(self, polygons: Sequence[Polygon]) -> None:
        self.polygons = tuple(polygons)
        self._size_wh: tuple[int, int] | None = None
        self._part: tuple[slice, slice] = (slice(0), slice(0))
        self._raster: Grey = np.zeros((0, 0), np.uint8)

    def burn(self, image: npt.NDArray[np.uint8]) -> None:
        """Paints everything under the polygons black, in place.

        Args:
            image: (H, W, 3) or (H, W) uint8, writeable, upright.

        Raises:
            ImageError: another shape or type, read-only, or larger than 16,384 pixels a side.
        """
        if not self.polygons:
            return
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or not image.flags.writeable:
            raise ImageError(
                f"a mask needs a writeable (H, W) or (H, W, 3) uint8 image, got {image.shape} {image.dtype}"
            )
        self._fit((image.shape[1], image.shape[0]))
        image[self._part][self._raster > 0] = 0

    def _fit(self, size_wh: tuple[int, int]) -> None:
        """Keeps the raster of this size, cut to where there is something."""
        if size_wh == self._size_wh:
            return
        whole = rasterise(self.polygons, size_wh).astype(np.uint8)
        rows, columns = np.flatnonzero(whole.any(axis=1)), np.flatnonzero(whole.any(axis=0))
        self._part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        self._raster = np.ascontiguousarray(whole[self._part])
        self._size_wh = size_wh


def burn(image: npt.NDArray[np.uint8], polygons: Sequence[Polygon]) -> None:
    """As `Masks.burn`, once; for more pictures of one size keep a `Masks`."""
    Masks(polygons).burn(image)


def rasterise(polygons: Sequence[Polygon], size_wh: tuple[int, int], *, outward: bool = True) -> Bool:
    """Which pixels lie under the polygons.

    Args:
        polygons: any number.
        size_wh: of the picture.
        outward: True: every pixel that is touched, and one beyond, so that nothing under a mask shows;
            False: only pixels that lie under one as a whole, so that nothing beside a mask is hidden.

    Returns:
        (H, W) bool.

    Raises:
        ImageError: an empty picture, or one larger than 16,384 pixels a side.
    """
    width, height = size_wh
    if not (0 < width <= _MAX_SIDE_PX and 0 < height <= _MAX_SIDE_PX):
        raise ImageError(f"a mask fits pictures of 1 to {_MAX_SIDE_PX} pixels a side, got {width}×{height}")
    covered = np.zeros((height, width), np.bool_)
    for polygon in polygons:
        covered |= _grown(polygon, size_wh) if outward else _shrunk(polygon, size_wh)
    return covered


def covers(
    boxes_xyxy: Float32,
    size_wh: tuple[int, int],
    polygons: Sequence[Polygon],
    anchor: Anchor = "bottom_centre",
) -> Bool:
    """Which boxes lie under a polygon: their lower edge's middle for people and vehicles, their centre for faces.

    Args:
        boxes_xyxy: (N, 4) pixels of the upright picture.
        size_wh: of the picture.
        polygons: any number.
        anchor: the point that decides. One outside the picture counts as on its edge.

    Returns:
        (N,) bool.
    """
    inside = np.zeros(len(boxes_xyxy), np.bool_)
    if not polygons or not len(boxes_xyxy):
        return inside
    boxes = boxes_xyxy.astype(np.float64)
    x = (boxes[:, 0] + boxes[:, 2]) / 2 / size_wh[0]
    y = (boxes[:, 3] if anchor == "bottom_centre" else (boxes[:, 1] + boxes[:, 3]) / 2) / size_wh[1]
    # A hair off the edge, so that a polygon along it holds who stands at the edge.
    x, y = np.clip(x, _EDGE, 1 - _EDGE), np.clip(y, _EDGE, 1 - _EDGE)
    for polygon in polygons:
        inside |= _inside(x, y, np.array(polygon.points, np.float64))
    return inside


def _inside(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], corners: npt.NDArray[np.float64]) -> Bool:
    """Even-odd rule: how often a ray to the right of each point meets the outline."""
    x1, y1 = corners.T
    x2, y2 = np.roll(corners, -1, axis=0).T
    spans = (y1[:, np.newaxis] > y) != (y2[:, np.newaxis] > y)
    rise = np.where(y2 == y1, 1.0, y2 - y1)[:, np.newaxis]
    meets_x = x1[:, np.newaxis] + (y - y1[:, np.newaxis]) * (x2 - x1)[:, np.newaxis] / rise
    crossings: Bool = (spans & (x < meets_x)).sum(axis=0) % 2 == 1
    return crossings


def _grown(polygon: Polygon, size_wh: tuple[int, int]) -> Bool:
    canvas = _canvas(size_wh)
    cv2.fillPoly(canvas, [_fixed(polygon.points, size_wh)], 1, cv2.LINE_8, _SUBPIXEL_BITS)
    return _cut(cv2.dilate(canvas, _MARGIN) > 0)


def _shrunk(polygon: Polygon, size_wh: tuple[int, int]) -> Bool:
    canvas, outline = _canvas(size_wh), _canvas(size_wh)
    cv2.fillPoly(canvas, [_fixed(polygon.points, size_wh)], 1, cv2.LINE_8, _SUBPIXEL_BITS)
    for side in zip(polygon.points, (*polygon.points[1:], polygon.points[0]), strict=True):
        if not _along_edge(*side):  # a mask along the picture's edge hides its last row
            cv2.polylines(outline, [_fixed(side, size_wh)], False, 1, 1, cv2.LINE_8, _SUBPIXEL_BITS)
    return _cut((canvas > 0) & (cv2.dilate(outline, _MARGIN) == 0))


def _canvas(size_wh: tuple[int, int]) -> Grey:
    """Larger than the picture: what OpenCV draws beyond its edge would be missing when it is widened."""
    return np.zeros((size_wh[1] + 2 * _AROUND_PX, size_wh[0] + 2 * _AROUND_PX), np.uint8)


def _cut(canvas: npt.NDArray[np.bool_] | np.bool_) -> Bool:
    whole = np.asarray(canvas, np.bool_)
    return np.ascontiguousarray(whole[_AROUND_PX:-_AROUND_PX, _AROUND_PX:-_AROUND_PX])


def _fixed(points: Sequence[Point], size_wh: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Corners on a canvas in OpenCV's fixed point: it counts from pixel centres, we from the picture's edge."""
    corners = np.array(points, np.float64) * size_wh - 0.5 + _AROUND_PX
    return np.rint(corners * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def _along_edge(start: Point, end: Point) -> bool:
    return any(start[axis] == end[axis] and start[axis] in (0.0, 1.0) for axis in (0, 1))
