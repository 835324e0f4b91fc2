"""Small and distant people of one camera: moving parts searched closely, faces at the size that suits them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np

from vision.boxes import area
from vision.detect.base import Detector
from vision.detect.motion import Box, MotionRegions
from vision.detect.regions import choose_crops, merge_detections, merge_faces, whole_in_crop
from vision.face.base import FaceDetector
from vision.face.sizes import FaceSizes
from vision.images import resize
from vision.types import Detections, Faces, Float32, Image

OBJECT_CROP_PX = 416
"""Side of an object detector's crop: about the input of the models here, so that it is seen at full resolution."""

FACE_CROP_PX = 320
FACE_GROWTH = 2
"""Crops are grown before faces are searched: below about 13 pixels no detector here finds them."""

LEAST_FACE_PX = 8.0
"""A smaller one tells nothing but that somebody is there, and most are none."""

SMALL_FACE_PX = 24.0
"""Only where the camera's small faces are below this are crops searched for faces."""

_LEAST_GAIN = 1.5
"""A crop is at most this part of the picture's long side: a larger one shows little that the whole does not."""

Found = TypeVar("Found", Detections, Faces)


@dataclass(frozen=True, slots=True)
class FaceSearch:
    """How faces are searched in one picture.

    Attributes:
        long_side_px: the whole picture is shrunk to this.
        closely: moving parts are searched as well.
    """

    long_side_px: int
    closely: bool


class CloserLook:
    """What one camera's detectors look at more closely; one instance per camera.

    `see`, `face_search` and `note` are called once for each picture, in order; `objects` and `faces` depend on their
    arguments alone.

    Args:
        crops: of moving parts searched in each picture, for objects and for faces; 0: none.
    """

    def __init__(self, crops: int) -> None:
        self._crops = crops
        self._motion = MotionRegions()
        self._sizes = FaceSizes()

    def see(self, image: Image) -> tuple[Box, ...]:
        """What moves in a picture since those before it, the largest first."""
        return tuple(self._motion.update(image)) if self._crops else ()

    def reset(self) -> None:
        """The scene changed: what was still there is not now."""
        self._motion.reset()

    def objects(self, image: Image, moving: Sequence[Box], detector: Detector) -> Detections:
        """Objects of the whole picture, and of moving parts of it."""
        whole = detector.detect(image)
        parts = self._parts(image, moving, OBJECT_CROP_PX, detector.detect, _moved_detections)
        return merge_detections(whole, parts) if parts else whole

    def face_search(self, image: Image) -> FaceSearch:
        """How faces are to be searched in the next picture, by the faces of those before it."""
        return FaceSearch(self._sizes.long_side_px(max(image.shape[:2])), self._is_close())

    def foreseen(self, image: Image, number: int) -> FaceSearch:
        """What `face_search` says of a picture, should those before it not change that.

        Args:
            image: the picture.
            number: of the picture, counted from 1.
        """
        return FaceSearch(self._sizes.foreseen_px(max(image.shape[:2]), number), self._is_close())

    def note(self, faces: Faces) -> None:
        """Takes in the faces of the picture `face_search` was last asked about."""
        self._sizes.note(faces.xyxy)

    def faces(self, image: Image, moving: Sequence[Box], search: FaceSearch, detector: FaceDetector) -> Faces:
        """Faces of the whole picture at the size this camera asks for, and of moving parts where they are small."""
        height, width = image.shape[:2]
        shrink = search.long_side_px / max(height, width)
        if shrink < 1:
            smaller, placement = resize(
                image, (max(1, round(width * shrink)), max(1, round(height * shrink)))
            )
            found = detector.detect(smaller)
            whole = Faces(
                placement.boxes_back(found.xyxy), found.confidence, placement.points_back(found.landmarks)
            )
        else:
            whole = detector.detect(image)
        if not search.closely:
            return whole
        parts = self._parts(image, moving, FACE_CROP_PX, lambda crop: _grown(crop, detector), _moved_faces)
        return merge_faces(whole, parts) if parts else whole

    def _is_close(self) -> bool:
        small_px = self._sizes.small_px
        return small_px is None or small_px < SMALL_FACE_PX

    def _parts(
        self,
        image: Image,
        moving: Sequence[Box],
        side_px: int,
        detect: Callable[[Image], Found],
        moved: Callable[[Found, Box], Found],
    ) -> list[Found]:
        size_wh = (image.shape[1], image.shape[0])
        parts = []
        for crop in choose_crops(moving, size_wh, side_px, max(size_wh) / _LEAST_GAIN, self._crops):
            left, top, right, bottom = crop
            found = moved(detect(np.ascontiguousarray(image[top:bottom, left:right])), crop)
            parts.append(found[np.flatnonzero(whole_in_crop(found.xyxy, crop, size_wh))])
        return parts


def _grown(crop: Image, detector: FaceDetector) -> Faces:
    grown = cv2.resize(crop, None, fx=FACE_GROWTH, fy=FACE_GROWTH, interpolation=cv2.INTER_LINEAR)
    found = detector.detect(np.asarray(grown, np.uint8))
    found = found[np.flatnonzero(area(found.xyxy) >= (LEAST_FACE_PX * FACE_GROWTH) ** 2)]
    back = np.float32(1 / FACE_GROWTH)
    return Faces(found.xyxy * back, found.confidence, found.landmarks * back)


def _corner(crop: Box) -> Float32:
    return np.array(crop[:2], np.float32)


def _moved_detections(found: Detections, crop: Box) -> Detections:
    return Detections(found.xyxy + np.tile(_corner(crop), 2), found.confidence, found.class_id)


def _moved_faces(found: Faces, crop: Box) -> Faces:
    return Faces(found.xyxy + np.tile(_corner(crop), 2), found.confidence, found.landmarks + _corner(crop))
