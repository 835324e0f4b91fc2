"""Parts of a picture searched on their own, at a larger scale, and merged with what the whole one gave.

A detector sees a picture shrunk to its input; in a part of it a person who was ten pixels tall there has
thirty. Slicing with merging is Akyon et al., arXiv:2202.06934; here only moving parts are sliced out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vision.boxes import Boxes, containment, nms
from vision.detect.motion import Box
from vision.types import Bool, Detections, Faces

_EDGE_PX = 2.0
"""A box that comes so near an inner edge of its crop is cut off there."""

_SAME_OBJECT = 0.7
"""Share of a crop's box within one that the whole picture gave: the same object, or a part of it."""

_MAX_IOU = 0.45


def choose_crops(
    moving: Sequence[Box], size_wh: tuple[int, int], side_px: int, max_side_px: float, limit: int
) -> list[Box]:
    """Crops of at least `side_px` squared, each around as much of what moves as it can hold.

    Args:
        moving: boxes in pixels of the picture.
        size_wh: of the picture.
        side_px: of a crop; larger motion gets a larger one, with an eighth of margin.
        max_side_px: motion that needs a larger crop gets none: the whole picture shows it as well.
        limit: crops at most.

    Returns:
        Crops inside the picture, those that hold most boxes first.
    """
    waiting = list(moving)
    offered = [_crop_around(box, size_wh, side_px) for box in moving]
    offered = [crop for crop in offered if max(crop[2] - crop[0], crop[3] - crop[1]) <= max_side_px]
    crops: list[Box] = []
    while offered and len(crops) < limit:
        held = [sum(_inside(box, crop) for box in waiting) for crop in offered]
        best = held.index(max(held))
        if not held[best]:
            break
        crops.append(offered[best])
        waiting = [box for box in waiting if not _inside(box, offered[best])]
    return crops


def whole_in_crop(xyxy: Boxes, crop: Box, size_wh: tuple[int, int]) -> Bool:
    """Which boxes a crop does not cut off.

    Args:
        xyxy: (N, 4) in pixels of the picture.
        crop: they were found in.
        size_wh: of the picture: at its own edges nothing is cut that the whole picture would show.

    Returns:
        (N,) bool.
    """
    inner = (crop[0] > 0, crop[1] > 0, crop[2] < size_wh[0], crop[3] < size_wh[1])
    free = (
        xyxy[:, 0] >= crop[0] + _EDGE_PX,
        xyxy[:, 1] >= crop[1] + _EDGE_PX,
        xyxy[:, 2] <= crop[2] - _EDGE_PX,
        xyxy[:, 3] <= crop[3] - _EDGE_PX,
    )
    whole = np.ones(len(xyxy), np.bool_)
    for is_inner, fits in zip(inner, free, strict=True):
        if is_inner:
            whole &= fits
    return whole


def merge_detections(whole: Detections, parts: Sequence[Detections]) -> Detections:
    """The whole picture's detections, and of the crops' those that are of something else.

    Args:
        whole: found in the whole picture.
        parts: found in each crop, in pixels of the picture, none of them cut off.

    Returns:
        By falling confidence.
    """
    found = [whole, *(part[_new(whole.xyxy, part.xyxy, whole.class_id, part.class_id)] for part in parts)]
    xyxy = np.concatenate([each.xyxy for each in found])
    confidence = np.concatenate([each.confidence for each in found])
    class_id = np.concatenate([each.class_id for each in found])
    kept = nms(xyxy, confidence, _MAX_IOU, class_id)
    return Detections(xyxy[kept], confidence[kept], class_id[kept])


def merge_faces(whole: Faces, parts: Sequence[Faces]) -> Faces:
    """As `merge_detections`, of faces."""
    found = [whole, *(part[_new(whole.xyxy, part.xyxy)] for part in parts)]
    xyxy = np.concatenate([each.xyxy for each in found])
    confidence = np.concatenate([each.confidence for each in found])
    landmarks = np.concatenate([each.landmarks for each in found])
    kept = nms(xyxy, confidence, _MAX_IOU)
    return Faces(xyxy[kept], confidence[kept], landmarks[kept])


def _new(
    whole: Boxes,
    part: Boxes,
    whole_class: npt.NDArray[np.int32] | None = None,
    part_class: npt.NDArray[np.int32] | None = None,
) -> npt.NDArray[np.int64]:
    """Rows of a crop's boxes that the whole picture does not know."""
    within = containment(part, whole) > _SAME_OBJECT
    around = containment(whole, part).T > _SAME_OBJECT
    known = within | around
    if whole_class is not None and part_class is not None:
        known &= part_class[:, None] == whole_class[None, :]
    return np.flatnonzero(~known.any(axis=1))


def _inside(box: Box, crop: Box) -> bool:
    return crop[0] <= box[0] and crop[1] <= box[1] and box[2] <= crop[2] and box[3] <= crop[3]


def _crop_around(box: Box, size_wh: tuple[int, int], side_px: int) -> Box:
    left, right = _span(box[0], box[2], size_wh[0], side_px)
    top, bottom = _span(box[1], box[3], size_wh[1], side_px)
    return left, top, right, bottom


def _span(start: int, end: int, length: int, side_px: int) -> tuple[int, int]:
    """A stretch of at least `side_px` about the middle of another, within 0 to `length`."""
    side = min(max(side_px, (end - start) * 5 // 4), length)
    first = min(max((start + end - side) // 2, 0), length - side)
    return first, first + side
