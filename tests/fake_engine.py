"""Models without weights: they read what `paint` drew. For tests of everything around the models.

A painted face is a square whose blue channel says who it is. The fakes find it exactly, every time,
so that what a test sees is the logic around them. None of this ships.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.stages import Engines
from tests.fake_calibration import strewn_calibration
from vision.face.quality import FaceQuality
from vision.track.ocsort import OcSort, OcSortOptions
from vision.types import Detections, Faces, Float32, Frame, Image

DIMENSION = 512
EMBEDDER_ID = "mobilefacenet-faceplugin"
"""The fake goes by the real one's name."""

CALIBRATION = strewn_calibration(EMBEDDER_ID)

_FACE_GREEN = 251
_SHARP_RED, _BLURRED_RED = 253, 249
_BODY = (7, 247, 3)
_LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


@dataclass(frozen=True, slots=True)
class Painted:
    """Somebody in a picture.

    Attributes:
        person: who, 0 to 255.
        xyxy: the face's box, whole pixels.
        blurred: too poor a look to be used.
        body_xyxy: box of the whole person, for the object detector.
    """

    person: int
    xyxy: tuple[int, int, int, int]
    blurred: bool = False
    body_xyxy: tuple[int, int, int, int] | None = None


def paint(people: Sequence[Painted], size_wh: tuple[int, int] = (320, 240), scene: int = 0) -> Image:
    """A picture of these people before a plain wall, or before a scene of that number."""
    image = np.full((size_wh[1], size_wh[0], 3), 40, np.uint8)
    if scene:
        blocks = np.random.default_rng(scene).integers(0, 200, (9, 12, 3), dtype=np.uint8)
        image = np.asarray(cv2.resize(blocks, size_wh, interpolation=cv2.INTER_NEAREST), np.uint8)
    for someone in people:
        if someone.body_xyxy:
            left, top, right, bottom = someone.body_xyxy
            image[top:bottom, left:right] = _BODY
    for someone in people:
        left, top, right, bottom = someone.xyxy
        red = _BLURRED_RED if someone.blurred else _SHARP_RED
        image[top:bottom, left:right] = (someone.person, _FACE_GREEN, red)
    return image


def photograph(person: int, number: int, side: int = 80) -> Image:
    """One of a person's pictures: the face has its own freckles in each, so that no two are the same picture."""
    image = paint([Painted(person, square(120, 80, side))])
    rng = np.random.default_rng([13, person, number])
    nose = np.array([120 + 0.5 * side, 80 + 0.6 * side])
    for x, y in rng.integers((124, 84), (116 + side, 76 + side), (40, 2)):
        if np.abs(nose - (x, y)).max() > 6:
            image[y - 2 : y + 2, x - 2 : x + 2] = rng.integers(0, 240, 3)
    return image


def frame(people: Sequence[Painted], pts_seconds: float, index: int = 0, scene: int = 0) -> Frame:
    """`paint` with a time."""
    return Frame(paint(people, scene=scene), pts_seconds, index)


def face_of(person: int, look: int | None = None, noise: float = 0.5) -> Float32:
    """A person's template, or one look at them; different people are nearly at right angles.

    Args:
        person: who.
        look: which look; None for the template itself.
        noise: length of what differs from look to look; 0.5 makes two looks about 0.8 alike.

    Returns:
        (512,) float32 of unit length.
    """
    face = _unit(np.random.default_rng([11, person]).normal(size=DIMENSION))
    if look is None:
        return face
    return _unit(face + noise * _unit(np.random.default_rng([12, person, look]).normal(size=DIMENSION)))


class FakeFaceDetector:
    """Finds painted faces."""

    min_confidence = 0.5

    def detect(self, image: Image) -> Faces:
        """See `vision.face.base.FaceDetector.detect`."""
        mask = (image[:, :, 1] == _FACE_GREEN) & (image[:, :, 2] >= _BLURRED_RED)
        boxes = _boxes(mask)
        sides = boxes[:, 2:] - boxes[:, :2]
        landmarks = boxes[:, np.newaxis, :2] + _LANDMARKS * sides[:, np.newaxis]
        return Faces(boxes, np.full(len(boxes), 0.9, np.float32), landmarks)


class FakeEmbedder:
    """Reads who it is off the picture; every call is another look at them.

    Args:
        noise: as in `face_of`.

    Attributes:
        faces_embedded: how many templates were computed in all.
    """

    dimension = DIMENSION

    def __init__(self, noise: float = 0.5) -> None:
        self._noise = noise
        self.faces_embedded = 0

    def embed(self, image: Image, landmarks: Float32) -> Float32:
        """See `vision.face.base.Embedder.embed`."""
        rows = []
        for face in landmarks:
            x, y = face[2].astype(int)
            self.faces_embedded += 1
            rows.append(face_of(int(image[y, x, 0]), self.faces_embedded, self._noise))
        return np.array(rows, np.float32).reshape(-1, DIMENSION)


class FakeDetector:
    """Finds painted bodies; always calls what it finds a person."""

    labels = ("cat", "person")
    min_confidence = 0.5

    def detect(self, image: Image) -> Detections:
        """See `vision.detect.base.Detector.detect`."""
        # A face before its body is part of the person.
        boxes = _boxes((image == _BODY).all(axis=2) | (image[:, :, 1] == _FACE_GREEN))
        return Detections(boxes, np.full(len(boxes), 0.9, np.float32), np.ones(len(boxes), np.int32))


def fake_quality(image: Image, faces: Faces) -> list[FaceQuality]:
    """Every face is good but those painted as blurred."""
    qualities = []
    for xyxy, confidence, landmarks in zip(faces.xyxy, faces.confidence, faces.landmarks, strict=True):
        x, y = landmarks[2].astype(int)
        good = image[y, x, 2] != _BLURRED_RED
        qualities.append(
            FaceQuality(
                face_size_px=float(np.sqrt((xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1]))),
                confidence=float(confidence),
                sharpness=100.0,
                score=float(confidence * min(np.sqrt((xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1])) / 112, 1.0)),
                yaw_ratio=0.0,
                good=bool(good),
                reasons=() if good else ("blurred",),
            )
        )
    return qualities


def new_tracker() -> OcSort:
    """The real tracker; reports a track from its first frame."""
    return OcSort(OcSortOptions(start_confidence=0.5, confirm_hits=1))


def fake_engines(*, embedder: FakeEmbedder | None = None, detector: FakeDetector | None = None) -> Engines:
    """A whole engine of fakes; without `detector`, faces only."""
    return Engines(
        face_detector=FakeFaceDetector(),
        embedder=embedder or FakeEmbedder(),
        embedder_id=EMBEDDER_ID,
        calibration=CALIBRATION,
        measure_quality=fake_quality,
        new_face_tracker=new_tracker,
        new_object_tracker=new_tracker,
        detector=detector,
    )


def square(x: int, y: int, side: int = 40) -> tuple[int, int, int, int]:
    """A box with its top left corner here."""
    return x, y, x + side, y + side


def _boxes(mask: npt.NDArray[np.bool_]) -> Float32:
    """One box per connected patch of a mask."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    rows = [(s[0], s[1], s[0] + s[2], s[1] + s[3]) for s in stats[1:count]]
    return np.array(rows, np.float32).reshape(-1, 4)


def _unit(values: npt.NDArray[np.floating]) -> Float32:
    return np.asarray(values / np.linalg.norm(values), np.float32)
