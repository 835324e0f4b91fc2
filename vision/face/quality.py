"""Whether a face is worth comparing, and how much: what can be measured of one look, and a verdict with reasons.

Box and landmarks cost next to nothing and are looked at first (`glance`); pixels are measured of the faces
that may still be wanted (`measure`), all chips of a frame at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vision.boxes import area
from vision.face.align import align
from vision.face.pose import Pose, pose_of
from vision.images import validate_image
from vision.types import Bool, Faces, Float32, Image

Float64 = npt.NDArray[np.float64]

TOO_SMALL = "too_small"
BLURRED = "blurred"
PROFILE = "profile"
DARK = "dark"
OVEREXPOSED = "overexposed"
FLAT = "flat"
OCCLUDED = "occluded"
LOW_CONFIDENCE = "low_confidence"
REASONS = (TOO_SMALL, BLURRED, PROFILE, DARK, OVEREXPOSED, FLAT, OCCLUDED, LOW_CONFIDENCE)

_CHIP_PX = 64
_CHIP_TEMPLATE = ((22.2, 29.8), (42.3, 29.7), (32.3, 41.3), (24.0, 53.1), (40.7, 53.0))
_EDGE_PX = 6
"""Left out of the measurement: beyond a face at the picture's edge lies a step that is no detail."""

_BURNT_GREY = 250
"""From this value on a pixel tells nothing any more."""


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What a good face has at least, or at most.

    Attributes:
        min_face_px: square root of the box's area.
        min_sharpness: as `FaceQuality.sharpness`.
        max_yaw_ratio: as `FaceQuality.yaw_ratio`, either way.
        min_confidence: of the detector.
        min_brightness: mean grey value of the face.
        max_burnt: as `FaceQuality.burnt`.
        min_contrast: as `FaceQuality.contrast`.
        max_occlusion: as `FaceQuality.occlusion`.
    """

    min_face_px: float = 24.0
    min_sharpness: float = 20.0
    max_yaw_ratio: float = 1.0
    min_confidence: float = 0.5
    min_brightness: float = 12.0
    max_burnt: float = 0.4
    min_contrast: float = 4.0
    max_occlusion: float = 1.0


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
        yaw_degrees: head about the vertical, estimated; see `vision.face.pose`.
        pitch_degrees: above 0 when the head looks down, estimated.
        roll_degrees: the eyes' line against the picture's rows.
        brightness: mean grey value of the face, 0 to 255.
        contrast: standard deviation of its grey values.
        burnt: share of its pixels that are as bright as can be, 0 to 1.
        occlusion: a hint, 0 to 1: how much less there is to see about mouth or eyes than in the other half.
        score: all of it in one number, 0 to 1: how alike the look is expected to be to a clean picture of the
            same face, against another clean picture.
    """

    face_size_px: float
    confidence: float
    sharpness: float
    yaw_ratio: float
    good: bool
    reasons: tuple[str, ...] = ()
    yaw_degrees: float = 0.0
    pitch_degrees: float = 0.0
    roll_degrees: float = 0.0
    brightness: float = 128.0
    contrast: float = 50.0
    burnt: float = 0.0
    occlusion: float = 0.0
    score: float = 1.0

    @property
    def exposure(self) -> float:
        """Brightness, contrast and burnt parts in one number, 0 to 1."""
        return float(
            _exposure_factor(*(np.array([v]) for v in (self.brightness, self.contrast, self.burnt)))[0]
        )


@dataclass(frozen=True, slots=True)
class Glance:
    """What box and landmarks of N faces tell, before any pixel is looked at.

    Attributes:
        face_size_px: (N,) as `FaceQuality`.
        confidence: (N,) of the detector.
        pose: of the heads.
        possible: (N,) whether a face can still be good.
        best_score: (N,) what `FaceQuality.score` can be at most.
    """

    face_size_px: Float64
    confidence: Float64
    pose: Pose
    possible: Bool
    best_score: Float64


@dataclass(frozen=True, slots=True)
class _Pixels:
    """What N chips tell; each (N,) float64, named as in `FaceQuality`."""

    sharpness: Float64
    brightness: Float64
    contrast: Float64
    burnt: Float64
    occlusion: Float64


