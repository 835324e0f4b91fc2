"""Made-up streets with known truth for trackers: walkers, occlusions, and a detector with faults.

Nothing here is tuned to a tracker: walkers go on and turn as people do, who stands lower in the picture hides who
stands behind, and the detector misses, shakes, doubles and invents boxes in ways that hold on for a while, as
real ones do. Everything follows from a seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipelines.evaluate.mot import NO_CLASS, MotBoxes
from vision import boxes
from vision.boxes import nms
from vision.types import Detections

Array = npt.NDArray[np.float64]

_WIDTH_PER_HEIGHT = 0.4
_STEP_SECONDS = 1 / 50
"""Walkers move in steps of this; frames are taken from them at the stream's rate."""


@dataclass(frozen=True, slots=True)
class DetectorFaults:
    """How a made-up detector errs.

    Attributes:
        confidence: median confidence of a person in full view, 0 to 1.
        spread: standard deviation of the confidence's logit; half of it holds on, half is new each frame.
        shake: standard deviation of each side of a box, share of its height.
        misses: share of the people in full view it does not report at all.
        clutter: places in view at any time where something is taken for a person, mean.
        clutter_confidence: median confidence of those; most fall below the floor.
        clutter_spread: standard deviation of its logit.
        clutter_seconds: how long one stays, mean.
        doubles: share of the people who get a second, weaker box, around part of the body.
        floor: boxes of less confidence are not reported.
    """

    confidence: float = 0.85
    spread: float = 1.2
    shake: float = 0.02
    misses: float = 0.05
    clutter: float = 15.0
    clutter_confidence: float = 0.1
    clutter_spread: float = 1.2
    clutter_seconds: float = 1.5
    doubles: float = 0.3
    floor: float = 0.1


@dataclass(frozen=True, slots=True)
class Street:
    """One scene.

    Attributes:
        name: in tables.
        people: in view at a time, about.
        fps: of the stream.
        seconds: of it.
        size_wh: of the picture, pixels.
        height_px: of the people, nearest and farthest.
        turning: how much a walker's velocity changes in a second, in heights a second.
        camera_shake_px: standard deviation of the picture's shift from frame to frame.
        lost_frames: share of the frames without any detection, in runs.
        detector: what it gets wrong.
    """

    name: str
    people: int = 10
    fps: float = 25.0
    seconds: float = 8.0
    size_wh: tuple[int, int] = (960, 540)
    height_px: tuple[float, float] = (90.0, 240.0)
    turning: float = 0.35
    camera_shake_px: float = 0.0
    lost_frames: float = 0.0
    detector: DetectorFaults = field(default_factory=DetectorFaults)


@dataclass(frozen=True, slots=True)
class Sequence:
    """What trackers are given, and what is true.

    Attributes:
        name: in tables.
        seconds: time of each frame.
        detections: of each frame.
        truth: where everybody is, frames from 1.
    """

    name: str
    seconds: tuple[float, ...]
    detections: tuple[Detections, ...]
    truth: MotBoxes

    def __post_init__(self) -> None:
        if len(self.seconds) != len(self.detections):
            raise ValueError(f"{self.name}: {len(self.seconds)} times, {len(self.detections)} detections")


def without_frames(sequence: Sequence, share: float, seed: int, longest_run: int = 5) -> Sequence:
    """The same with all detections of a share of the frames removed, in runs of one to `longest_run`."""
    rng = np.random.default_rng(seed)
    lost = lost_frames(rng, len(sequence.seconds), share, longest_run)
    detections = tuple(
        Detections.empty() if gone else found for gone, found in zip(lost, sequence.detections, strict=True)
    )
    return Sequence(f"{sequence.name} -{share:.0%} #{seed}", sequence.seconds, detections, sequence.truth)


def lost_frames(
    rng: np.random.Generator, frames: int, share: float, longest_run: int
) -> npt.NDArray[np.bool_]:
    """Which frames are lost: `round(share * frames)` of them exactly, in runs of random place and length."""
    lost = np.zeros(frames, np.bool_)
    wanted = round(share * frames)
    while (missing := wanted - int(lost.sum())) > 0:
        start = int(rng.integers(0, frames))
        lost[start : start + min(int(rng.integers(1, longest_run + 1)), missing)] = True
    return lost


