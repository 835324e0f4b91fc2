"""Scripted operators recognise a reference portrait, and say *cannot tell* where they cannot."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from aiqyn.demo.footage.truth import FaceTruth, FrameTruth, GroundTruth, PersonTruth
from aiqyn.demo.likeness import PictureAlbum
from aiqyn.demo.operators import Eyes
from vision.images import encode_jpeg
from vision.types import Image

BOX = (100.0, 100.0, 180.0, 200.0)
POINTS = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (0.0, 1.0), (1.0, 1.0))


def picture(seed: int) -> Image:
    """A picture full of detail, different for each seed."""
    rng = np.random.default_rng(seed)
    image = np.full((480, 480, 3), 120, np.uint8)
    for _ in range(220):
        centre = tuple(int(value) for value in rng.integers(0, 480, 2))
        colour = tuple(int(value) for value in rng.integers(0, 255, 3))
        cv2.circle(image, (centre[0], centre[1]), int(rng.integers(4, 22)), colour, -1)
    return image


def portrait_of(image: Image) -> Image:
    """The picture turned, scaled and cut, as enrolment does it."""
    matrix = cv2.getRotationMatrix2D((240, 240), 7, 0.9)
    matrix[:, 2] -= 80
    return np.asarray(cv2.warpAffine(image, matrix, (320, 320)), dtype=np.uint8)


@pytest.fixture(scope="module")
def album() -> PictureAlbum:
    return PictureAlbum({"anna": [picture(1)], "bolat": [picture(2), picture(3)]})


@pytest.mark.parametrize(("seed", "subject_id"), [(1, "anna"), (2, "bolat"), (3, "bolat"), (9, None)])
def test_a_portrait_is_recognised_by_its_picture(
    album: PictureAlbum, seed: int, subject_id: str | None
) -> None:
    assert album.recognise(portrait_of(picture(seed))) == subject_id


def test_a_blank_portrait_is_nobodys(album: PictureAlbum) -> None:
    assert album.recognise(np.full((320, 320, 3), 90, np.uint8)) is None


@pytest.mark.parametrize(
    ("reference", "face_xyxy", "answer"),
    [
        pytest.param(1, BOX, "same_person", id="the listed person beside her own picture"),
        pytest.param(2, BOX, "different", id="beside somebody else's"),
        pytest.param(9, BOX, "cannot_tell", id="beside a picture nobody knows"),
        pytest.param(1, (600.0, 10.0, 660.0, 80.0), "cannot_tell", id="a box where nobody is"),
    ],
)
def test_an_operator_judges_by_what_she_sees(
    album: PictureAlbum, reference: int, face_xyxy: tuple[float, ...], answer: str
) -> None:
    truth = GroundTruth(
        width=1280,
        height=720,
        fps=12.5,
        persons=(PersonTruth("person-1", "anna", appears=True),),
        frames=(FrameTruth(0, 0.0, (FaceTruth("person-1", BOX, POINTS, visible=True),)),),
    )
    review: dict[str, Any] = {"pts_seconds": 0.01, "frame": {"face_xyxy": list(face_xyxy)}}
    assert Eyes(truth, album).judge(review, encode_jpeg(portrait_of(picture(reference)))) == answer
