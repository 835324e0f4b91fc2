"""`pipelines.same_picture`: a copy is known whatever was done to the file; another photograph is none."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from pipelines.same_picture import SAME_PICTURE_CORRELATION, picture_correlation, thumbnail
from tests.seeds import drawn_face
from vision.face.align import PORTRAIT_GREY
from vision.images import decode_image, encode_jpeg
from vision.types import Float32, Image


def textured(seed: int) -> Image:
    """A drawn face with pores and wrinkles of its own, as photographs have them."""
    face = drawn_face(1).astype(np.float32)
    grain: Float32 = np.random.default_rng(seed).normal(size=(80, 80)).astype(np.float32)
    grain = np.asarray(cv2.GaussianBlur(cv2.resize(grain, (320, 320)), (0, 0), 3), np.float32)
    return np.asarray(np.clip(face + 60 * grain[..., None], 0, 255), np.uint8)


def shifted(image: Image) -> Image:
    turn = cv2.getRotationMatrix2D((160, 160), 3, 1.05)
    turn[:, 2] += (6, -4)
    return np.asarray(cv2.warpAffine(image, turn, (320, 320), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def cropped(image: Image) -> Image:
    image = image.copy()
    image[:, 250:] = PORTRAIT_GREY
    return image


def smaller(image: Image) -> Image:
    return np.asarray(cv2.resize(cv2.resize(image, (120, 120)), (320, 320)), np.uint8)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda image: decode_image(encode_jpeg(image, 30)), id="encoded anew"),
        pytest.param(smaller, id="made smaller"),
        pytest.param(shifted, id="landmarks found elsewhere"),
        pytest.param(cropped, id="cropped"),
        pytest.param(lambda image: np.asarray(image * 0.8 + 20, np.uint8), id="brightened"),
    ],
)
def test_a_copy_is_the_same_picture(change: Callable[[Image], Image]) -> None:
    picture = textured(1)
    assert picture_correlation(thumbnail(picture), thumbnail(change(picture))) > SAME_PICTURE_CORRELATION


def test_another_picture_of_the_same_face_is_not() -> None:
    first, second = (thumbnail(textured(seed)) for seed in (1, 2))
    assert picture_correlation(first, second) < SAME_PICTURE_CORRELATION


def test_without_registration_a_shifted_copy_would_be_missed() -> None:
    from pipelines.same_picture import _correlation, _fine

    first, second = (thumbnail(image).astype(np.float32) for image in (textured(1), shifted(textured(1))))
    everywhere = np.ones(first.shape, bool)
    assert _correlation(_fine(first), _fine(second), everywhere) < SAME_PICTURE_CORRELATION


@pytest.mark.parametrize("value", [0, PORTRAIT_GREY, 255])
def test_flat_pictures_resemble_nothing(value: int) -> None:
    flat = np.full((64, 64), value, np.uint8)
    assert picture_correlation(flat, flat) == 0
    assert picture_correlation(thumbnail(textured(1)), flat) == pytest.approx(0, abs=0.2)
