"""Frozen pictures: told by exact equality, and by nothing less."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.builders import write_video
from vision.decoded import DecodedPicture
from vision.frozen import FrozenWatch
from vision.luma import Grey
from vision.types import Image
from vision.video import open_source


def grey(value: int = 90, size: tuple[int, int] = (18, 32)) -> Grey:
    return np.full(size, value, np.uint8)


def test_the_same_picture_is_frozen_for_as_long_as_it_stays() -> None:
    watch = FrozenWatch()
    assert [watch.see(grey(), time) for time in (10.0, 11.0, 25.0)] == [0.0, 1.0, 15.0]


def test_one_pixel_by_one_grey_level_is_life() -> None:
    watch = FrozenWatch()
    watch.see(grey(), 0.0)
    other = grey()
    other[7, 5] += 1
    assert watch.see(other, 1.0) == 0.0
    assert watch.see(other, 3.0) == 2.0


def test_another_size_is_another_picture() -> None:
    watch = FrozenWatch()
    watch.see(grey(), 0.0)
    assert watch.see(grey(size=(9, 16)), 1.0) == 0.0


def test_what_the_caller_does_with_the_picture_afterwards_does_not_matter() -> None:
    watch, picture = FrozenWatch(), grey()
    watch.see(picture, 0.0)
    picture += 1
    assert watch.see(grey(), 1.0) == 1.0


def test_it_can_begin_anew() -> None:
    watch = FrozenWatch()
    watch.see(grey(), 0.0)
    watch.forget()
    assert watch.see(grey(), 9.0) == 0.0


def longest_frozen(path: Path) -> float:
    watch, longest = FrozenWatch(), 0.0
    with open_source(path) as source:
        for picture in source.pictures():
            assert isinstance(picture, DecodedPicture)
            longest = max(longest, watch.see(picture.to_grey(160), picture.pts_seconds))
    return longest


def test_a_noisy_still_scene_is_none_and_a_repeated_picture_is_one(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    scene = random.integers(60, 180, (120, 160, 3), np.uint8)

    def noisy() -> Image:
        return np.clip(scene + random.normal(0, 4, scene.shape), 0, 255).astype(np.uint8)

    alive = write_video(tmp_path / "alive.mp4", [noisy() for _ in range(50)])
    hung = write_video(tmp_path / "hung.mp4", [np.full_like(scene, 100)] * 50)
    assert longest_frozen(alive) < 0.5
    assert longest_frozen(hung) > 1.5