def make_street(street: Street, seed: int) -> Sequence:
    """One run of a scene."""
    rng = np.random.default_rng(seed)
    walk = _walk(street, rng)
    eye = _Eye(street, rng)
    rows: list[tuple[float, ...]] = []
    seconds, detections = [], []
    shift = np.zeros(2)
    frames = round(street.seconds * street.fps)
    blind = lost_frames(rng, frames, street.lost_frames, 5)
    for number in range(frames):
        now = number / street.fps
        shift = 0.8 * shift + rng.normal(0.0, street.camera_shake_px, 2) if street.camera_shake_px else shift
        whole = walk[min(round(now / _STEP_SECONDS), len(walk) - 1)] + np.tile(shift, 2)
        shown = np.asarray(boxes.clip(whole, street.size_wh), np.float64)
        inside = boxes.area(shown) > 0.5 * boxes.area(whole)
        for walker in np.flatnonzero(inside):
            x1, y1, x2, y2 = shown[walker].tolist()
            rows.append((number + 1, int(walker) + 1, x1, y1, x2 - x1, y2 - y1, 1.0, NO_CLASS))
        found = eye.look(shown, inside, 1.0 / street.fps)
        seconds.append(now)
        detections.append(Detections.empty() if blind[number] else found)
    return Sequence(f"{street.name} #{seed}", tuple(seconds), tuple(detections), MotBoxes.of_rows(rows))


def _walk(street: Street, rng: np.random.Generator) -> Array:
    """(steps, walkers, 4) boxes; nearer walkers are larger, stand lower and move faster in pixels."""
    walkers = round(street.people * (1.0 + street.seconds / 10.0))
    steps = round(street.seconds / _STEP_SECONDS) + 1
    width, height = street.size_wh
    near, far = max(street.height_px), min(street.height_px)
    x = rng.uniform(-0.4 * width, 1.4 * width, walkers)
    depth = rng.uniform(0.0, 1.0, walkers)
    speed = rng.normal(0.0, 0.25, (walkers, 2)) * [1.0, 0.06] + [[0.0, 0.0]]
    speed[:, 0] += rng.choice([-0.7, 0.7, 0.0], walkers, p=[0.425, 0.425, 0.15])
    wanted = speed.copy()
    paths = np.empty((steps, walkers, 4))
    for step in range(steps):
        tall = far + (near - far) * depth
        feet = 0.45 * height + 0.53 * height * depth
        half = 0.5 * _WIDTH_PER_HEIGHT * tall
        paths[step] = np.stack([x - half, feet - tall, x + half, feet], axis=1)
        kick = rng.normal(0.0, street.turning, (walkers, 2)) * [1.0, 0.08] * np.sqrt(_STEP_SECONDS)
        speed += kick - (speed - wanted) * _STEP_SECONDS
        x = x + speed[:, 0] * tall * _STEP_SECONDS
        depth = np.clip(depth + speed[:, 1] * _STEP_SECONDS, 0.0, 1.0)
    return paths


