"""A person cut out of a photograph: GrabCut from a guess of head and shoulders, then a soft edge.

GrabCut: C. Rother, V. Kolmogorov, A. Blake, "GrabCut: interactive foreground extraction using iterated graph
cuts", SIGGRAPH 2004; OpenCV's `grabCut`, seeded so that every machine gets the same people.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from aiqyn.demo.footage.cast import Box, Photograph
from vision.types import Float32, Image

_SEED = 7
_ITERATIONS = 5
_VIVIDNESS = 0.8
_CONTRAST = 0.86
_TINT_BGR = (0.93, 0.97, 1.0)
_TORSO_FACES = 4.5
"""How far below the chin a person is made to reach, in face widths: below every barrier of the hall."""


@dataclass(frozen=True, slots=True, repr=False)
class Cutout:
    """A person without a background.

    Attributes:
        colour: (H, W, 3) float32 BGR, 0 to 255, already multiplied by `alpha`.
        alpha: (H, W) float32, 0 to 1.
        face_xyxy: pixels of the cut-out.
        landmarks: (5, 2) float32, pixels of the cut-out.
    """

    colour: Float32
    alpha: Float32
    face_xyxy: Box
    landmarks: Float32

    @property
    def face_width_px(self) -> float:
        """Width of the face box."""
        return self.face_xyxy[2] - self.face_xyxy[0]

    @property
    def anchor_xy(self) -> tuple[float, float]:
        """Centre of the face box: the point that is moved about."""
        x0, y0, x1, y1 = self.face_xyxy
        return (x0 + x1) / 2, (y0 + y1) / 2


def cut_out(image: Image, photograph: Photograph, face_width_px: float) -> Cutout:
    """The person in a photograph, scaled so that the face box is `face_width_px` wide.

    Args:
        image: (H, W, 3) uint8 BGR, the whole photograph.
        photograph: where the face is.
        face_width_px: at least the largest the person gets in the clip, so that walking only shrinks.
    """
    x0, _, x1, _ = photograph.face_xyxy
    scale = face_width_px / (x1 - x0)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=method), dtype=np.uint8)
    box = _scaled(photograph.face_xyxy, scale)
    background = tuple(_scaled(place, scale) for place in photograph.background_xyxy)
    alpha = _soft(_segment(small, box, background), box)
    lit = _relit(small, photograph.brightness)
    colour, alpha = _lengthen(lit, alpha, face_width_px)
    landmarks = np.asarray(photograph.landmarks, dtype=np.float32) * np.float32(scale)
    return Cutout((colour * alpha[..., None]).astype(np.float32), alpha, box, landmarks)


def _relit(image: Image, brightness: float) -> Float32:
    """The photograph in the hall's light: its own brightness, less vivid, less contrast, slightly warm."""
    light = image.astype(np.float32) * np.float32(brightness)
    grey = light.mean(axis=2, keepdims=True)
    dull = grey + _VIVIDNESS * (light - grey)
    warm = dull * np.asarray(_TINT_BGR, np.float32)
    return np.asarray(np.clip(_CONTRAST * warm + (1 - _CONTRAST) * 118, 0, 255), dtype=np.float32)


def _scaled(box: Box, scale: float) -> Box:
    x0, y0, x1, y1 = (value * scale for value in box)
    return x0, y0, x1, y1


def _segment(image: Image, face_xyxy: Box, background_xyxy: tuple[Box, ...]) -> npt.NDArray[np.uint8]:
    """(H, W) uint8, 1 where the person is."""
    mask = _first_guess(image.shape[:2], face_xyxy)
    for x0, y0, x1, y1 in background_xyxy:
        mask[round(y0) : round(y1), round(x0) : round(x1)] = cv2.GC_BGD
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(_SEED)
    cv2.grabCut(image, mask, (0, 0, 1, 1), background, foreground, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def _first_guess(shape: tuple[int, ...], face_xyxy: Box) -> npt.NDArray[np.uint8]:
    """GrabCut's four labels from the face box alone: surely and likely person, likely and surely not."""
    height, width = shape[:2]
    x0, y0, x1, y1 = face_xyxy
    unit, centre, middle = x1 - x0, (x0 + x1) / 2, (y0 + y1) / 2
    mask = np.full((height, width), cv2.GC_BGD, np.uint8)

    def ellipse(radius_x: float, radius_y: float, shift_y: float, label: int) -> None:
        at = (round(centre), round(middle + shift_y * unit))
        cv2.ellipse(mask, at, (round(radius_x * unit), round(radius_y * unit)), 0, 0, 360, label, -1)

    def torso(half_neck: float, half_shoulder: float, half_hip: float, label: int) -> None:
        right = [(half_neck, -0.1), (half_shoulder, 0.95), (half_hip, 2.2), (half_hip, 99.0)]
        outline = right + [(-x, y) for x, y in reversed(right)]
        points = [(centre + x * unit, min(y1 + y * unit, float(height))) for x, y in outline]
        cv2.fillPoly(mask, [np.asarray(points, np.int32)], label)

    ellipse(1.15, 1.35, -0.15, cv2.GC_PR_BGD)
    torso(0.7, 2.3, 2.5, cv2.GC_PR_BGD)
    ellipse(0.72, 0.95, -0.2, cv2.GC_PR_FGD)
    torso(0.42, 1.9, 2.1, cv2.GC_PR_FGD)
    ellipse(0.46, 0.62, 0.0, cv2.GC_FGD)
    torso(0.25, 0.75, 0.8, cv2.GC_FGD)
    return mask


def _soft(mask: npt.NDArray[np.uint8], face_xyxy: Box) -> Float32:
    """(H, W) float32, 0 to 1: the part around the face, without specks and holes, with a soft edge."""
    x0, y0, x1, y1 = face_xyxy
    clean = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    clean = cv2.morphologyEx(clean, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    _, labels = cv2.connectedComponents(clean)
    person = (labels == labels[round((y0 + y1) / 2), round((x0 + x1) / 2)]).astype(np.float32)
    # Pulled in first: the outermost pixels still carry the colour of the photograph's background.
    inner = cv2.erode(person, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.GaussianBlur(inner, (0, 0), (x1 - x0) / 75), dtype=np.float32)


def _lengthen(colour: Float32, alpha: Float32, face_width_px: float) -> tuple[Float32, Float32]:
    """Clothes carried on below the photograph's edge, so that nobody ends in the air above a barrier."""
    rows = round(_TORSO_FACES * face_width_px)
    height = len(alpha)
    blur = (0, 0)
    last = cv2.GaussianBlur(colour[-3:].mean(axis=0, keepdims=True), blur, 3.0)
    fade = np.linspace(1.0, 0.6, rows, dtype=np.float32)[:, None, None]
    longer = np.concatenate([colour, last.reshape(1, -1, 3) * fade]).astype(np.float32)
    below = np.repeat(alpha[height - 4 : height - 3], rows + 4, axis=0)
    return longer, np.concatenate([alpha[: height - 4], below]).astype(np.float32)
