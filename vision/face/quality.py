"""Whether a face is worth comparing, and how much: what can be measured of one look, and a verdict with reasons.

Box and landmarks cost next to nothing and are looked at first (`glance`); pixels are measured of the faces
that may still be wanted (`measure`), all chips of a frame at once.

The limits and the curves behind the score were measured: 150 faces of LFW, seen by the default detector, were
worsened one way at a time, and the default embedder compared each with its own clean picture. Median similarity:

    face of 12, 16, 20, 24, 32, 48 px                   0.27 0.44 0.60 0.73 0.88 0.97
    blurred to a sharpness of 5, 8, 12, 21, 36          0.16 0.29 0.48 0.70 0.88
    contrast lowered to 3, 4.5, 7, 9, 13, 22            0.05 0.30 0.70 0.77 0.90 0.97
    burnt 10, 36, 66, 78 % of the face                  0.96 0.85 0.52 0.27
    a plain patch over mouth and nose, or eyes          0.63 0.61

What softness costs depends on its cause. Motion and low bit rates cost more than a lens out of focus at the same
sharpness, and are what cameras have: the score takes their curve, from degraded pictures of 450 other people. At
a sharpness of 15, 37, 56, 78, 104, 155, 210, 334: 0.15 0.25 0.33 0.50 0.64 0.70 0.82 0.92.

Turned heads by pairs of pictures of one person: as alike as frontal ones to 35 degrees, 0.88 of it at 45, 0.75 at
55. A face is refused where it is expected to keep about half of its likeness, or less. What a patch leaves is more
than that, and what looks like one may be a shadow: occlusion is a hint and lowers the score, it refuses nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vision.boxes import area
from vision.face.pose import Pose, pose_of
from vision.geometry import fit_similarity
from vision.images import validate_image
from vision.types import Bool, Faces, Float32, Image

Float64 = npt.NDArray[np.float64]

TOO_SMALL = "too_small"
BLURRED = "blurred"
PROFILE = "profile"
DARK = "dark"
OVEREXPOSED = "overexposed"
FLAT = "flat"
LOW_CONFIDENCE = "low_confidence"
REASONS = (TOO_SMALL, BLURRED, PROFILE, DARK, OVEREXPOSED, FLAT, LOW_CONFIDENCE)

_CHIP_PX = 64
_SQRT_2 = math.sqrt(2)
_TEMPLATE = np.array(((22.2, 29.8), (42.3, 29.7), (32.3, 41.3), (24.0, 53.1), (40.7, 53.0)))
_EDGE_PX = 6
"""Left out of the measurement: beyond a face at the picture's edge lies a step that is no detail."""

_USUAL_CONTRAST = 45.0
"""Standard deviation of grey values of a well lit face, the median of LFW."""

_DARK_GREY = 48
"""Mean grey value below which a face without contrast is called dark rather than flat."""

_EYES = (slice(24, 36), slice(14, 50))
_MOUTH = (slice(47, 58), slice(20, 45))
"""Rows and columns of the chip."""

_USUAL_PART = 0.38
"""Contrast about eyes or mouth, whichever is less, by that of the whole face: above it in 95 of 100 faces of LFW;
0 under a plain mask, about 0.2 with sunglasses."""

