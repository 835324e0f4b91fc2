"""How a head is turned, from five landmarks and the proportions of an average head.

Weak perspective: seen from afar, a head turned by ψ shows its eyes cos ψ of their distance apart and its nose
tip, which stands out before them, sin ψ of its depth to the side. Both follow from one ratio, without any fit.
People's noses differ, so these are estimates: good to about ten degrees, enough to tell a profile from a face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vision.types import Float32

Float64 = npt.NDArray[np.float64]

_NOSE_DEPTH = 0.55
"""Nose tip before the eyes, in eye distances: 35 mm of 63 mm (nasal protrusion and depth of the eyes' orbits in
anthropometric tables, adults)."""

_MOUTH_DEPTH = 0.08
"""Mouth corners before the eyes, in eye distances."""

_NOSE_BELOW, _MOUTH_BELOW = 0.571, 1.154
"""Below the eyes' line, in eye distances, on a level face: the template all ArcFace models are aligned to."""

MAX_YAW_RATIO = 10.0


@dataclass(frozen=True, slots=True)
class Pose:
    """How N heads are turned.

    Attributes:
        yaw_ratio: (N,) how far the nose lies from the eyes' middle along their line, in eye distances; at most 10
            either way.
        yaw_degrees: (N,) about the vertical; above 0 when the nose points to the picture's right.
        pitch_degrees: (N,) above 0 when the head looks down.
        roll_degrees: (N,) the eyes' line against the picture's rows; above 0 clockwise.
    """

    yaw_ratio: Float64
    yaw_degrees: Float64
    pitch_degrees: Float64
    roll_degrees: Float64

    def __len__(self) -> int:
        return len(self.yaw_ratio)


def pose_of(landmarks: Float32) -> Pose:
    """The pose of each face.

    Args:
        landmarks: (N, 5, 2) pixels, in the order of `Faces.landmarks`.
    """
    points = landmarks.astype(np.float64)
    eyes = points[:, 1] - points[:, 0]
    middle = (points[:, 0] + points[:, 1]) / 2
    nose, mouth = points[:, 2] - middle, (points[:, 3] + points[:, 4]) / 2 - middle
    yaw_ratio = _yaw_ratio(eyes, nose)
    return Pose(
        yaw_ratio=yaw_ratio,
        yaw_degrees=np.degrees(np.arctan(yaw_ratio / _NOSE_DEPTH)),
        pitch_degrees=_pitch_degrees(eyes, nose, mouth),
        roll_degrees=np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0])),
    )


def _yaw_ratio(eyes: Float64, nose: Float64) -> Float64:
    along = (nose * eyes).sum(axis=1)
    squared = (eyes**2).sum(axis=1)
    # Eyes in one point are as far in profile as can be; which way, the nose's offset tells.
    beyond = np.copysign(MAX_YAW_RATIO, np.where(along == 0, nose[:, 0], along))
    ratios: npt.NDArray[Any] = np.divide(along, squared, out=beyond, where=squared > 0)
    return np.asarray(np.clip(ratios, -MAX_YAW_RATIO, MAX_YAW_RATIO), np.float64)


def _pitch_degrees(eyes: Float64, nose: Float64, mouth: Float64) -> Float64:
    """From how far down between eyes and mouth the nose tip lies; 0 where the mouth is not below the eyes.

    At pitch θ a point `below` and `depth` before the eyes shows `below` cos θ + `depth` sin θ under them; the ratio
    of nose to mouth gives tan θ.
    """
    # At right angles to the eyes' line, which roll turns and yaw shortens; lengths cancel in the ratio.
    down = np.stack([-eyes[:, 1], eyes[:, 0]], axis=1)
    nose_down, mouth_down = (nose * down).sum(axis=1), (mouth * down).sum(axis=1)
    upright = mouth_down > 0
    share = np.divide(
        nose_down, mouth_down, out=np.full(len(eyes), _NOSE_BELOW / _MOUTH_BELOW), where=upright
    )
    share = np.clip(share, 0.0, 1.0)
    return np.asarray(
        np.degrees(np.arctan((share * _MOUTH_BELOW - _NOSE_BELOW) / (_NOSE_DEPTH - share * _MOUTH_DEPTH))),
        np.float64,
    )
