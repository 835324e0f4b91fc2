"""Faces turned upright and brought to one size, by their five landmarks.

Coordinates are those of `vision.types`: the top left corner of the top left pixel is (0, 0).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vision.boxes import to_pixels
from vision.errors import ImageError
from vision.geometry import Float64, Points, apply, fit_similarity, invert
from vision.images import validate_image
from vision.types import Image

PORTRAIT_EYES = ((0.37, 0.42), (0.63, 0.42))
"""Where the two eyes lie in a portrait, as shares of its side: all hair and chin stay inside."""

PORTRAIT_GREY = 128
"""What lies beyond the picture's edge."""

_EYES_TO_MOUTH = 1.15
"""Distance from between the eyes to between the mouth's corners, in eye distances, of a face seen frontally."""

_MIN_EYE_SHARE = 0.55
"""Eyes nearer to each other than this, against a frontal face of the same height, are a profile's."""


def align(image: Image, landmarks: Points, template: npt.ArrayLike, size_px: int) -> Image:
    """Square chips in which each face's landmarks lie as near as possible to the template's.

    Args:
        image: (H, W, 3) uint8 BGR.
        landmarks: (N, 5, 2) pixels of `image`.
        template: (5, 2) pixels of the chip.
        size_px: side of the chip.

    Returns:
        (N, size_px, size_px, 3) uint8 BGR; black beyond the picture's edge.

    Raises:
        ImageError: not an image; landmarks of another shape, not finite, or all in one point.
    """
    image = validate_image(image)
    landmarks = np.asarray(landmarks, dtype=np.float64)
    if landmarks.ndim != 3 or landmarks.shape[1:] != (5, 2):
        raise ImageError(f"landmarks must be (N, 5, 2), got {landmarks.shape}")
    transforms = fit_similarity(landmarks, np.asarray(template, dtype=np.float64))
    chips = np.empty((len(landmarks), size_px, size_px, 3), dtype=np.uint8)
    for chip, transform in zip(chips, transforms, strict=True):
        chip[...] = _warp(image, transform, size_px, border_grey=0)
    return chips


def portrait(image: Image, landmarks: Points, size_px: int = 320) -> Image:
    """One face upright with a generous margin, its eyes where every portrait's eyes are.

    Two portraits of one size stand side by side at one scale. In profile the eyes are too near to each
    other to measure by; the line from between them to the mouth then sets size and rotation.

    Args:
        image: (H, W, 3) uint8 BGR.
        landmarks: (5, 2) pixels of `image`.
        size_px: side of the portrait.

    Returns:
        (size_px, size_px, 3) uint8 BGR; grey beyond the picture's edge.

    Raises:
        ImageError: not an image; landmarks of another shape, not finite, or in one point.
    """
    image = validate_image(image)
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise ImageError(f"landmarks of one portrait must be (5, 2) and finite, got {points.shape}")
    eyes, wanted = points[:2], np.array(PORTRAIT_EYES) * size_px
    between = np.stack([eyes.mean(axis=0), points[3:].mean(axis=0)])
    height = float(np.linalg.norm(between[1] - between[0]))
    if np.linalg.norm(eyes[1] - eyes[0]) < _MIN_EYE_SHARE * height / _EYES_TO_MOUTH:
        middle = wanted.mean(axis=0)
        down = np.array([0.0, _EYES_TO_MOUTH * (wanted[1, 0] - wanted[0, 0])])
        eyes, wanted = between, np.stack([middle, middle + down])
    transform = fit_similarity(eyes[None], wanted)[0]
    return _warp(image, transform, size_px, border_grey=PORTRAIT_GREY)


def _warp(image: Image, transform: Float64, size_px: int, *, border_grey: int) -> Image:
    """The square of `size_px` that the transform takes out of the image."""
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    if scale < 0.5:
        image, transform = _shrunk(image, transform, size_px, scale)
    # OpenCV counts from the middle of the first pixel, the transform from its corner.
    centred = transform.copy()
    centred[:, 2] += transform[:, :2].sum(axis=1) * 0.5 - 0.5
    warped = cv2.warpAffine(
        image,
        centred,
        (size_px, size_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(border_grey,) * 3,
    )
    return np.asarray(warped, dtype=np.uint8)


def _shrunk(image: Image, transform: Float64, size_px: int, scale: float) -> tuple[Image, Float64]:
    """The part that is needed, averaged down first: interpolation alone would skip most of its pixels."""
    corners = np.array([[[0.0, 0], [size_px, 0], [0, size_px], [size_px, size_px]]])
    source = apply(invert(transform[None]), corners)[0]
    around = np.concatenate([source.min(axis=0) - 2 / scale, source.max(axis=0) + 2 / scale])[None]
    x1, y1, x2, y2 = to_pixels(around, (image.shape[1], image.shape[0]))[0]
    if x2 <= x1 or y2 <= y1:
        return image, transform
    part: npt.NDArray[Any] = image[y1:y2, x1:x2]
    small_wh = (max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale)))
    small = np.asarray(cv2.resize(part, small_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    # small pixels → full pixels → chip
    back = np.array([[(x2 - x1) / small_wh[0], 0, x1], [0, (y2 - y1) / small_wh[1], y1], [0, 0, 1]])
    return small, transform @ back
