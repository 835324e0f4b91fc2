"""Simulated CCTV: sizes, smear, real H.264, and the same picture for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.evaluate.degrade import (
    CCTV,
    CCTV_32,
    FACE_24,
    FACE_48,
    LOW_RATE,
    MOTION_BLUR,
    Degradation,
    degrade,
    motion_blur,
    seed_of,
    through_h264,
)
from pipelines.evaluate.errors import EvaluationError
from tests.fake_engine import FakeFaceDetector, Painted, paint
from vision.errors import ImageError
from vision.types import Image

BOX = (100, 60, 196, 156)


@pytest.fixture
def photograph() -> Image:
    """A textured scene of odd sides with a face box of 96 pixels in it."""
    return np.ascontiguousarray(paint([Painted(90, BOX)], size_wh=(301, 243), scene=5))


@pytest.mark.parametrize("how", CCTV, ids=lambda how: how.name)
def test_the_same_seed_gives_the_same_picture(photograph: Image, how: Degradation) -> None:
    before = photograph.copy()
    first, again = (degrade(photograph, BOX, how, seed_of(1, "a/1.jpg")) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(photograph, before)
    assert first.dtype == np.uint8
    assert first.flags.c_contiguous


@pytest.mark.parametrize("how", [MOTION_BLUR, LOW_RATE, CCTV_32], ids=lambda how: how.name)
def test_another_seed_or_name_gives_another_picture(photograph: Image, how: Degradation) -> None:
    seeds = (seed_of(1, "a/1.jpg"), seed_of(2, "a/1.jpg"), seed_of(1, "a/2.jpg"))
    pictures = [degrade(photograph, BOX, how, seed).tobytes() for seed in seeds]
    assert len(set(pictures)) == 3


@pytest.mark.parametrize(("how", "side_px"), [(FACE_48, 48), (FACE_24, 24)], ids=["48", "24"])
def test_the_face_is_brought_to_its_size(photograph: Image, how: Degradation, side_px: int) -> None:
    small = degrade(photograph, BOX, how, 0)
    assert small.shape == (round(243 * side_px / 96), round(301 * side_px / 96), 3)
    (box,) = FakeFaceDetector().detect(small).xyxy
    assert np.abs((box[2:] - box[:2]) - side_px).max() <= 2


def test_a_face_that_is_smaller_already_is_never_enlarged(photograph: Image) -> None:
    np.testing.assert_array_equal(degrade(photograph, (0, 0, 20, 20), FACE_48, 0), photograph)


def test_the_smear_lies_along_its_direction_and_keeps_the_brightness() -> None:
    dot = np.zeros((41, 41, 3), np.uint8)
    dot[20, 20] = 255
    rows, columns = np.nonzero(motion_blur(dot, 10.0, 0.0)[:, :, 0])
    assert (rows.min(), rows.max()) == (20, 20)
    assert columns.max() - columns.min() == 10
    rows, columns = np.nonzero(motion_blur(dot, 10.0, np.pi / 2)[:, :, 0])
    assert columns.min() == columns.max() == 20
    assert abs(int(motion_blur(dot, 10.0, 0.7)[:, :, 0].sum()) - 255) < 30


def test_a_longer_smear_and_a_coarser_code_lose_more(photograph: Image) -> None:
    def lost(image: Image) -> float:
        return float(np.abs(image.astype(float) - photograph.astype(float)).mean())

    smears = [lost(motion_blur(photograph, length, 0.3)) for length in (0.5, 4.0, 16.0)]
    codes = [lost(through_h264(photograph, crf)) for crf in (1, 20, 35, 50)]
    assert smears == sorted(smears)
    assert codes == sorted(codes)
    assert codes[0] < 5, "what little a fine code loses is colour at half resolution"


@pytest.mark.parametrize("shape", [(1, 1, 3), (17, 3, 3), (16, 16, 3)], ids=str)
def test_tiny_pictures_go_through_the_encoder(shape: tuple[int, int, int]) -> None:
    assert through_h264(np.full(shape, 90, np.uint8), 35).shape == shape


def test_what_cannot_be_degraded_is_named(photograph: Image) -> None:
    with pytest.raises(EvaluationError, match="without area"):
        degrade(photograph, (5, 5, 5, 9), FACE_48, 0)
    with pytest.raises(ImageError):
        degrade(np.zeros((4, 4), np.uint8), BOX, FACE_48, 0)
