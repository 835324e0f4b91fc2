"""Axis-aligned boxes: conversions and measures, whole arrays at a time.

A box is (x1, y1, x2, y2) in pixels, its corners being points on the picture's plane: its width is
x2 − x1, with no pixel added. A box whose second corner lies before its first has no area.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vision.errors import ImageError
from vision.types import Float32

Boxes: TypeAlias = npt.NDArray[np.floating[Any]]
"""Shape (N, 4), floating point."""


def area(xyxy: Boxes) -> Boxes:
    """Area of each box.

    Args:
        xyxy: (N, 4).

    Returns:
        (N,) square pixels; 0 for a box turned inside out.
    """
    sides = np.maximum(xyxy[:, 2:] - xyxy[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def intersection(first: Boxes, second: Boxes) -> Boxes:
    """Area shared by every box of one set with every box of the other.

    Args:
        first: (N, 4).
        second: (M, 4).

    Returns:
        (N, M) square pixels.
    """
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = np.maximum(bottom_right - top_left, 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(first: Boxes, second: Boxes) -> Boxes:
    """Intersection over union of every box of one set with every box of the other.

    Args:
        first: (N, 4).
        second: (M, 4).

    Returns:
        (N, M), 0 to 1; 0 where neither box has an area.

    >>> iou(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2]])).round(3).tolist()
    [[0.333]]
    """
    shared = intersection(first, second)
    union = area(first)[:, None] + area(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def containment(inner: Boxes, outer: Boxes) -> Boxes:
    """How much of each inner box lies inside each outer one.

    Args:
        inner: (N, 4).
        outer: (M, 4).

    Returns:
        (N, M), share of the inner box's area, 0 to 1; 0 where it has none.
    """
    shared = intersection(inner, outer)
    own = np.broadcast_to(area(inner)[:, None], shared.shape)
    return np.divide(shared, own, out=np.zeros_like(shared), where=own > 0)


def clip(xyxy: Boxes, size_wh: tuple[int, int]) -> Boxes:
    """The boxes cut off at the picture's edges.

    Args:
        xyxy: (N, 4).
        size_wh: of the picture, pixels.

    Returns:
        (N, 4), a new array; a box wholly outside keeps no area.
    """
    limit = np.array([*size_wh, *size_wh], dtype=xyxy.dtype)
    return np.clip(xyxy, 0, limit)


def enlarge(xyxy: Boxes, margin: float) -> Boxes:
    """The boxes grown on each side, about their centres.

    Args:
        xyxy: (N, 4).
        margin: added on each side, as a share of the box's own width and height; negative shrinks.

    Returns:
        (N, 4), not clipped.
    """
    grown = (xyxy[:, 2:] - xyxy[:, :2]) * margin
    return np.concatenate([xyxy[:, :2] - grown, xyxy[:, 2:] + grown], axis=1)


def xyxy_to_xywh(xyxy: Boxes) -> Boxes:
    """(x1, y1, x2, y2) as (left, top, width, height)."""
    return np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)


def xywh_to_xyxy(xywh: Boxes) -> Boxes:
    """(left, top, width, height) as (x1, y1, x2, y2)."""
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)


def centred_to_xyxy(cxcywh: Boxes) -> Boxes:
    """(centre x, centre y, width, height) as (x1, y1, x2, y2)."""
    half = cxcywh[:, 2:] / 2
    return np.concatenate([cxcywh[:, :2] - half, cxcywh[:, :2] + half], axis=1)


def nms(
    xyxy: Boxes,
    confidence: Boxes,
    max_iou: float,
    class_id: npt.NDArray[np.integer[Any]] | None = None,
    max_kept: int | None = None,
) -> npt.NDArray[np.int64]:
    """Greedy non-maximum suppression: of boxes that overlap, the most confident stays.

    Args:
        xyxy: (N, 4).
        confidence: (N,).
        max_iou: two boxes that overlap more than this are taken for one object.
        class_id: (N,); boxes of different classes never suppress each other. None: all one class.
        max_kept: the search ends with so many, which are the first of those there would be. None: all.

    Returns:
        (K,) rows kept, by falling confidence; among equals the earlier row comes first.

    Raises:
        ImageError: lengths that differ.
    """
    if len(confidence) != len(xyxy) or (class_id is not None and len(class_id) != len(xyxy)):
        raise ImageError(f"nms: {len(xyxy)} boxes need as many confidences, got {len(confidence)}")
    waiting = np.argsort(-confidence, kind="stable")
    kept: list[int] = []
    while len(waiting) and (max_kept is None or len(kept) < max_kept):
        best, rest = waiting[0], waiting[1:]
        kept.append(int(best))
        suppressed = iou(xyxy[best : best + 1], xyxy[rest])[0] > max_iou
        if class_id is not None:
            suppressed &= class_id[rest] == class_id[best]
        waiting = rest[~suppressed]
    return np.array(kept, dtype=np.int64)


def to_pixels(xyxy: Boxes, size_wh: tuple[int, int]) -> npt.NDArray[np.int64]:
    """The smallest whole-pixel boxes around the given ones, within the picture.

    Args:
        xyxy: (N, 4).
        size_wh: of the picture, pixels.

    Returns:
        (N, 4) int64, for slicing `image[y1:y2, x1:x2]`; empty slices for boxes outside.
    """
    outward = np.concatenate([np.floor(xyxy[:, :2]), np.ceil(xyxy[:, 2:])], axis=1)
    return clip(outward, size_wh).astype(np.int64)


def as_float32(xyxy: Boxes) -> Float32:
    """The same boxes as float32, for the frozen types."""
    return np.asarray(xyxy, dtype=np.float32)