_HIDDEN_COSTS = 0.4
"""Share of the score a face loses whose mouth or eyes are covered."""

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
        max_burnt: as `FaceQuality.burnt`.
        min_contrast: as `FaceQuality.contrast`; what falls short is dark or flat.
    """

    min_face_px: float = 20.0
    min_sharpness: float = 20.0
    max_yaw_ratio: float = 1.0
    min_confidence: float = 0.5
    max_burnt: float = 0.6
    min_contrast: float = 6.0


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """What was measured of one face.

    Attributes:
        face_size_px: square root of the box's area, pixels of the original frame.
        confidence: of the detector, 0 to 1.
        sharpness: variance of the Laplacian of the grey face, aligned, brought to 64 pixels and to the contrast
            of a well lit one: a dark picture is not a blurred one.
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
        occlusion: a hint, 0 to 1: how little there is to see about mouth or eyes, against the whole face. It sees a
            mask or sunglasses, not a covered half.
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
        """Contrast and burnt parts in one number, 0 to 1."""
        return float(_exposure_factor(np.array([self.contrast]), np.array([self.burnt]))[0])


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
    pixels = _pixels(_grey_chips(image, faces.landmarks))
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
    # What is lost in the dark is contrast; a face that is only dark keeps its likeness.
    faint = pixels.contrast < limits.min_contrast
    return {
        TOO_SMALL: seen.face_size_px < limits.min_face_px,
        BLURRED: pixels.sharpness < limits.min_sharpness,
        PROFILE: np.abs(seen.pose.yaw_ratio) > limits.max_yaw_ratio,
        DARK: faint & (pixels.brightness < _DARK_GREY),
        OVEREXPOSED: pixels.burnt > limits.max_burnt,
        FLAT: faint & (pixels.brightness >= _DARK_GREY),
        LOW_CONFIDENCE: seen.confidence < limits.min_confidence,
    }


def _grey_chips(image: Image, landmarks: Float32) -> Image:
    """(N, 64, 64) grey; all black where the landmarks make no face."""
    chips = np.zeros((len(landmarks), _CHIP_PX, _CHIP_PX, 3), np.uint8)
    usable = np.flatnonzero(np.ptp(landmarks, axis=1).max(axis=1) >= 1)
    transforms = fit_similarity(landmarks[usable].astype(np.float64), _TEMPLATE)
    for row, transform in zip(usable.tolist(), transforms, strict=True):
        _warp(image, transform, chips[row])
    grey = cv2.cvtColor(chips.reshape(-1, _CHIP_PX, 3), cv2.COLOR_BGR2GRAY)
    return np.asarray(grey, np.uint8).reshape(-1, _CHIP_PX, _CHIP_PX)