class _Eye:
    """The detector, with what it remembers of each walker and of what it invents."""

    def __init__(self, street: Street, rng: np.random.Generator) -> None:
        self._street, self._rng = street, rng
        walkers = round(street.people * (1.0 + street.seconds / 10.0))
        self._mood = rng.normal(0.0, 1.0, walkers)
        self._shake = rng.normal(0.0, 1.0, (walkers, 4))
        self._ghosts = np.empty((0, 4))
        self._ghost_mood = np.empty(0)
        self._haunt(1e3)

    def look(self, xyxy: Array, inside: npt.NDArray[np.bool_], elapsed_seconds: float) -> Detections:
        """What is reported of one frame."""
        faults, rng = self._street.detector, self._rng
        keep = np.exp(-elapsed_seconds / 0.4)
        self._mood = _drift(self._mood, keep, rng)
        self._shake = _drift(self._shake, np.exp(-elapsed_seconds / 0.1), rng)
        visible = _visible(xyxy)
        heights = (xyxy[:, 3] - xyxy[:, 1])[:, np.newaxis]
        logit = _logit(faults.confidence) + faults.spread * (
            np.sqrt(0.5) * self._mood + np.sqrt(0.5) * rng.normal(0.0, 1.0, len(xyxy))
        )
        confidence = _logistic(logit - 5.0 * (1.0 - visible))
        noise = faults.shake * heights * (1.0 + 2.0 * (1.0 - visible))[:, np.newaxis]
        seen = inside & (rng.random(len(xyxy)) >= faults.misses)
        found = [(xyxy + noise * self._shake)[seen]]
        scores = [confidence[seen]]
        doubled = seen & (rng.random(len(xyxy)) < faults.doubles)
        part = xyxy[doubled].copy()
        part[:, 3] -= rng.uniform(0.3, 0.6, len(part)) * (part[:, 3] - part[:, 1])
        found.append(part)
        scores.append(confidence[doubled] * 0.8 * rng.uniform(0.0, 1.0, len(part)) ** 2)
        found.append(self._haunt(elapsed_seconds))
        scores.append(_logistic(_logit(faults.clutter_confidence) + faults.clutter_spread * self._ghost_mood))
        return _reported(np.concatenate(found), np.concatenate(scores), self._street)

    def _haunt(self, elapsed_seconds: float) -> Array:
        """Boxes around nothing: some stay, some go, some come."""
        street, rng = self._street, self._rng
        stay = rng.random(len(self._ghosts)) < np.exp(-elapsed_seconds / street.detector.clutter_seconds)
        come = rng.poisson(
            street.detector.clutter * -np.expm1(-elapsed_seconds / street.detector.clutter_seconds)
        )
        width, height = street.size_wh
        tall = rng.uniform(min(street.height_px), max(street.height_px), come)
        x, feet = rng.uniform(0, width, come), rng.uniform(0.4 * height, height, come)
        half = 0.5 * _WIDTH_PER_HEIGHT * tall
        fresh = np.stack([x - half, feet - tall, x + half, feet], axis=1)
        self._ghosts = np.concatenate([self._ghosts[stay], fresh])
        moods = np.concatenate([self._ghost_mood[stay], rng.normal(0.0, 1.0, come)])
        self._ghost_mood = _drift(moods, np.exp(-elapsed_seconds / 0.4), rng)
        tremble = rng.normal(0.0, 1.5 * street.detector.shake, self._ghosts.shape)
        return np.asarray(self._ghosts + tremble * (self._ghosts[:, 3:] - self._ghosts[:, 1:2]))


def _reported(xyxy: Array, confidence: Array, street: Street) -> Detections:
    inside = boxes.clip(xyxy, street.size_wh)
    kept = nms(inside, confidence, 0.5)
    kept = kept[(confidence[kept] >= street.detector.floor) & (boxes.area(inside[kept]) > 0)]
    return Detections(
        inside[kept].astype(np.float32), confidence[kept].astype(np.float32), np.zeros(len(kept), np.int32)
    )


def _visible(xyxy: Array) -> Array:
    """(N,) share of each box that no box with lower feet covers; overlaps of those are counted once each."""
    hidden = boxes.containment(xyxy, xyxy)
    nearer = xyxy[np.newaxis, :, 3] > xyxy[:, np.newaxis, 3]
    return np.asarray(np.clip(1.0 - (hidden * nearer).sum(axis=1), 0.0, 1.0))


def _drift(value: Array, keep: float, rng: np.random.Generator) -> Array:
    """Noise of variance 1 that holds on."""
    return np.asarray(keep * value + np.sqrt(1.0 - keep**2) * rng.normal(0.0, 1.0, value.shape))


def _logit(share: float) -> float:
    return float(np.log(share / (1.0 - share)))


def _logistic(value: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-value)))
