"""What every face detector does before and after its network: place the picture, sift what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vision.boxes import area, as_float32, clip, nms
from vision.errors import ModelError
from vision.images import Placement, letterbox
from vision.types import Faces, Image

Floats = npt.NDArray[np.floating[Any]]

MULTIPLE_PX = 32
"""Sides of the canvas of every family here: the coarsest stride of their feature maps."""

MOST_CANDIDATES = 5000
"""Boxes that go on to the suppression of overlaps; a broken or hostile input makes no more work than that."""

_FAR_PX = 1e7


@dataclass(frozen=True, slots=True)
class FaceSearchOptions:
    """What is searched and what is kept.

    Attributes:
        min_confidence: faces below it are not reported.
        max_iou: of two boxes that overlap more, the less confident one goes.
        max_long_side_px: larger pictures are shrunk to this before the search; smaller ones never grow. A
            model of one fixed size sets its own limit instead.
        min_face_px: smaller faces, by the square root of the box's area, are not reported: nobody can be
            recognised by them, and they are most of what is found where no face is.
        max_faces: of more, the most confident are kept.
    """

    min_confidence: float
    max_iou: float
    max_long_side_px: int = 1280
    min_face_px: float = 13.0
    max_faces: int = 1000


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes on the network's canvas, before overlaps are suppressed.

    Attributes:
        xyxy: (N, 4) pixels of the canvas.
        confidence: (N,) 0 to 1.
        landmarks: (N, 5, 2) pixels of the canvas, in the order of `Faces.landmarks`.
    """

    xyxy: Floats
    confidence: Floats
    landmarks: Floats


def place(
    image: Image, options: FaceSearchOptions, fixed_wh: tuple[int, int] | None = None
) -> tuple[Image, Placement]:
    """The picture in the top left corner of a black canvas the network takes, and the way back.

    Args:
        image: (H, W, 3) uint8 BGR.
        options: how large the search may be.
        fixed_wh: the only size the network takes; None where any multiple of `MULTIPLE_PX` will do.
    """
    height, width = image.shape[:2]
    limit_wh = fixed_wh or (options.max_long_side_px, options.max_long_side_px)
    shrink = min(1.0, limit_wh[0] / width, limit_wh[1] / height)
    canvas_wh = fixed_wh or (_next_multiple(width * shrink), _next_multiple(height * shrink))
    if shrink < 1.0:
        return letterbox(image, canvas_wh, fill=0, centred=False)
    canvas = np.zeros((canvas_wh[1], canvas_wh[0], 3), dtype=np.uint8)
    canvas[:height, :width] = image
    return canvas, Placement((1.0, 1.0))


def sift(found: Candidates, placement: Placement, options: FaceSearchOptions) -> Faces:
    """The faces among the candidates.

    Args:
        found: on the canvas.
        placement: of the picture on it.
        options: what is kept.

    Returns:
        Faces in pixels of the picture, by falling confidence, not clipped.

    Raises:
        ModelError: boxes or landmarks that are not finite or beyond all measure.
    """
    if not all((np.abs(values) < _FAR_PX).all() for values in (found.xyxy, found.landmarks)):
        raise ModelError(
            "the face detector gave boxes or landmarks that are not finite or beyond all measure"
        )
    best = np.argsort(-found.confidence, kind="stable")[:MOST_CANDIDATES]
    kept = best[nms(found.xyxy[best], found.confidence[best], options.max_iou)[: options.max_faces]]
    return Faces(
        as_float32(placement.boxes_back(found.xyxy[kept])),
        as_float32(np.clip(found.confidence[kept], 0, 1)),
        placement.points_back(found.landmarks[kept]),
    )


def within(faces: Faces, image: Image, options: FaceSearchOptions) -> Faces:
    """The faces cut off at the picture's edges; those that are then too small are gone."""
    inside = Faces(clip(faces.xyxy, (image.shape[1], image.shape[0])), faces.confidence, faces.landmarks)
    return inside[np.flatnonzero(area(inside.xyxy) >= max(options.min_face_px**2, 1e-6))]


def _next_multiple(length: float) -> int:
    return max(1, -(-round(length) // MULTIPLE_PX)) * MULTIPLE_PX
