"""Small and distant people of one camera: moving parts searched closely, faces at the size that suits them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np

from pipelines.stages import Engines
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


class CloserLook:
    """What one camera's detectors look at more closely; one instance per camera.

    Args:
        crops: of moving parts searched in each picture, for objects and for faces; 0: none.
    """

    def __init__(self, crops: int) -> None:
        self._crops = crops
        self._motion = MotionRegions()
        self._sizes = FaceSizes()
        self._moving: list[Box] = []

    def see(self, image: Image) -> None:
        """Finds out what moves in the picture that both detectors are given next."""
        self._moving = self._motion.update(image) if self._crops else []

    def reset(self) -> None:
        """The scene changed: what was still there is not now."""
        self._motion.reset()

    def over(self, engines: Engines) -> Engines:
        """The engines with this camera's closer look around their detectors."""
        detector = CloserDetector(engines.detector, self) if engines.detector else None
        return replace(
            engines, detector=detector, face_detector=CloserFaceDetector(engines.face_detector, self)
        )

    def objects(self, image: Image, detector: Detector) -> Detections:
        """Objects of the whole picture, and of moving parts of it."""
        whole = detector.detect(image)
        parts = self._parts(image, OBJECT_CROP_PX, detector.detect, _moved_detections)
        return merge_detections(whole, parts) if parts else whole

    def faces(self, image: Image, detector: FaceDetector) -> Faces:
        """Faces of the whole picture at the size this camera asks for, and of moving parts where they are small."""
        height, width = image.shape[:2]
        shrink = self._sizes.long_side_px(max(height, width)) / max(height, width)
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
        small_px = self._sizes.small_px
        if small_px is None or small_px < SMALL_FACE_PX:
            parts = self._parts(image, FACE_CROP_PX, lambda crop: _grown(crop, detector), _moved_faces)
            whole = merge_faces(whole, parts) if parts else whole
        self._sizes.note(whole.xyxy)
        return whole

    def _parts(
        self,
        image: Image,
        side_px: int,
        detect: Callable[[Image], Found],
        moved: Callable[[Found, Box], Found],
    ) -> list[Found]:
        size_wh = (image.shape[1], image.shape[0])
        parts = []
        for crop in choose_crops(self._moving, size_wh, side_px, max(size_wh) / _LEAST_GAIN, self._crops):
            left, top, right, bottom = crop
            found = moved(detect(np.ascontiguousarray(image[top:bottom, left:right])), crop)
            parts.append(found[np.flatnonzero(whole_in_crop(found.xyxy, crop, size_wh))])
        return parts


class CloserDetector:
    """A `Detector` of one camera."""

    def __init__(self, detector: Detector, look: CloserLook) -> None:
        self._detector = detector
        self._look = look
        self.labels = detector.labels

    @property
    def min_confidence(self) -> float:
        """Of the detector within."""
        return self._detector.min_confidence

    def detect(self, image: Image) -> Detections:
        """See `Detector.detect`."""
        return self._look.objects(image, self._detector)


class CloserFaceDetector:
    """A `FaceDetector` of one camera."""

    def __init__(self, detector: FaceDetector, look: CloserLook) -> None:
        self._detector = detector
        self._look = look

    @property
    def min_confidence(self) -> float:
        """Of the detector within."""
        return self._detector.min_confidence

    def detect(self, image: Image) -> Faces:
        """See `FaceDetector.detect`."""
        return self._look.faces(image, self._detector)


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
