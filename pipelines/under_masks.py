"""Detection masks around one session's detectors: what lies under one is dropped, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from pipelines.stages import Engines
from vision.detect.base import Detector
from vision.face.base import FaceDetector
from vision.masks import Anchor, covers
from vision.polygons import Polygon
from vision.types import Detections, Faces, Image

Found = TypeVar("Found", Detections, Faces)


class UnderMasks:
    """The detection masks of one camera; none at first.

    Attributes:
        dropped: detections dropped so far, of people, vehicles and faces together.
    """

    def __init__(self) -> None:
        self._polygons: tuple[Polygon, ...] = ()
        self.dropped = 0

    def set(self, polygons: Sequence[Polygon]) -> None:
        """Puts other masks in force from the next picture on."""
        self._polygons = tuple(polygons)

    def over(self, engines: Engines) -> Engines:
        """The engines with these masks around their detectors."""
        detector = MaskedDetector(engines.detector, self) if engines.detector else None
        return replace(
            engines, detector=detector, face_detector=MaskedFaceDetector(engines.face_detector, self)
        )

    def left(self, found: Found, image: Image, anchor: Anchor) -> Found:
        """What does not lie under a mask."""
        if not self._polygons:
            return found
        under = covers(found.xyxy, (image.shape[1], image.shape[0]), self._polygons, anchor)
        self.dropped += int(np.count_nonzero(under))
        return found[~under]


class MaskedDetector:
    """A `Detector` that is blind to whoever stands under a mask."""

    def __init__(self, detector: Detector, masks: UnderMasks) -> None:
        self._detector = detector
        self._masks = masks
        self.labels = detector.labels

    @property
    def min_confidence(self) -> float:
        """Of the detector within."""
        return self._detector.min_confidence

    def detect(self, image: Image) -> Detections:
        """See `Detector.detect`."""
        return self._masks.left(self._detector.detect(image), image, "bottom_centre")


class MaskedFaceDetector:
    """A `FaceDetector` that is blind to faces whose centre lies under a mask."""

    def __init__(self, detector: FaceDetector, masks: UnderMasks) -> None:
        self._detector = detector
        self._masks = masks

    @property
    def min_confidence(self) -> float:
        """Of the detector within."""
        return self._detector.min_confidence

    def detect(self, image: Image) -> Faces:
        """See `FaceDetector.detect`."""
        return self._masks.left(self._detector.detect(image), image, "centre")
