"""The place: a station hall drawn from gradients, lines and noise, with two barriers people walk behind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np

from vision.types import Float32

WIDTH_PX = 1280
HEIGHT_PX = 720

_HORIZON = 330
_VANISHING_X = 700
_PLANTER_TOP = 398
_PLANTER_BOTTOM = 470
_COUNTER_TOP = 588


class Lane(IntEnum):
    """Where somebody walks, far to near; each lane but the nearest has its barrier in front."""

    FAR = 0
    MIDDLE = 1
    NEAR = 2


@dataclass(frozen=True, slots=True, repr=False)
class Barrier:
    """What stands in front of a lane, across the whole hall: a strip of the picture with its opacity.

    Attributes:
        top_px: first row of the strip.
        colour: (H, 1280, 3) float32 BGR, 0 to 255, already multiplied by `alpha`.
        alpha: (H, 1280, 1) float32, 0 to 1.
        hidden_below_px: row below which whoever stands behind it cannot be seen.
    """

    top_px: int
    colour: Float32
    alpha: Float32
    hidden_below_px: int


@dataclass(frozen=True, slots=True, repr=False)
class Hall:
    """The empty hall.

    Attributes:
        background: (720, 1280, 3) float32 BGR, 0 to 255.
        barriers: what stands in front of each lane.
    """

    background: Float32
    barriers: dict[Lane, Barrier]


def draw_hall(rng: np.random.Generator) -> Hall:
    """The hall; the same for the same generator."""
    picture = _wall()
    _windows(picture)
    _board(picture, rng)
    _floor(picture)
    _columns(picture)
    _lamps(picture)
    soft = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.6), dtype=np.float32)
    background = np.clip(soft + _grain(rng, 14.0)[..., None], 0, 255).astype(np.float32)
    return Hall(background, {Lane.FAR: _planter(rng), Lane.MIDDLE: _counter(rng)})


def _gradient(top: tuple[int, int, int], bottom: tuple[int, int, int], rows: int) -> Float32:
    share = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    colours = (1 - share) * np.asarray(top, np.float32) + share * np.asarray(bottom, np.float32)
    return np.asarray(np.repeat(colours[:, None], WIDTH_PX, axis=1), dtype=np.float32)


def _grain(rng: np.random.Generator, strength: float) -> Float32:
    """(H, W) float32: stains and unevenness of plaster and stone, several sizes of smooth noise."""
    total = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
    for cell, weight in ((160, 0.5), (40, 0.3), (8, 0.2)):
        coarse = rng.normal(size=(HEIGHT_PX // cell + 2, WIDTH_PX // cell + 2)).astype(np.float32)
        smooth = cv2.resize(coarse, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
        total += np.float32(weight * strength) * np.asarray(smooth, np.float32)
    return total


def _wall() -> Float32:
    picture = _gradient((112, 128, 142), (150, 164, 176), HEIGHT_PX)
    cv2.rectangle(picture, (0, 0), (WIDTH_PX, 54), (64, 68, 74), -1)
    for y in range(96, _HORIZON, 46):
        cv2.line(picture, (0, y), (WIDTH_PX, y), (132, 146, 158), 1)
    cv2.rectangle(picture, (0, _HORIZON - 16), (WIDTH_PX, _HORIZON), (70, 76, 84), -1)
    return picture


def _windows(picture: Float32) -> None:
    """A row of high windows with daylight falling off to the right."""
    for number, x in enumerate(range(40, WIDTH_PX - 380, 205)):
        glow = 236 - 16 * number
        cv2.rectangle(picture, (x, 78), (x + 132, 232), (glow, glow - 6, glow - 16), -1)
        for inner in (x + 44, x + 88):
            cv2.line(picture, (inner, 78), (inner, 232), (98, 104, 110), 3)
        cv2.line(picture, (x, 140), (x + 132, 140), (98, 104, 110), 3)
        cv2.rectangle(picture, (x - 3, 75), (x + 135, 235), (84, 90, 97), 4)


def _board(picture: Float32, rng: np.random.Generator) -> None:
    """A departure board: rows of lit dots that spell nothing."""
    cv2.rectangle(picture, (940, 70), (1250, 236), (34, 34, 36), -1)
    cv2.rectangle(picture, (940, 70), (1250, 236), (88, 92, 98), 4)
    for y in range(92, 226, 22):
        for x in range(956, 1236, 7):
            if rng.random() < (0.62 if x < 1080 or x > 1180 else 0.1):
                cv2.rectangle(picture, (x, y), (x + 4, y + 8), (40, 168, 214), -1)


def _floor(picture: Float32) -> None:
    picture[_HORIZON:] = _gradient((162, 168, 174), (120, 126, 132), HEIGHT_PX - _HORIZON)
    for x in range(-2300, 3800, 360):
        cv2.line(picture, (_vanish(x), _HORIZON), (x, HEIGHT_PX), (140, 144, 149), 2)
    depth = 14.0
    y = float(_HORIZON)
    while y < HEIGHT_PX:
        cv2.line(picture, (0, round(y)), (WIDTH_PX, round(y)), (140, 144, 149), 2)
        y += depth
        depth *= 1.38
    # Daylight on polished stone: the windows, seen again and vaguely.
    shine = np.zeros(picture.shape[:2], np.float32)
    for x in range(40, WIDTH_PX - 380, 205):
        outline = np.asarray(
            [(x + 40, _HORIZON), (x + 150, _HORIZON), (x + 60, 640), (x - 130, 640)], np.int32
        )
        cv2.fillPoly(shine, [outline], 26.0)
    picture += cv2.GaussianBlur(shine, (0, 0), 18)[..., None]


def _vanish(x_at_bottom: float) -> int:
    """Where a joint of the floor that meets the picture's lower edge at `x_at_bottom` meets the wall."""
    return round(_VANISHING_X + (x_at_bottom - _VANISHING_X) * 0.3)


