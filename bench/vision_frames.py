"""What following faces costs beside the models: tracking, quality and fusion of fifty people in one frame.

Detector and embedder answer from memory, so that what is timed is everything between them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.side_by_side import one_core
from pipelines.calibrations import load_calibration
from pipelines.face_tracks import FaceTrackOptions, FaceTracks, Watch
from pipelines.stages import Engines
from vision.face.quality import measure as measure_quality
from vision.identify.fusion import FusionOptions
from vision.identify.gallery import Gallery
from vision.track.base import Tracker
from vision.types import Faces, Float32, Frame, Image

Float64 = npt.NDArray[np.float64]

TRACKS = 50
FRAMES = 600
FPS = 10.0
FRAME_WH = (1920, 1080)
FACE_PX = 60
SUBJECTS = 100
DIMENSION = 512
_COLUMNS = 10
_LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


@dataclass(frozen=True, slots=True)
class FrameCost:
    """Milliseconds a frame, on one core.

    Attributes:
        tracks: faces in every frame.
        frames: measured, from an empty picture on.
        mean_ms: over all of them, the first looks at everybody included.
        steady_ms: mean of the second half.
        p95_ms: of all.
        looks: embeddings asked for, all frames together.
    """

    tracks: int
    frames: int
    mean_ms: float
    steady_ms: float
    p95_ms: float
    looks: int


class _Walking:
    """Fifty faces on slow paths of their own; finds them by knowing where they are."""

    min_confidence = 0.35
    providers = ()

    def __init__(self, seed: int) -> None:
        chance = np.random.default_rng(seed)
        cells = np.array([(i % _COLUMNS, i // _COLUMNS) for i in range(TRACKS)], np.float32)
        starts = cells * (185, 200) + 40 + chance.uniform(0, 40, (TRACKS, 2))
        steps = chance.uniform(-1.5, 1.5, (TRACKS, 2))
        swings = (np.sin(frame / 15) * 20 for frame in range(FRAMES))
        self._frames = iter(
            [_faces_at(starts + steps * swing + chance.normal(0, 0.5, (TRACKS, 2))) for swing in swings]
        )

    def detect(self, image: Image) -> Faces:  # noqa: ARG002 - the protocol's
        """All of them, a pixel or so off."""
        return next(self._frames)


def _faces_at(corners: Float64) -> Faces:
    xyxy = np.concatenate([corners, corners + FACE_PX], axis=1).astype(np.float32)
    landmarks = (corners[:, None, :] + _LANDMARKS * FACE_PX).astype(np.float32)
    return Faces(xyxy, np.full(TRACKS, 0.9, np.float32), landmarks)


class _Remembered:
    """Gives every face of the row a template near one of its own, at no cost to speak of."""

    dimension = DIMENSION
    providers = ()

    def __init__(self, seed: int) -> None:
        rows = np.random.default_rng(seed).standard_normal((TRACKS, DIMENSION), dtype=np.float32)
        self._rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        self.looks = 0

    def embed(self, image: Image, landmarks: Float32) -> Float32:  # noqa: ARG002 - the protocol's
        """By place in the picture: the column and line tell who it is."""
        cells = ((landmarks[:, 2] - 40) // (185, 200)).astype(int)
        people = np.clip(cells[:, 1] * _COLUMNS + cells[:, 0], 0, TRACKS - 1)
        self.looks += len(people)
        return np.array(self._rows[people])


def measure(new_tracker: Callable[[], Tracker], embedder_id: str, seed: int = 0) -> FrameCost:
    """The faces of one camera from its first frame on.

    Args:
        new_tracker: what follows the faces.
        embedder_id: whose calibration gives the thresholds.
        seed: of paths, templates and list.
    """
    chance = np.random.default_rng(seed)
    image = chance.integers(0, 255, (FRAME_WH[1], FRAME_WH[0], 3), dtype=np.uint8)
    remembered = _Remembered(seed + 1)
    engines = Engines(
        face_detector=_Walking(seed),
        embedder=remembered,
        embedder_id=embedder_id,
        calibration=load_calibration(embedder_id),
        measure_quality=measure_quality,
        new_face_tracker=new_tracker,
        new_object_tracker=new_tracker,
    )
    listed = chance.standard_normal((SUBJECTS, DIMENSION), dtype=np.float32)
    gallery = Gallery(listed, [f"subject-{i}" for i in range(SUBJECTS)])
    calibration = engines.calibration
    point = calibration.operating_point(
        gallery_templates=SUBJECTS, gallery_subjects=SUBJECTS, false_alerts_per_1000_faces=1.0
    )
    fusion = FusionOptions(min_looks=3, disagreement_similarity=calibration.disagreement_similarity)
    faces = FaceTracks(engines, FaceTrackOptions(), fusion, lambda _summary: None)
    watch, spent_ms = Watch(gallery, point), []
    with one_core():
        for index in range(FRAMES):
            frame = Frame(image, index / FPS, index)
            start = time.perf_counter()
            faces.expire(frame.pts_seconds)
            faces.update(frame, (), watch)
            spent_ms.append((time.perf_counter() - start) * 1000)
    return FrameCost(
        tracks=TRACKS,
        frames=FRAMES,
        mean_ms=float(np.mean(spent_ms)),
        steady_ms=float(np.mean(spent_ms[FRAMES // 2 :])),
        p95_ms=float(np.percentile(spent_ms, 95)),
        looks=remembered.looks,
    )