def _warp(image: Image, transform: Float64, chip: Image) -> None:
    """Fills a chip, as `vision.face.align` does to within a grey value; made for many faces in a millisecond.

    A large face is averaged down by a whole number first, over the square it needs.
    """
    (a, b, x), (_, _, y) = transform.tolist()
    scale = math.hypot(a, b)
    step = int(1 / scale)
    if step >= 2:
        half, middle = _CHIP_PX / 2, 1 / scale**2
        centre_x = (a * (half - x) - b * (half - y)) * middle
        centre_y = (b * (half - x) + a * (half - y)) * middle
        reach = half * _SQRT_2 / scale
        left, top = max(0, int(centre_x - reach)), max(0, int(centre_y - reach))
        part = image[top : max(top, int(centre_y + reach) + 1), left : max(left, int(centre_x + reach) + 1)]
        size_wh = part.shape[1] // step, part.shape[0] // step
        if min(size_wh) > 0:
            part = part[: size_wh[1] * step, : size_wh[0] * step]
            image = np.asarray(cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
            x, y = x + a * left + b * top, y - b * left + a * top
            a, b = a * step, b * step
    # OpenCV counts from the middle of the first pixel, the transform from its corner.
    matrix = np.array(((a, b, x + (a + b) / 2 - 0.5), (-b, a, y + (a - b) / 2 - 0.5)))
    cv2.warpAffine(image, matrix, (_CHIP_PX, _CHIP_PX), dst=chip, flags=cv2.INTER_LINEAR)


def _pixels(chips: Image) -> _Pixels:
    # One tall picture: what runs over from chip to chip at its rows' ends is left out with the edge.
    tall = cv2.Laplacian(chips.reshape(-1, _CHIP_PX), cv2.CV_16S).reshape(chips.shape)
    inner = slice(_EDGE_PX, -_EDGE_PX)
    face = chips[:, inner, inner]
    brightness, contrast = _moments(face)
    # Blur takes contrast away as well: what it took is not given back beyond a factor of two.
    lit = _USUAL_CONTRAST / np.maximum(contrast, _USUAL_CONTRAST / 2)
    parts = [_moments(chips[:, rows, columns])[1] for rows, columns in (_EYES, _MOUTH)]
    seen = np.minimum(*parts) / np.maximum(contrast, 1.0)
    return _Pixels(
        sharpness=(_moments(tall[:, inner, inner])[1] * lit) ** 2,
        brightness=brightness,
        contrast=contrast,
        burnt=np.count_nonzero(face >= _BURNT_GREY, axis=(1, 2)) / face[0].size,
        occlusion=np.clip(1.0 - seen / _USUAL_PART, 0.0, 1.0),
    )


def _moments(values: npt.NDArray[Any]) -> tuple[Float64, Float64]:
    """(N,) means and standard deviations of (N, H, W) integers; exact, in one pass."""
    flat = values.reshape(len(values), -1).astype(np.float32)
    means = flat.mean(axis=1, dtype=np.float64)
    squares = np.einsum("np,np->n", flat, flat).astype(np.float64) / flat.shape[1]
    return means, np.sqrt(np.maximum(squares - means**2, 0.0))


def _scores(seen: Glance, pixels: _Pixels) -> Float64:
    # A small face, brought to the chip's size, is a soft one as well: the worse of the two counts, not both.
    detail = np.minimum(_size_factor(seen.face_size_px), _sharpness_factor(pixels.sharpness))
    exposure = _exposure_factor(pixels.contrast, pixels.burnt)
    visible = 1.0 - _HIDDEN_COSTS * pixels.occlusion
    score = detail * _pose_factor(seen.pose) * exposure * visible * _confidence_factor(seen.confidence)
    return np.asarray(np.clip(score, 0.0, 1.0))


# The measured curves of the module's docstring.


def _size_factor(face_size_px: Float64) -> Float64:
    return _curve(
        face_size_px, (0, 12, 16, 20, 24, 32, 48, 64), (0.05, 0.27, 0.44, 0.60, 0.73, 0.88, 0.97, 1.0)
    )


def _sharpness_factor(sharpness: Float64) -> Float64:
    return _curve(
        sharpness,
        (0, 15, 37, 56, 78, 104, 155, 210, 334, 400),
        (0.05, 0.15, 0.25, 0.33, 0.50, 0.64, 0.70, 0.82, 0.92, 1.0),
    )


def _pose_factor(pose: Pose) -> Float64:
    yaw = _curve(np.abs(pose.yaw_degrees), (35, 45, 55, 65, 80), (1.0, 0.88, 0.75, 0.5, 0.25))
    # Detectors differ in what they call the tip of a nose, by some ten degrees of pitch: level is a range.
    return np.asarray(yaw * _curve(pose.pitch_degrees, (-30, -8, 22, 45), (0.6, 1.0, 1.0, 0.6)))


def _exposure_factor(contrast: Float64, burnt: Float64) -> Float64:
    by_contrast = _curve(
        contrast, (0, 3, 4.5, 7, 9, 13, 22, 35), (0.02, 0.05, 0.3, 0.7, 0.77, 0.9, 0.97, 1.0)
    )
    return np.asarray(
        by_contrast * _curve(burnt, (0, 0.1, 0.36, 0.66, 0.78, 1), (1.0, 0.96, 0.85, 0.52, 0.27, 0.05))
    )


def _confidence_factor(confidence: Float64) -> Float64:
    """Not measured apart: a detector is unsure of what is small, turned or covered, which counts already."""
    return _curve(confidence, (0.3, 0.9), (0.7, 1.0))


def _curve(values: Float64, at: tuple[float, ...], factors: tuple[float, ...]) -> Float64:
    return np.asarray(np.interp(values, at, factors), np.float64)