def _columns(picture: Float32) -> None:
    for x in (232, 642, 1052):
        for offset in range(-27, 28):
            shade = 150 - 62 * (offset / 30) ** 2 + 0.5 * offset
            cv2.line(picture, (x + offset, 40), (x + offset, _HORIZON + 14), (shade - 8, shade, shade + 6), 1)
        cv2.rectangle(picture, (x - 36, _HORIZON + 4), (x + 36, _HORIZON + 22), (92, 98, 104), -1)
        cv2.rectangle(picture, (x - 36, 36), (x + 36, 60), (104, 110, 116), -1)


def _lamps(picture: Float32) -> None:
    light = np.zeros(picture.shape[:2], np.float32)
    for x in range(90, WIDTH_PX, 220):
        cv2.ellipse(light, (x, 26), (46, 7), 0, 0, 360, 190.0, -1)
    picture += light[..., None] + cv2.GaussianBlur(light, (0, 0), 34)[..., None]


def _planter(rng: np.random.Generator) -> Barrier:
    """A low wall with clipped hedges on it, across the whole hall."""
    colour = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.float32)
    alpha = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
    body = _gradient((92, 108, 118), (58, 70, 78), _PLANTER_BOTTOM - _PLANTER_TOP - 22)
    colour[_PLANTER_TOP + 22 : _PLANTER_BOTTOM] = body
    alpha[_PLANTER_TOP + 22 : _PLANTER_BOTTOM] = 1
    for x in range(-20, WIDTH_PX + 20, 5):
        for _ in range(5):
            at = (x + int(rng.integers(-9, 10)), _PLANTER_TOP + 12 + int(rng.integers(-9, 16)))
            green = float(rng.uniform(46, 92))
            size = int(rng.integers(6, 12))
            cv2.circle(colour, at, size, (green * 0.62, green, green * 0.66), -1)
            cv2.circle(alpha, at, size, 1.0, -1)
    cv2.line(colour, (0, _PLANTER_TOP + 30), (WIDTH_PX, _PLANTER_TOP + 30), (132, 148, 158), 3)
    for x in range(70, WIDTH_PX, 190):
        cv2.line(colour, (x, _PLANTER_TOP + 34), (x, _PLANTER_BOTTOM), (50, 60, 68), 2)
    shadow = np.linspace(0.45, 0, 26, dtype=np.float32)[:, None]
    alpha[_PLANTER_BOTTOM : _PLANTER_BOTTOM + 26] = shadow
    soft = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 1.1), dtype=np.float32)
    colour = np.asarray(cv2.GaussianBlur(colour, (0, 0), 1.3), dtype=np.float32)
    return _barrier(colour * alpha[..., None], soft, _PLANTER_TOP - 24, _PLANTER_BOTTOM - 20)


def _counter(rng: np.random.Generator) -> Barrier:
    """Ticket counters of brushed steel with a lit edge, across the whole hall."""
    rows = HEIGHT_PX - _COUNTER_TOP
    colour = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.float32)
    colour[_COUNTER_TOP:] = _gradient((148, 150, 152), (86, 89, 93), rows)
    brushed = rng.normal(0, 5, size=(rows, 1)) + rng.normal(0, 2.5, size=(rows, WIDTH_PX))
    colour[_COUNTER_TOP:] += cv2.GaussianBlur(brushed.astype(np.float32), (41, 1), 12)[..., None]
    colour[_COUNTER_TOP : _COUNTER_TOP + 13] = (196, 199, 202)
    colour[_COUNTER_TOP + 13 : _COUNTER_TOP + 20] = (70, 72, 76)
    for x in range(30, WIDTH_PX, 256):
        cv2.line(colour, (x, _COUNTER_TOP + 20), (x - 6, HEIGHT_PX), (66, 68, 72), 4)
        cv2.rectangle(colour, (x + 96, _COUNTER_TOP + 46), (x + 158, _COUNTER_TOP + 82), (60, 92, 74), -1)
    alpha = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
    alpha[_COUNTER_TOP:] = 1
    soft = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 0.9), dtype=np.float32)
    return _barrier(colour * soft[..., None], soft, _COUNTER_TOP - 8, HEIGHT_PX)


def _barrier(colour: Float32, alpha: Float32, top: int, hidden_below: int) -> Barrier:
    bottom = int(np.flatnonzero(alpha.any(axis=1))[-1]) + 1
    return Barrier(top, colour[top:bottom].copy(), alpha[top:bottom, :, None].copy(), hidden_below)
