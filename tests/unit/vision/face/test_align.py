"""Alignment: landmarks where the template has them, whatever the face's size and tilt."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from tests.builders import noise, plain, smooth
from vision.errors import ImageError
from vision.face.align import PORTRAIT_EYES, PORTRAIT_GREY, align, portrait
from vision.types import Float32, Image

TEMPLATE = np.array([[38.8, 52.2], [74.0, 52.0], [56.5, 72.2], [42.0, 92.9], [71.2, 92.7]])
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]])


def marked(landmarks: Float32, size_wh: tuple[int, int], radius_px: float) -> Image:
    """A grey picture with a coloured dot at each landmark."""
    image = plain(size_wh)
    for (x, y), colour in zip(landmarks, COLOURS.tolist(), strict=True):
        # The dot's centre is a point on the plane; OpenCV counts from the middle of the first pixel.
        centre = (round((x - 0.5) * 16), round((y - 0.5) * 16))
        cv2.circle(image, centre, round(radius_px * 16), colour, -1, cv2.LINE_AA, shift=4)
    return image


def dots(chip: Image) -> Float32:
    """Where the dots' centres are, as points on the plane."""
    places = []
    for colour in COLOURS:
        weight = np.clip(200 - np.abs(chip.astype(float) - colour).sum(axis=2), 0, None)
        rows, columns = np.mgrid[: chip.shape[0], : chip.shape[1]] + 0.5
        places.append([(columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()])
    return np.array(places, dtype=np.float32)


def face_at(degrees: float, scale: float, centre: tuple[float, float]) -> Float32:
    """The template's landmarks, turned, scaled and moved."""
    angle = np.deg2rad(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray((TEMPLATE - 56) @ matrix.T + centre, dtype=np.float32)


@pytest.mark.parametrize(
    ("degrees", "scale"),
    [(0, 1.0), (0, 1.5), (25, 0.8), (-60, 2.0), (180, 1.0), (10, 3.0), (-20, 6.0)],
)
def test_every_landmark_lands_on_its_place(degrees: float, scale: float) -> None:
    landmarks = face_at(degrees, scale, (400, 380))
    image = marked(landmarks, (900, 800), 4 * scale)
    assert np.allclose(dots(align(image, landmarks[None], TEMPLATE, 112)[0]), TEMPLATE, atol=0.3)


def test_a_large_face_is_averaged_not_skipped_through() -> None:
    image = noise((1600, 1600))
    chip = align(image, face_at(0, 12.0, (800, 800))[None], TEMPLATE, 112)[0]
    # The mean of 12 × 12 pixels of noise varies a twelfth as much; taking every twelfth pixel would not.
    assert chip.std() < image.std() / 6


def test_shrinking_first_changes_nothing_but_the_noise() -> None:
    image = smooth((1200, 1200))
    nearly = align(image, face_at(13, 1.99, (600, 600))[None], TEMPLATE, 112)[0].astype(float)
    shrunk = align(image, face_at(13, 2.01, (600, 600))[None], TEMPLATE, 112)[0].astype(float)
    assert np.abs(nearly - shrunk).mean() < 3


def test_a_batch_is_its_members_and_none_are_none() -> None:
    image = smooth((300, 300))
    landmarks = np.stack([face_at(angle, 1.0, (150, 150)) for angle in (0, 20, 40)])
    chips = align(image, landmarks, TEMPLATE, 112)
    assert chips.shape == (3, 112, 112, 3)
    assert np.array_equal(chips[1], align(image, landmarks[1:2], TEMPLATE, 112)[0])
    assert align(image, landmarks[:0], TEMPLATE, 112).shape == (0, 112, 112, 3)


def test_beyond_the_edge_is_black_and_strides_do_not_matter() -> None:
    image = plain((120, 120), (200, 200, 200))
    chip = align(image, face_at(0, 1.0, (0, 60))[None], TEMPLATE, 112)[0]
    assert not chip[:, :50].any()
    assert (chip[:, 60:] == 200).all()
    view = smooth((240, 240))[::2, ::2]
    landmarks = face_at(0, 0.7, (60, 60))[None]
    assert np.array_equal(align(view, landmarks, TEMPLATE, 112), align(view.copy(), landmarks, TEMPLATE, 112))


@pytest.mark.parametrize("size_wh", [(1, 1), (2, 500)])
def test_the_smallest_pictures_do_no_harm(size_wh: tuple[int, int]) -> None:
    for scale in (0.001, 1.0, 50.0):
        assert align(plain(size_wh), face_at(0, scale, (0, 0))[None], TEMPLATE, 112).shape == (1, 112, 112, 3)


@pytest.mark.parametrize(
    ("landmarks", "reason"),
    [
        pytest.param(np.zeros((1, 5, 2)), "coincide", id="in one point"),
        pytest.param(np.full((1, 5, 2), np.nan), "finite", id="NaN"),
        pytest.param(np.zeros((5, 2)), r"\(N, 5, 2\)", id="no batch"),
        pytest.param(np.zeros((1, 4, 2)), r"\(N, 5, 2\)", id="four"),
    ],
)
def test_landmarks_of_no_face_are_refused(landmarks: Any, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        align(plain(), landmarks, TEMPLATE, 112)


def test_images_of_another_kind_are_refused() -> None:
    with pytest.raises(ImageError, match="uint8 BGR"):
        align(plain()[..., 0], face_at(0, 1, (9, 9))[None], TEMPLATE, 112)


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (30, 2.5), (-90, 0.7), (170, 5.0)])
@pytest.mark.parametrize("size_px", [320, 160])
def test_eyes_are_at_the_same_two_places_in_every_portrait(
    degrees: float, scale: float, size_px: int
) -> None:
    landmarks = face_at(degrees, scale, (500, 450))
    image = portrait(marked(landmarks, (1000, 900), 4 * scale), landmarks, size_px)
    assert image.shape == (size_px, size_px, 3)
    assert np.allclose(dots(image)[:2], np.array(PORTRAIT_EYES) * size_px, atol=0.5)


def test_a_profile_is_not_blown_up() -> None:
    frontal = face_at(0, 2.0, (400, 400))
    profile = frontal.copy()
    profile[:, 0] = 400 + (frontal[:, 0] - 400) * 0.15
    wide, narrow = (dots(portrait(marked(points, (800, 800), 6), points)) for points in (frontal, profile))
    heights = [points[3:, 1].mean() - points[:2, 1].mean() for points in (wide, narrow)]
    assert heights[1] == pytest.approx(heights[0], rel=0.15)
    assert narrow[:2].mean(axis=0) == pytest.approx(np.array([0.5, 0.42]) * 320, abs=1)


def test_a_portrait_keeps_hair_and_chin_and_is_grey_beyond_the_picture() -> None:
    landmarks = face_at(0, 1.0, (56, 56))
    image = portrait(plain((112, 112), (200, 200, 200)), landmarks)
    assert (image[0, 0] == PORTRAIT_GREY).all()
    assert (image[160, 160] == 200).all()


@pytest.mark.parametrize("landmarks", [np.zeros((5, 2)), np.full((5, 2), np.inf), np.zeros((1, 5, 2))])
def test_a_portrait_of_no_face_is_refused(landmarks: Any) -> None:
    with pytest.raises(ImageError):
        portrait(plain(), landmarks)
