"""Whether two portraits were made from one photograph, whatever was done to the file in between.

A copy that was encoded anew, made smaller or larger, or cropped has its landmarks found a little elsewhere, so
its portrait is a little shifted, turned and stretched. The two are therefore registered first (Evangelidis and
Psarakis, "Parametric image alignment using enhanced correlation coefficient maximization", PAMI 2008, as OpenCV
has it), and then compared by what of a face changes from photograph to photograph: its fine structure under that
one light, not its broad shading.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vision.face.align import PORTRAIT_GREY
from vision.types import Image

THUMBNAIL_PX = 64

SAME_PICTURE_CORRELATION = 0.95
"""From here on two portraits are of one photograph. Of 1,449 pairs of different photographs of one person in
two folds of LFW the highest reaches 0.93; copies of them stay above 0.98 in nine of ten cases, whether encoded
anew at quality 40, brought to a third, a half or twice the size, or turned by five degrees."""

_FACE = (slice(13, 55), slice(13, 51))
"""Rows and columns of a thumbnail that a face fills: brows to chin, cheek to cheek."""

_FINE_SIGMA_PX, _BROAD_SIGMA_PX = 1.0, 6.0
"""What is compared lies between these two: finer detail does not survive copying, broader one is mere light."""

_ITERATIONS, _CONVERGED = 30, 1e-4
_REGISTRATION_BLUR_PX = 5
_LEAST_COMMON = 0.4
"""Share of the face that both must show."""

Plane = npt.NDArray[np.float32]


def thumbnail(portrait: Image) -> Image:
    """A portrait as it is compared.

    Args:
        portrait: (H, W, 3) uint8 BGR, as `vision.face.align.portrait` makes it.

    Returns:
        (`THUMBNAIL_PX`, `THUMBNAIL_PX`) uint8.
    """
    grey = cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def picture_correlation(first: Image, second: Image) -> float:
    """How alike two thumbnails are once one is laid over the other.

    Args:
        first: as `thumbnail` gives it.
        second: likewise.

    Returns:
        Correlation of their fine structure, −1 to 1; 0 where they cannot be laid over each other or show too
        little of the same face.
    """
    shown = _shown(first) & _shown(second)
    warp = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ITERATIONS, _CONVERGED)
    try:
        _, found = cv2.findTransformECC(
            first, second, warp, cv2.MOTION_AFFINE, criteria, shown.astype(np.uint8), _REGISTRATION_BLUR_PX
        )
    except cv2.error:  # flat pictures, or two that have nothing in common: the search does not converge
        return 0.0
    transform = np.asarray(found, dtype=np.float32)
    laid_over = _warped(second.astype(np.float32), transform)
    common = shown & (_warped(_shown(second).astype(np.float32), transform) > 0.99)
    return _correlation(_fine(first.astype(np.float32)), _fine(laid_over), common)


def _shown(thumb: Image) -> npt.NDArray[np.bool_]:
    """Where a thumbnail shows the photograph, not the grey beyond its edge."""
    flat = (np.abs(thumb.astype(np.int16) - PORTRAIT_GREY) <= 2).astype(np.uint8)
    square: npt.NDArray[Any] = np.ones((5, 5), np.uint8)
    beyond = cv2.dilate(cv2.morphologyEx(flat, cv2.MORPH_OPEN, square), square)
    return np.asarray(beyond == 0)


def _warped(plane: Plane, transform: npt.NDArray[np.float32]) -> Plane:
    size_wh = (THUMBNAIL_PX, THUMBNAIL_PX)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(plane, transform, size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def _fine(plane: Plane) -> Plane:
    fine = cv2.GaussianBlur(plane, (0, 0), _FINE_SIGMA_PX)
    return np.asarray(fine - cv2.GaussianBlur(plane, (0, 0), _BROAD_SIGMA_PX), np.float32)


def _correlation(first: Plane, second: Plane, common: npt.NDArray[np.bool_]) -> float:
    inside = common[_FACE]
    if inside.mean() < _LEAST_COMMON:
        return 0.0
    a, b = first[_FACE][inside], second[_FACE][inside]
    a, b = a - a.mean(), b - b.mean()
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else 0.0
