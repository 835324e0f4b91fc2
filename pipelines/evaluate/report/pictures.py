"""Small JPEGs for a report: the case itself, its surroundings, and nothing larger than it need be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from vision.errors import ImageError
from vision.images import encode_jpeg, letterbox, read_image
from vision.types import Image

SIDE_PX = 220
_QUALITY = 82
_FILL = 128
_MARGIN_SHARE = 0.6
_LEAST_CROP_PX = 24

RIGHT, WRONG = (115, 158, 0), (0, 94, 213)
"""BGR, as the plots' green and orange."""


def thumbnail(image: Image, xyxy: npt.ArrayLike | None = None) -> bytes:
    """A square JPEG of a picture, or of what surrounds a box in it.

    Args:
        image: (H, W, 3) uint8 BGR.
        xyxy: (4,) pixels; None for the whole picture.
    """
    shown = image if xyxy is None else _around(image, np.asarray(xyxy, np.float64))
    return encode_jpeg(letterbox(shown, (SIDE_PX, SIDE_PX), fill=_FILL, centred=True)[0], _QUALITY)


def thumbnail_of(path: Path, xyxy: npt.ArrayLike | None = None) -> bytes | None:
    """The same from a file; None where it cannot be read any more."""
    try:
        return thumbnail(read_image(path), xyxy)
    except ImageError:
        return None


def with_boxes(
    image: Image, boxes: Sequence[tuple[npt.ArrayLike, tuple[int, int, int], str]], around: npt.ArrayLike
) -> bytes:
    """A JPEG of what surrounds a box, with boxes and short words drawn in.

    Args:
        image: (H, W, 3) uint8 BGR; not modified.
        boxes: xyxy in its pixels, BGR, and what stands above; Latin letters and figures only.
        around: (4,) xyxy, what is to be seen.
    """
    drawn = image.copy()
    width = max(1, round(_crop_side(np.asarray(around, np.float64)) / 110))
    for xyxy, colour, words in boxes:
        left, top, right, bottom = (int(value) for value in np.clip(np.asarray(xyxy), -1e6, 1e6))
        cv2.rectangle(drawn, (left, top), (right, bottom), colour, width)
        if words:
            place = (left, max(10, top - 3))
            cv2.putText(drawn, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.35 * width, colour, width)
    return thumbnail(drawn, around)


def _crop_side(xyxy: npt.NDArray[np.float64]) -> float:
    return max(float((xyxy[2:] - xyxy[:2]).max()) * (1 + 2 * _MARGIN_SHARE), _LEAST_CROP_PX)


def _around(image: Image, xyxy: npt.NDArray[np.float64]) -> Image:
    height, width = image.shape[:2]
    centre, half = (xyxy[:2] + xyxy[2:]) / 2, _crop_side(xyxy) / 2
    left, top = (
        int(np.clip(value, 0, size - 1)) for value, size in zip(centre - half, (width, height), strict=True)
    )
    right, bottom = (
        int(np.clip(value, 1, size)) for value, size in zip(centre + half, (width, height), strict=True)
    )
    return np.ascontiguousarray(image[top : max(bottom, top + 1), left : max(right, left + 1)])
