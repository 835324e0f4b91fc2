"""What moves is boxed, what does not is not, and a camera that shakes or a lamp says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from vision.detect.motion import MotionRegions
from vision.types import Image

SIZE_WH = (1280, 720)


def scene(*walkers: tuple[int, int], seed: int = 0, light: int = 0) -> Image:
    """A noisy wall with bright figures of 24 × 60 pixels at these corners."""
    noise = np.random.default_rng(seed).normal(100 + light, 2, (SIZE_WH[1], SIZE_WH[0], 1))
    image = np.repeat(noise, 3, axis=2).clip(0, 255).astype(np.uint8)
    for left, top in walkers:
        image[top : top + 60, left : left + 24] = 220
    return image


def watched(regions: MotionRegions, *pictures: Image) -> list[tuple[int, int, int, int]]:
    found: list[tuple[int, int, int, int]] = []
    for picture in pictures:
        found = regions.update(picture)
    return found


def test_the_first_picture_says_nothing() -> None:
    assert MotionRegions().update(scene((100, 100))) == []


def test_a_still_noisy_picture_says_nothing() -> None:
    regions = MotionRegions()
    for seed in range(5):
        assert regions.update(scene((100, 100), seed=seed)) == []


def test_a_walker_is_boxed_where_she_is() -> None:
    found = watched(MotionRegions(), scene(seed=1), scene(seed=2), scene((600, 300), seed=3))
    assert len(found) == 1
    left, top, right, bottom = found[0]
    assert left <= 600 <= 624 <= right
    assert top <= 300 <= 360 <= bottom
    assert right - left < 150
    assert bottom - top < 180


def test_two_walkers_far_apart_are_two_boxes_inside_the_picture() -> None:
    found = watched(MotionRegions(), scene(seed=1), scene((0, 0), (1256, 660), seed=2))
    assert len(found) == 2
    for left, top, right, bottom in found:
        assert 0 <= left < right <= SIZE_WH[0]
        assert 0 <= top < bottom <= SIZE_WH[1]


def test_a_lamp_says_nothing_and_the_walker_after_it_is_seen() -> None:
    regions = MotionRegions()
    assert watched(regions, scene(seed=1), scene(seed=2, light=60)) == []
    assert len(watched(regions, scene((600, 300), seed=3, light=60))) == 1


def test_who_stands_still_becomes_background() -> None:
    regions = MotionRegions()
    pictures = [scene((600, 300), seed=seed) for seed in range(30)]
    assert watched(regions, scene(seed=99), *pictures[:2])
    assert watched(regions, *pictures[2:]) == []


def test_another_size_starts_anew() -> None:
    regions = MotionRegions()
    regions.update(scene())
    assert regions.update(np.zeros((1, 1, 3), np.uint8)) == []


@pytest.mark.parametrize("memory", [0.0, -1.0, 1.5])
def test_refuses_a_memory_that_is_none(memory: float) -> None:
    with pytest.raises(ValueError, match="memory must be"):
        MotionRegions(memory)
