"""The small grey picture a motion gate looks at."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from tests.builders import plain, smooth
from vision.luma import small_grey
from vision.types import Image


def decoded(image: Image, pixel_format: str) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pixel_format)


FORMATS = ["yuv420p", "yuvj420p", "yuv422p10le", "yuv444p", "nv12", "bgr24", "gray", "p010le"]


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_it_is_the_brightness_of_the_picture(pixel_format: str) -> None:
    image = smooth((640, 480))
    grey = small_grey(decoded(image, pixel_format), 320, VideoReformatter())
    assert grey.shape == (240, 320)
    assert grey.dtype == np.uint8
    wanted = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (320, 240), interpolation=cv2.INTER_AREA)
    assert np.abs(grey.astype(int) - wanted).mean() < 4
    assert np.corrcoef(grey.ravel(), wanted.ravel())[0, 1] > 0.99


@pytest.mark.parametrize(
    ("size_wh", "small_wh"),
    [
        pytest.param((1920, 1080), (320, 180), id="full HD"),
        pytest.param((320, 240), (320, 240), id="as it is"),
        pytest.param((96, 64), (96, 64), id="never larger"),
        pytest.param((1, 1), (1, 1), id="one pixel"),
        pytest.param((7680, 2), (320, 1), id="a line"),
        pytest.param((321, 999), (320, 996), id="odd"),
    ],
)
def test_it_keeps_the_proportions(size_wh: tuple[int, int], small_wh: tuple[int, int]) -> None:
    grey = small_grey(decoded(plain(size_wh, (90, 90, 90)), "yuv444p"), 320, VideoReformatter())
    assert grey.shape == small_wh[::-1]
    assert np.abs(grey.astype(int) - 90).max() <= 2


def test_noise_is_averaged_away() -> None:
    noise = np.random.default_rng(0).normal(128, 20, (1080, 1920, 1)).clip(0, 255).astype(np.uint8)
    grey = small_grey(decoded(np.repeat(noise, 3, axis=2), "yuv420p"), 320, VideoReformatter())
    assert grey.std() < 6


def test_it_is_its_own() -> None:
    reformatter = VideoReformatter()
    first = small_grey(decoded(plain((64, 48), (200, 200, 200)), "yuv420p"), 32, reformatter)
    second = small_grey(decoded(plain((64, 48), (10, 10, 10)), "yuv420p"), 32, reformatter)
    assert first.mean() > 190
    assert second.mean() < 20
