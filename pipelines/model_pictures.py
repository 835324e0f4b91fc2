"""Pictures a model is tried on: noise, flat ones, and a painted street with people. No photograph is needed."""

from __future__ import annotations

import numpy as np

from vision.types import Float32, Image

_SEED = 20240229
_SKIN_BGR, _DARK_BGR, _LIPS_BGR = (150, 180, 225), (40, 35, 30), (90, 80, 170)

FACE_POINTS: Float32 = np.array(
    [[0.36, 0.42], [0.64, 0.42], [0.5, 0.58], [0.39, 0.74], [0.61, 0.74]], np.float32
)
"""Where the five landmarks lie in a painted face, as shares of its square."""


def flat(size_wh: tuple[int, int], level: int) -> Image:
    """One grey level everywhere."""
    return np.full((size_wh[1], size_wh[0], 3), level, np.uint8)


def noise(size_wh: tuple[int, int]) -> Image:
    """Every value at random, the same ones at every call."""
    drawn = np.random.default_rng(_SEED).integers(0, 256, (size_wh[1], size_wh[0], 3))
    return drawn.astype(np.uint8)


def street(size_wh: tuple[int, int]) -> Image:
    """A pavement under a sky, with three people seen from the front and a car, BGR."""
    width, height = size_wh
    picture = np.empty((height, width, 3), np.uint8)
    fall = np.linspace(0, 1, height)[:, None, None]
    picture[...] = np.where(fall < 0.45, [225, 190, 150], 110 + 60 * fall)
    _rectangle(picture, (0.62, 0.52, 0.95, 0.7), (60, 40, 160))
    _rectangle(picture, (0.68, 0.42, 0.88, 0.52), (60, 40, 160))
    for x in (0.7, 0.87):
        _ellipse(picture, (x, 0.7), (0.03, 0.045), _DARK_BGR)
    for x, top, tall in ((0.2, 0.2, 0.7), (0.42, 0.3, 0.5), (0.56, 0.35, 0.4)):
        _person(picture, x, top, tall)
    grain = np.random.default_rng(_SEED).normal(0, 4, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def painted_face(size_px: int, seed: int = 0) -> Image:
    """A frontal face that fills a square, BGR; each seed another one."""
    draw = np.random.default_rng(_SEED + seed)
    picture = flat((size_px, size_px), int(draw.integers(60, 200)))
    shift = draw.uniform(-0.02, 0.02, 4)
    _face(picture, (0.5 + shift[0], 0.52 + shift[1]), (0.36 + shift[2], 0.46 + shift[3]), draw)
    grain = draw.normal(0, 5, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def _person(picture: Image, x: float, top: float, tall: float) -> None:
    aspect = picture.shape[0] / picture.shape[1]
    head = tall / 7
    wide = tall * 0.13 * aspect
    _rectangle(picture, (x - wide, top + head * 1.1, x + wide, top + tall * 0.55), (130, 70, 40))
    _rectangle(picture, (x - wide * 0.8, top + tall * 0.55, x + wide * 0.8, top + tall), (50, 45, 40))
    draw = np.random.default_rng(_SEED)
    _face(picture, (x, top + head / 2), (head * 0.42 * aspect, head * 0.55), draw)


def _face(
    picture: Image, centre: tuple[float, float], radii: tuple[float, float], draw: np.random.Generator
) -> None:
    (x, y), (wide, tall) = centre, radii
    skin = np.clip(np.array(_SKIN_BGR) * draw.uniform(0.45, 1.05), 0, 255)
    _ellipse(picture, (x, y - 0.12 * tall), (wide * 1.1, tall * 1.05), _DARK_BGR)
    _ellipse(picture, centre, radii, skin)
    for side in (-1, 1):
        eye = (x + side * 0.39 * wide, y - 0.22 * tall)
        _ellipse(picture, eye, (0.17 * wide, 0.07 * tall), (235, 235, 235))
        _ellipse(picture, eye, (0.07 * wide, 0.07 * tall), _DARK_BGR)
        _ellipse(picture, (eye[0], eye[1] - 0.16 * tall), (0.2 * wide, 0.03 * tall), _DARK_BGR)
    _ellipse(picture, (x, y + 0.12 * tall), (0.1 * wide, 0.14 * tall), skin * 0.8)
    _ellipse(picture, (x, y + 0.48 * tall), (0.3 * wide, 0.07 * tall), _LIPS_BGR)


def _rectangle(picture: Image, shares: tuple[float, float, float, float], bgr: object) -> None:
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = (round(share * side) for share, side in zip(shares, (width, height) * 2, strict=True))
    picture[max(y1, 0) : y2, max(x1, 0) : x2] = np.asarray(bgr)


def _ellipse(picture: Image, centre: tuple[float, float], radii: tuple[float, float], bgr: object) -> None:
    height, width = picture.shape[:2]
    y, x = np.ogrid[:height, :width]
    inside = ((x / width - centre[0]) / radii[0]) ** 2 + ((y / height - centre[1]) / radii[1]) ** 2 <= 1
    picture[inside] = np.asarray(bgr).astype(np.uint8)
