"""What the drawn camera does to a clean picture, and that the recorder writes real H.264."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from aiqyn.demo.footage.camera import Camera, focus_blur_px, gain, motion_blur
from aiqyn.demo.footage.encode import clip_writer
from aiqyn.demo.footage.errors import FootageError
from vision.video import open_source

_GREY = np.full((120, 200, 3), 120, np.float32)


def test_noise_is_new_in_every_frame_and_the_same_in_every_run() -> None:
    first = Camera((200, 120), np.random.default_rng(3))
    second = Camera((200, 120), np.random.default_rng(3))
    a, b = first.expose(_GREY, 1.0), first.expose(_GREY, 1.0)
    assert not np.array_equal(a, b)
    assert np.array_equal(a, second.expose(_GREY, 1.0))
    assert 2 < float(a[40:80, 80:120].std()) < 8


def test_corners_are_darker_than_the_middle() -> None:
    picture = Camera((200, 120), np.random.default_rng(3)).expose(_GREY, 1.0)
    assert picture[:20, :20].mean() < picture[50:70, 90:110].mean() - 15


def test_lamps_going_off_darken_the_picture_and_the_camera_recovers() -> None:
    assert gain(12.05) < gain(11.95) - 0.15
    assert gain(17.0) > gain(12.05) + 0.1


def test_focus_is_lost_once_and_found_again() -> None:
    assert focus_blur_px(5.0) == focus_blur_px(12.0) == 0.75
    assert focus_blur_px(7.8) > 2


def test_motion_smears_sideways_only() -> None:
    dot = np.zeros((21, 21), np.float32)
    dot[10, 10] = 1
    smeared = motion_blur(dot, speed_px_per_second=150, fps=12.5)
    assert np.flatnonzero(smeared.any(axis=1)).tolist() == [10]
    assert len(np.flatnonzero(smeared.any(axis=0))) == 5
    assert motion_blur(dot, 10, 12.5) is dot


def test_clip_is_h264_with_the_rate_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with clip_writer(path, (160, 96), Fraction(25, 2)) as add:
        for level in range(0, 250, 10):
            add(np.full((96, 160, 3), level, np.uint8))
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
    with open_source(path) as source:
        frames = list(source)
    assert len(frames) == 25
    assert frames[-1].pts_seconds - frames[0].pts_seconds == pytest.approx(24 / 12.5)
    assert float(frames[12].image.mean()) == pytest.approx(120, abs=4)


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(FootageError, match=r"missing/clip\.mp4: the clip cannot be written"),
        clip_writer(tmp_path / "missing" / "clip.mp4", (160, 96), Fraction(25, 2)) as add,
    ):
        add(np.zeros((96, 160, 3), np.uint8))
