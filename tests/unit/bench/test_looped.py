"""Footage put together from stretches of a clip."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from bench.live.looped import compiled, encoded, looped
from tests.video_builders import filmed

SIZE_WH = (64, 48)
FPS = 10


def greys(video: Path) -> list[int]:
    """How bright each picture is."""
    with av.open(str(video)) as source:
        return [round(float(frame.to_ndarray(format="gray").mean())) for frame in source.decode(video=0)]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three seconds, a second each of dark, middle and bright."""
    images = [np.full((48, 64, 3), grey, np.uint8) for grey in (40, 120, 200) for _ in range(25)]
    path = tmp_path / "clip.mp4"
    path.write_bytes(filmed(images, container="mp4"))
    return path


def test_stretches_come_in_the_order_and_as_often_as_asked(clip: Path, tmp_path: Path) -> None:
    stretches = [(2.0, 2.5), (0.0, 0.3), (0.0, 0.3), (1.0, 1.4)]
    shown = greys(compiled(clip, tmp_path / "made.mp4", stretches, size_wh=SIZE_WH, fps=FPS))
    assert shown == pytest.approx([200] * 5 + [40] * 6 + [120] * 4, abs=6)


def test_what_goes_beyond_the_clip_shows_its_last_picture(clip: Path, tmp_path: Path) -> None:
    shown = greys(compiled(clip, tmp_path / "made.mp4", [(2.8, 3.4)], size_wh=SIZE_WH, fps=FPS))
    assert shown == pytest.approx([200] * 6, abs=6)


def test_a_clip_is_looped_whole(clip: Path, tmp_path: Path) -> None:
    once = encoded(clip, tmp_path / "once.mp4", size_wh=SIZE_WH, fps=FPS, seconds=3.0)
    shown = greys(looped(once, tmp_path / "looped.mp4", seconds=7.0))
    assert shown[: 2 * 30] == pytest.approx(([40] * 10 + [120] * 10 + [200] * 10) * 2, abs=6)
    assert len(shown) == 90
