"""The parts of a session that need no other part: scene cuts, counting, objects.

All time is the source's own, in seconds, and comes with the frame; nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from pipelines.accounting import FrameAccounting
from pipelines.findings import ObjectSeen, Xyxy
from vision.detect.base import Detector
from vision.face.base import Embedder, FaceDetector
from vision.face.quality import FaceQuality
from vision.identify.calibration import Calibration
from vision.track.base import Tracker
from vision.track.rejoin import RejoiningTracker
from vision.types import Detections, Faces, Float32, Image

PERSON_LABELS = frozenset({"person"})
VEHICLE_LABELS = frozenset({"bicycle", "bus", "car", "motorbike", "motorcycle", "train", "truck"})
"""COCO's words; older label files say `motorbike`."""


@dataclass(frozen=True, slots=True)
class Engines:
    """What a session runs: models and trackers, already built.

    Attributes:
        face_detector: finds faces with landmarks.
        embedder: turns faces into templates.
        embedder_id: the embedder's id in the catalogue.
        calibration: of the embedder; thresholds follow from it.
        measure_quality: of every face of one image.
        new_face_tracker: a fresh tracker for faces; called once per session.
        new_object_tracker: a fresh tracker for people and vehicles; called once per session.
        detector: of people and vehicles; None where none is wanted.
    """

    face_detector: FaceDetector
    embedder: Embedder
    embedder_id: str
    calibration: Calibration
    measure_quality: Callable[[Image, Faces], list[FaceQuality]]
    new_face_tracker: Callable[[], Tracker]
    new_object_tracker: Callable[[], Tracker]
    detector: Detector | None = None


