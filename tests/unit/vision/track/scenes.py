"""Made-up scenes for trackers: who stands where at which time, and what a detector saw of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from vision.track.base import Tracker
from vision.types import Detections, Tracks

Path = Callable[[float], tuple[float, float] | None]
"""Centre of an object at a time, pixels; None where it is not seen."""


def make_detections(
    xyxy: Iterable[tuple[float, float, float, float]], confidence: float = 0.9, class_id: int = 0
) -> Detections:
    """Boxes of one confidence and one class."""
    boxes = np.array(list(xyxy), np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(len(boxes), confidence), np.full(len(boxes), class_id))


def box(centre_xy: tuple[float, float], size_wh: tuple[float, float]) -> tuple[float, float, float, float]:
    """The box of this size around a point."""
    (x, y), (width, height) = centre_xy, size_wh
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def follow(
    tracker: Tracker,
    paths: list[Path],
    times: Iterable[float],
    size_wh: tuple[float, float] = (40.0, 100.0),
    noise_px: float = 0.0,
) -> list[dict[int, int]]:
    """Runs a tracker over a scene.

    Returns:
        Per time: number of the path → id of its track; a path without a track is left out.
    """
    rng = np.random.default_rng(7)
    seen = []
    for seconds in times:
        shown = [(number, centre) for number, path in enumerate(paths) if (centre := path(seconds))]
        boxes = np.array([box(centre, size_wh) for _, centre in shown]).reshape(-1, 4)
        boxes += rng.normal(0.0, noise_px, boxes.shape) if noise_px else 0.0
        tracks = tracker.update(make_detections(map(tuple, boxes)), seconds)
        seen.append(
            {shown[i][0]: int(t) for t, i in zip(tracks.track_id, tracks.detection_index, strict=True)}
        )
    return seen


def ids_of(seen: list[dict[int, int]], path: int) -> list[int]:
    """The different ids a path got, in order of their first appearance."""
    return list(dict.fromkeys(frame[path] for frame in seen if path in frame))


def walk(start_xy: tuple[float, float], velocity_xy: tuple[float, float]) -> Path:
    """Straight on at a constant velocity, pixels per second."""
    return lambda seconds: (
        start_xy[0] + velocity_xy[0] * seconds,
        start_xy[1] + velocity_xy[1] * seconds,
    )


def hidden(path: Path, from_seconds: float, to_seconds: float) -> Path:
    """The same, but not seen from one time (included) to another (not included)."""
    return lambda seconds: None if from_seconds <= seconds < to_seconds else path(seconds)


def frames(fps: float, seconds: float) -> list[float]:
    """The times of a stream's frames."""
    return [index / fps for index in range(round(fps * seconds))]


def update_all(tracker: Tracker, frames_of: Iterable[Detections], fps: float = 25.0) -> list[Tracks]:
    """What a tracker says of each of these frames."""
    return [tracker.update(detections, index / fps) for index, detections in enumerate(frames_of)]