def glance(faces: Faces, limits: QualityLimits | None = None) -> Glance:
    """What can be said of faces without their pixels.

    Args:
        faces: N faces.
        limits: what is good; None for the defaults.
    """
    limits = limits or QualityLimits()
    sizes = np.sqrt(area(faces.xyxy)).astype(np.float64)
    confidence, pose = faces.confidence.astype(np.float64), pose_of(faces.landmarks)
    possible = (
        (sizes >= limits.min_face_px)
        & (np.abs(pose.yaw_ratio) <= limits.max_yaw_ratio)
        & (confidence >= limits.min_confidence)
        # No face has all its features within a pixel, and none could be aligned by them.
        & (np.ptp(faces.landmarks, axis=1).max(axis=1, initial=0.0) >= 1)
    )
    best = _size_factor(sizes) * _pose_factor(pose) * _confidence_factor(confidence)
    return Glance(sizes, confidence, pose, np.asarray(possible, np.bool_), best)


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
    if not len(faces):
        return []
    seen = glance(faces, limits)
    pixels = _pixels(_grey_chips(image, faces.landmarks), seen.pose)
    scores = _scores(seen, pixels)
    failed = _failed(seen, pixels, limits)
    qualities = []
    for row in range(len(faces)):
        reasons = tuple(reason for reason in REASONS if failed[reason][row])
        qualities.append(
            FaceQuality(
                face_size_px=float(seen.face_size_px[row]),
                confidence=float(seen.confidence[row]),
                sharpness=float(pixels.sharpness[row]),
                yaw_ratio=float(seen.pose.yaw_ratio[row]),
                good=not reasons,
                reasons=reasons,
                yaw_degrees=float(seen.pose.yaw_degrees[row]),
                pitch_degrees=float(seen.pose.pitch_degrees[row]),
                roll_degrees=float(seen.pose.roll_degrees[row]),
                brightness=float(pixels.brightness[row]),
                contrast=float(pixels.contrast[row]),
                burnt=float(pixels.burnt[row]),
                occlusion=float(pixels.occlusion[row]),
                score=float(scores[row]),
            )
        )
    return qualities


def _failed(seen: Glance, pixels: _Pixels, limits: QualityLimits) -> dict[str, Bool]:
    """Reason → (N,) whether it holds, in the order of `REASONS`."""
    return {
        TOO_SMALL: seen.face_size_px < limits.min_face_px,
        BLURRED: pixels.sharpness < limits.min_sharpness,
        PROFILE: np.abs(seen.pose.yaw_ratio) > limits.max_yaw_ratio,
        DARK: pixels.brightness < limits.min_brightness,
        OVEREXPOSED: pixels.burnt > limits.max_burnt,
        FLAT: pixels.contrast < limits.min_contrast,
        OCCLUDED: pixels.occlusion > limits.max_occlusion,
        LOW_CONFIDENCE: seen.confidence < limits.min_confidence,
    }


def _grey_chips(image: Image, landmarks: Float32) -> Image:
    """(N, 64, 64) grey; all black where the landmarks make no face."""
    chips = np.zeros((len(landmarks), _CHIP_PX, _CHIP_PX, 3), np.uint8)
    usable = np.flatnonzero(np.ptp(landmarks, axis=1).max(axis=1) >= 1)
    if len(usable):
        chips[usable] = align(image, landmarks[usable], _CHIP_TEMPLATE, _CHIP_PX)
    grey = cv2.cvtColor(chips.reshape(-1, _CHIP_PX, 3), cv2.COLOR_BGR2GRAY)
    return np.asarray(grey, np.uint8).reshape(-1, _CHIP_PX, _CHIP_PX)


def _pixels(chips: Image, pose: Pose) -> _Pixels:
    # One tall picture: what runs over from chip to chip at its rows' ends is left out with the edge.
    tall = cv2.Laplacian(chips.reshape(-1, _CHIP_PX), cv2.CV_16S).reshape(chips.shape)
    inner = slice(_EDGE_PX, -_EDGE_PX)
    face = chips[:, inner, inner].astype(np.float32)
    detail = tall[:, inner, inner].astype(np.float32)
    return _Pixels(
        sharpness=detail.var(axis=(1, 2), dtype=np.float64),
        brightness=face.mean(axis=(1, 2), dtype=np.float64),
        contrast=face.std(axis=(1, 2), dtype=np.float64),
        burnt=(face >= _BURNT_GREY).mean(axis=(1, 2)),
        occlusion=np.zeros(len(chips)),
    )


def _scores(seen: Glance, pixels: _Pixels) -> Float64:
    # A small face, brought to the chip's size, is a soft one as well: the worse of the two counts, not both.
    detail = np.minimum(_size_factor(seen.face_size_px), _sharpness_factor(pixels.sharpness))
    exposure = _exposure_factor(pixels.brightness, pixels.contrast, pixels.burnt)
    score = detail * _pose_factor(seen.pose) * exposure * _confidence_factor(seen.confidence)
    return np.asarray(np.clip(score, 0.0, 1.0))


def _size_factor(face_size_px: Float64) -> Float64:
    return np.interp(face_size_px, (8, 16, 20, 24, 32, 48, 80), (0.05, 0.5, 0.69, 0.83, 0.9, 0.96, 1.0))


def _sharpness_factor(sharpness: Float64) -> Float64:
    return np.interp(sharpness, (0, 15, 29, 60, 120), (0.05, 0.39, 0.64, 0.85, 1.0))


def _pose_factor(pose: Pose) -> Float64:
    return np.interp(np.abs(pose.yaw_degrees), (10, 30, 60, 80), (1.0, 0.95, 0.6, 0.25))


def _exposure_factor(brightness: Float64, contrast: Float64, burnt: Float64) -> Float64:
    return np.interp(burnt, (0, 0.5), (1.0, 0.5)) * np.interp(brightness, (5, 20, 40), (0.2, 0.8, 1.0))


def _confidence_factor(confidence: Float64) -> Float64:
    return np.interp(confidence, (0.3, 0.8), (0.7, 1.0))
