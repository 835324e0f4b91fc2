"""Brightness and contrast are taken out of a change; what moved is not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.gate_scenes import Street
from vision.detect.light import in_light_of

WALL = Street(noise=0.0).picture(0, 0.0)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (0.5, 0.0), (1.15, 5.0), (0.7, -20.0), (0.0, 90.0)])
def test_the_earlier_picture_becomes_the_later_one(gain: float, offset: float) -> None:
    later = np.clip(gain * WALL + offset, 0, 255).astype(np.uint8)
    difference = np.abs(in_light_of(WALL, later).astype(int) - later)
    assert np.percentile(difference, 99) <= 2


def test_what_moved_stays_different_and_spoils_nothing() -> None:
    later = (0.6 * WALL).astype(np.uint8)
    later[20:160, 100:180] = 250
    difference = np.abs(in_light_of(WALL, later).astype(int) - later)
    beside = np.ones(WALL.shape, np.bool_)
    beside[20:160, 100:180] = False
    assert np.percentile(difference[beside], 99) <= 4
    assert difference[~beside].min() > 50


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (3, 2)])
def test_any_size_and_any_evenness_will_do(shape: tuple[int, int]) -> None:
    dark, bright = np.full(shape, 20, np.uint8), np.full(shape, 200, np.uint8)
    assert (in_light_of(dark, bright) == 200).all()
    assert (in_light_of(bright, dark) == 20).all()
