"""Whether a face is worth comparing: four plain measurements and a verdict with reasons.

The limits come from comparing 120 faces of LFW with worsened copies of themselves by the default embedder:
at 24 px the similarity to the original falls to 0.83, at 20 px to 0.69; a Gaussian blur that brings the
sharpness down to 29 leaves 0.64, one to 15 leaves 0.39. Three-quarter profiles stay in, full ones go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vision.boxes import area
from vision.face.align import align
from vision.images import validate_image
from vision.types import Faces, Float32, Image

TOO_SMALL = "too_small"
BLURRED = "blurred"
PROFILE = "profile"
LOW_CONFIDENCE = "low_confidence"
REASONS = (TOO_SMALL, BLURRED, PROFILE, LOW_CONFIDENCE)

_CHIP_PX = 64
_CHIP_TEMPLATE = ((22.2, 29.8), (42.3, 29.7), (32.3, 41.3), (24.0, 53.1), (40.7, 53.0))
_CHIP_EDGE_PX = 6
"""Left out of the measurement: beyond a face at the picture's edge lies a step that is no detail."""

_MAX_YAW_RATIO = 10.0


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What a good face has at least, or at most.

    Attributes:
        min_face_px: square root of the box's area.
        min_sharpness: as `FaceQuality.sharpness`.
        max_yaw_ratio: as `FaceQuality.yaw_ratio`, either way.
        min_confidence: of the detector.
    """

    min_face_px: float = 24.0
    min_sharpness: float = 20.0
    max_yaw_ratio: float = 1.0
    min_confidence: float = 0.5


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """What was measured of one face.

    Attributes:
        face_size_px: square root of the box's area, pixels of the original frame.
        confidence: of the detector, 0 to 1.
        sharpness: variance of the Laplacian of the grey face, aligned and brought to 64 pixels.
        yaw_ratio: how far the nose lies from the eyes' middle along their line, in eye distances; above 0
            towards the eye on the picture's right; at most 10 either way.
        good: whether the face is worth comparing.
        reasons: why not, of `REASONS`; empty where it is good.
    """

    face_size_px: float
    confidence: float
    sharpness: float
    yaw_ratio: float
    good: bool
    reasons: tuple[str, ...] = ()


def measure(image: Image, faces: Faces, limits: QualityLimits | None = None) -> list[FaceQuality]:
    """The quality of every face in one picture.

    Args:
        image: (H, W, 3) uint8 BGR, full resolution.
        faces: N faces in it.
        limits: what is good; None for the defaults.

    Returns:
        N values in the same order.

    Raises:
        ImageError: not an image.
    """
    image = validate_image(image)
    limits = limits or QualityLimits()
    sizes = np.sqrt(area(faces.xyxy))
    ratios = _yaw_ratios(faces.landmarks)
    qualities = []
    for row in range(len(faces)):
        size_px, confidence = float(sizes[row]), float(faces.confidence[row])
        sharpness, ratio = _sharpness(image, faces.landmarks[row]), float(ratios[row])
        failed = (
            (size_px < limits.min_face_px, TOO_SMALL),
            (sharpness < limits.min_sharpness, BLURRED),
            (abs(ratio) > limits.max_yaw_ratio, PROFILE),
            (confidence < limits.min_confidence, LOW_CONFIDENCE),
        )
        reasons = tuple(reason for is_so, reason in failed if is_so)
        qualities.append(FaceQuality(size_px, confidence, sharpness, ratio, not reasons, reasons))
    return qualities


def _yaw_ratios(landmarks: Float32) -> npt.NDArray[np.floating[Any]]:
    points = landmarks.astype(np.float64)
    eyes = points[:, 1] - points[:, 0]
    nose = points[:, 2] - (points[:, 0] + points[:, 1]) / 2
    along = (nose * eyes).sum(axis=1)
    squared = (eyes**2).sum(axis=1)
    # Eyes in one point are as far in profile as can be; which way, the nose's offset tells.
    beyond = np.copysign(_MAX_YAW_RATIO, np.where(along == 0, nose[:, 0], along))
    ratios = np.divide(along, squared, out=beyond, where=squared > 0)
    return np.asarray(np.clip(ratios, -_MAX_YAW_RATIO, _MAX_YAW_RATIO))


def _sharpness(image: Image, landmarks: Float32) -> float:
    if np.ptp(landmarks, axis=0).max() < 1:
        return 0.0  # no face has all its features within a pixel, and none could be aligned by them
    chip = align(image, landmarks[None], _CHIP_TEMPLATE, _CHIP_PX)[0]
    grey = cv2.cvtColor(chip, cv2.COLOR_BGR2GRAY).astype(np.float32)
    edge = slice(_CHIP_EDGE_PX, -_CHIP_EDGE_PX)
    return float(cv2.Laplacian(grey, cv2.CV_32F)[edge, edge].var())