class SceneCuts:
    """Tells where one picture has little to do with the one before.

    A cut changes both what is where and which colours there are. Motion, however fast, moves what is
    there and keeps its colours; a lamp changes colours and leaves everything in its place. So both must
    have changed: the correlation of two thumbnails, in which people move by a pixel or two, and the
    overlap of two colour histograms.

    Args:
        max_correlation: of the grey thumbnails, −1 to 1; a cut lies below.
        max_overlap: of the histograms, 0 to 1; a cut lies below.
    """

    _SIZE_WH = (32, 18)
    _BINS = (8, 4, 8)
    _RANGES = (0, 180, 0, 256, 0, 256)

    def __init__(self, max_correlation: float = 0.4, max_overlap: float = 0.7) -> None:
        self._max_correlation = max_correlation
        self._max_overlap = max_overlap
        self._previous: tuple[Float32, Float32] | None = None

    def is_cut(self, image: Image) -> bool:
        """Whether a cut lies between the image given before and this one; False for the first."""
        # Every k-th pixel first: averaging a whole 1080p frame costs a millisecond for nothing.
        step = max(1, min(image.shape[0] // 72, image.shape[1] // 128))
        sparse = np.ascontiguousarray(image[::step, ::step])
        layout, colours = self._layout(sparse), self._colours(sparse)
        previous, self._previous = self._previous, (layout, colours)
        if previous is None:
            return False
        correlation = float((previous[0] * layout).sum())
        overlap = float(np.minimum(previous[1], colours).sum())
        return correlation < self._max_correlation and overlap < self._max_overlap

    def _layout(self, sparse: Image) -> Float32:
        """The grey thumbnail without its mean, of length 1: the product of two is their correlation."""
        grey = cv2.cvtColor(sparse, cv2.COLOR_BGR2GRAY)
        small = cv2.resize(grey, self._SIZE_WH, interpolation=cv2.INTER_AREA).astype(np.float32)
        small -= small.mean()
        return np.asarray(small / max(float(np.linalg.norm(small)), 1.0), np.float32)

    def _colours(self, sparse: Image) -> Float32:
        hsv = cv2.cvtColor(sparse, cv2.COLOR_BGR2HSV)
        counts = cv2.calcHist([hsv], [0, 1, 2], None, self._BINS, self._RANGES)
        return np.asarray(counts / counts.sum(), np.float32)


class FrameCounter:
    """Counts what becomes of frames; every frame that is delivered is counted exactly once."""

    def __init__(self) -> None:
        self._not_sampled = 0
        self._inferred = 0
        self._gated = 0
        self._dropped: dict[str, int] = {}

    def not_sampled(self) -> None:
        """One frame skipped by the inference rate."""
        self._not_sampled += 1

    def inferred(self) -> None:
        """One frame the models saw."""
        self._inferred += 1

    def gated(self) -> None:
        """One frame skipped because nothing moved."""
        self._gated += 1

    def dropped(self, reason: str, frames: int = 1) -> None:
        """Frames lost for another reason."""
        self._dropped[reason] = self._dropped.get(reason, 0) + frames

    def accounting(self, undecodable: int = 0) -> FrameAccounting:
        """The counts so far.

        Args:
            undecodable: frames the source could not decode, by its own count.
        """
        delivered = self._not_sampled + self._inferred + self._gated + sum(self._dropped.values())
        return FrameAccounting(
            read=delivered + undecodable,
            decoded=delivered,
            undecodable=undecodable,
            not_sampled=self._not_sampled,
            gated=self._gated,
            inferred=self._inferred,
            dropped=dict(self._dropped),
        )


class ObjectStage:
    """People and vehicles: detected, tracked, nameless.

    Args:
        detector: finds objects of many classes; only people and vehicles are kept.
        tracker: follows them; what it loses for too long is re-joined by motion.
    """

    def __init__(self, detector: Detector, tracker: Tracker) -> None:
        self._detector = detector
        self._tracker = RejoiningTracker(tracker)
        wanted = PERSON_LABELS | VEHICLE_LABELS
        self._wanted_ids = np.array(
            [i for i, label in enumerate(detector.labels) if label in wanted], np.int32
        )

    def update(self, image: Image, pts_seconds: float) -> tuple[ObjectSeen, ...]:
        """The objects of this frame that the tracker reports."""
        return self.follow(self._detector.detect(image), pts_seconds)

    def follow(self, found: Detections, pts_seconds: float) -> tuple[ObjectSeen, ...]:
        """As `update`, where the detector has been run already."""
        tracks = self._tracker.update(found[np.isin(found.class_id, self._wanted_ids)], pts_seconds)
        return tuple(
            ObjectSeen(
                as_xyxy(tracks.xyxy[row]),
                float(tracks.confidence[row]),
                self._detector.labels[int(tracks.class_id[row])],
                int(tracks.track_id[row]),
            )
            for row in range(len(tracks))
        )

    def hold(self, pts_seconds: float) -> None:
        """Goes on to the time of a frame in which nothing moved."""
        self._tracker.hold(pts_seconds)

    def reset(self) -> None:
        """Ends every track."""
        self._tracker.reset()


def person_around(face_xyxy: Xyxy, objects: tuple[ObjectSeen, ...]) -> Xyxy | None:
    """The smallest person box with this face in its upper half; None where there is none."""
    centre_x = (face_xyxy[0] + face_xyxy[2]) / 2
    centre_y = (face_xyxy[1] + face_xyxy[3]) / 2
    boxes = [
        seen.xyxy
        for seen in objects
        if seen.label in PERSON_LABELS
        and seen.xyxy[0] <= centre_x <= seen.xyxy[2]
        and seen.xyxy[1] <= centre_y <= (seen.xyxy[1] + seen.xyxy[3]) / 2
    ]
    return min(boxes, key=_area, default=None)


def roomier(faces: Faces, factor: float) -> Detections:
    """The faces' boxes, enlarged about their centres, for a tracker that lives by overlap.

    A face is small against what its owner walks between two sampled frames: at ten frames a
    second a walker moves by about her face's width, and two boxes of her face no longer touch.
    Boxes buffered in proportion to their size keep the overlap and the order (C-BIoU, Yang et al.,
    WACV 2023). Three times the side is about head and shoulders.

    Args:
        faces: N faces.
        factor: new side by old side, at least 1.

    Returns:
        N detections of class 0 in the same order.
    """
    centre = (faces.xyxy[:, :2] + faces.xyxy[:, 2:]) / 2
    half = (faces.xyxy[:, 2:] - faces.xyxy[:, :2]) * (factor / 2)
    xyxy = np.concatenate([centre - half, centre + half], axis=1)
    return Detections(xyxy, faces.confidence, np.zeros(len(faces), np.int32))


def as_xyxy(row: Float32) -> Xyxy:
    """One row of boxes as four floats."""
    left, top, right, bottom = row.tolist()
    return left, top, right, bottom


def _area(xyxy: Xyxy) -> float:
    return (xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1])
