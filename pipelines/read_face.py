"""Which face of a picture is the one it stands for, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.errors import EnrolError
from pipelines.stages import Engines
from vision.face.align import portrait
from vision.face.quality import FaceQuality
from vision.types import Faces, Float32, Image

PORTRAIT_SIZE_PX = 320

Outcome = Literal[
    "ok",
    "no_face",
    "several_faces",
    "unreadable",
    "duplicate",
    "shared_picture",
    "outlier",
    "conflict",
]
"""The last four say what the references of a list are to each other: see `pipelines.reference_check`."""

OTHER_FACES = "other_faces"
"""Note on a picture that shows somebody else as well, clearly smaller: see `_main_face`."""

_BACKGROUND_SIDE = 0.5
"""A face less than half as wide as the main one stands behind it and is nobody's reference."""

_SMALLER_SIDE = 0.75
"""A face less than three quarters as wide covers about half the area: clearly the smaller of two."""

_BACKGROUND_SIDE_AT_EDGE = 0.8
"""A face that the picture's edge cuts off is no subject either, unless it is nearly as large."""

_EDGE_SHARE = 0.02


@dataclass(frozen=True, slots=True, repr=False)
class ReadFace:
    """The one face of a picture, read.

    Attributes:
        portrait: (320, 320, 3) uint8 BGR, upright.
        embedding: (D,) float32, of unit length: biometric data, never printed.
        quality: of the face in the picture.
        other_faces: whether somebody else is in the picture, clearly smaller and aside.
    """

    portrait: Image
    embedding: Float32
    quality: FaceQuality
    other_faces: bool

    def __repr__(self) -> str:
        return f"ReadFace(dimension={len(self.embedding)})"


class RefusedPictureError(EnrolError):
    """A picture that is nobody's reference; `outcome` says why."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome


def read_face(image: Image, engines: Engines, name: str = "the picture") -> ReadFace:
    """The face a picture stands for.

    Args:
        image: (H, W, 3) uint8 BGR.
        engines: the models the template will be compared with.
        name: what the message calls it.

    Raises:
        RefusedPictureError: no face in it, or more than one.
        VisionError: a model failed.
    """
    faces = engines.face_detector.detect(image)
    main, other_faces = _main_face(faces, image, name)
    (quality,) = engines.measure_quality(image, main)
    (embedding,) = engines.embedder.embed(image, main.landmarks)
    return ReadFace(
        portrait(image, main.landmarks[0], PORTRAIT_SIZE_PX),
        np.asarray(embedding, np.float32),
        quality,
        other_faces,
    )


def _main_face(faces: Faces, image: Image, name: str) -> tuple[Faces, bool]:
    """The one face a picture shows, one row, and whether another one is to be told of.

    Faces far behind or cut off at the edge are nobody's. Beside those, another face is borne, and told, where
    nobody could mean it: the main face covers the picture's middle and every other covers about half its area or
    less. Any other company refuses the picture: somebody else's reference is worse than one less.
    """
    if not len(faces):
        raise RefusedPictureError(
            "no_face", f"{name}: no face found; use a picture of one person facing the camera"
        )
    sides = np.sqrt(np.prod(faces.xyxy[:, 2:] - faces.xyxy[:, :2], axis=1))
    main = int(np.argmax(sides))
    height, width = image.shape[:2]
    margin = _EDGE_SHARE * max(height, width)
    at_edge = (faces.xyxy[:, :2] <= margin).any(axis=1)
    at_edge |= (faces.xyxy[:, 2:] >= np.array([width, height]) - margin).any(axis=1)
    limit = np.where(at_edge, _BACKGROUND_SIDE_AT_EDGE, _BACKGROUND_SIDE)
    visible = sides >= limit * sides[main]
    others = visible & (np.arange(len(faces)) != main)
    middle = np.array([width, height]) / 2
    covers = bool((faces.xyxy[main, :2] <= middle).all() and (faces.xyxy[main, 2:] >= middle).all())
    if others.any() and not (covers and (sides[others] < _SMALLER_SIDE * sides[main]).all()):
        found = int(np.count_nonzero(visible))
        raise RefusedPictureError(
            "several_faces", f"{name}: {found} faces found; crop it to the one person it stands for"
        )
    return faces[np.array([main], np.int64)], bool(others.any())
