"""One moment of the clip before the camera: people between the barriers, and where their faces are."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from aiqyn.demo.footage.camera import motion_blur
from aiqyn.demo.footage.cast import Box, Landmarks
from aiqyn.demo.footage.cutout import Cutout
from aiqyn.demo.footage.hall import HEIGHT_PX, WIDTH_PX, Barrier, Hall, Lane
from aiqyn.demo.footage.truth import FaceTruth
from aiqyn.demo.footage.walks import Pose, Walk
from vision.types import Float32

Transform = npt.NDArray[np.float64]
"""(2, 3): from pixels of a cut-out to pixels of the clip."""

_HIDDEN_SHARE = 0.35
"""A face of which more than this lies behind a nearer person or outside the picture is not called visible."""


@dataclass(frozen=True, slots=True, repr=False)
class Moment:
    """A composed scene, (720, 1280, 3) float32 BGR, and its faces, far to near."""

    scene: Float32
    faces: tuple[FaceTruth, ...]


def compose(
    hall: Hall, cutouts: dict[str, Cutout], walks: tuple[Walk, ...], seconds: float, fps: float
) -> Moment:
    """The scene at one moment.

    Args:
        hall: the empty hall.
        cutouts: by person id, at least as large as the person gets.
        walks: who is where.
        seconds: since the start of the clip.
        fps: frames a second, for the blur of motion.
    """
    scene = hall.background.copy()
    placed: list[tuple[str, Transform, Cutout]] = []
    covers: list[Float32] = []
    for lane in Lane:
        barrier = hall.barriers.get(lane)
        lowest = barrier.hidden_below_px if barrier else HEIGHT_PX
        for walk in walks:
            pose = walk.pose_at(seconds) if walk.lane == lane else None
            if pose is None:
                continue
            cutout = cutouts[walk.person.person_id]
            transform = placement(cutout, pose)
            covers.append(_draw(scene, cutout, transform, _Smear(pose.speed_px_per_second, fps, lowest)))
            placed.append((walk.person.person_id, transform, cutout))
        if barrier:
            _lay_over(scene, barrier)
    faces = tuple(
        _face(person_id, transform, cutout, covers[number + 1 :])
        for number, (person_id, transform, cutout) in enumerate(placed)
    )
    return Moment(scene, faces)


def placement(cutout: Cutout, pose: Pose) -> Transform:
    """The transform that puts the face where the pose says."""
    scale = pose.face_width_px / cutout.face_width_px
    matrix = np.asarray(cv2.getRotationMatrix2D(cutout.anchor_xy, pose.roll_degrees, scale), dtype=np.float64)
    x, y = cutout.anchor_xy
    matrix[:, 2] += (pose.x_px - x, pose.y_px - y)
    return matrix


@dataclass(frozen=True, slots=True)
class _Smear:
    """How a person is drawn: blurred by this speed at this frame rate, and not below this row."""

    speed_px_per_second: float
    fps: float
    lowest_px: int

    def of(self, layer: Float32) -> Float32:
        return motion_blur(layer, self.speed_px_per_second, self.fps)


def _draw(scene: Float32, cutout: Cutout, transform: Transform, smear: _Smear) -> Float32:
    """Draws a person into the scene; returns how far each pixel is covered, (720, 1280)."""
    cover = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
    x0, y0, x1, y1 = _bounds(transform, cutout.alpha.shape)
    y1 = min(y1, smear.lowest_px)
    if x0 >= x1 or y0 >= y1:
        return cover
    local = transform.copy()
    local[:, 2] -= (x0, y0)
    size = (x1 - x0, y1 - y0)
    alpha = smear.of(_warp(cutout.alpha, local, size))
    colour = smear.of(_warp(cutout.colour, local, size))
    part = scene[y0:y1, x0:x1]
    part *= 1 - alpha[..., None]
    part += colour
    cover[y0:y1, x0:x1] = alpha
    return cover


def _warp(layer: Float32, transform: Transform, size_wh: tuple[int, int]) -> Float32:
    return np.asarray(cv2.warpAffine(layer, transform, size_wh, flags=cv2.INTER_LINEAR), dtype=np.float32)


def _bounds(transform: Transform, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The part of the clip a cut-out can reach, with room for the blur."""
    height, width = shape[:2]
    corners = _moved(transform, [(0, 0), (width, 0), (width, height), (0, height)])
    low, high = corners.min(axis=0) - 12, corners.max(axis=0) + 12
    x0, y0 = max(0, floor(low[0])), max(0, floor(low[1]))
    return x0, y0, min(WIDTH_PX, ceil(high[0])), min(HEIGHT_PX, ceil(high[1]))


def _moved(transform: Transform, points: Any) -> npt.NDArray[np.float64]:
    array = np.asarray(points, dtype=np.float64)
    return np.asarray(array @ transform[:, :2].T + transform[:, 2], dtype=np.float64)


def _lay_over(scene: Float32, barrier: Barrier) -> None:
    part = scene[barrier.top_px : barrier.top_px + len(barrier.colour)]
    part *= 1 - barrier.alpha
    part += barrier.colour


def _face(person_id: str, transform: Transform, cutout: Cutout, nearer: list[Float32]) -> FaceTruth:
    x0, y0, x1, y1 = cutout.face_xyxy
    corners = _moved(transform, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    # The turned box's mean sides: the box an upright detector draws around a head tilted by a degree or two.
    left, right = corners[[0, 3], 0].mean(), corners[[1, 2], 0].mean()
    top, bottom = corners[[0, 1], 1].mean(), corners[[2, 3], 1].mean()
    box: Box = (_tenth(left), _tenth(top), _tenth(right), _tenth(bottom))
    a, b, c, d, e = ((round(x, 1), round(y, 1)) for x, y in _moved(transform, cutout.landmarks).tolist())
    landmarks: Landmarks = (a, b, c, d, e)
    return FaceTruth(person_id, box, landmarks, _visible(box, nearer))


def _tenth(value: Any) -> float:
    return round(float(value), 1)


def _visible(box: Box, nearer: list[Float32]) -> bool:
    x0, y0, x1, y1 = (round(value) for value in box)
    inside = slice(max(0, y0), max(0, y1)), slice(max(0, x0), max(0, x1))
    area = max(1, (x1 - x0) * (y1 - y0))
    seen = np.ones((HEIGHT_PX, WIDTH_PX), np.float32)[inside]
    for cover in nearer:
        seen = seen * (1 - cover[inside])
    return bool(seen.sum() / area > 1 - _HIDDEN_SHARE)
