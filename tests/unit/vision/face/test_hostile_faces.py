"""Pictures and landmarks nobody should hand to a face detector or an embedder: a clear error, or the right answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.builders import constant_model, noise, plain, smooth
from tests.unit.vision.face.pyramids import Wanted, scrfd_outputs, session, yunet_outputs
from tests.unit.vision.face.test_embed import INPUT, TEMPLATE, landmarks, projecting
from vision.errors import ImageError
from vision.face.base import FaceDetector
from vision.face.centerface import CenterFace
from vision.face.embed import FaceEmbedder
from vision.face.scrfd import Scrfd
from vision.face.yunet import Yunet
from vision.runtime import InferenceSession
from vision.types import Image, ModelInput

SIZE = (96, 64)
FACES = (Wanted((10, 12, 34, 42)),)
SCRFD_INPUT = ModelInput((0, 0), "rgb", (127.5,) * 3, (1 / 128,) * 3)


def centerface(faces: tuple[Wanted, ...], size_wh: tuple[int, int]) -> FaceDetector:
    width, height = size_wh[0] // 4, size_wh[1] // 4
    maps = [np.zeros((1, count, height, width), np.float32) for count in (1, 2, 2, 10)]
    for face in faces:
        x1, y1, x2, y2 = face.xyxy
        column, row = int((x1 + x2) / 8), int((y1 + y2) / 8)
        maps[0][0, 0, row, column] = face.confidence
        maps[1][0, :, row, column] = np.log([(y2 - y1) / 4, (x2 - x1) / 4])
        maps[2][0, :, row, column] = (y1 + y2) / 8 - row - 0.5, (x1 + x2) / 8 - column - 0.5
        shares = (face.landmarks - (x1, y1)) / (x2 - x1, y2 - y1)
        maps[3][0, :, row, column] = shares[:, ::-1].ravel()
    names = ("heatmap", "log_size", "offset", "landmarks")
    model = constant_model(("batch", 3, "height", "width"), dict(zip(names, maps, strict=True)))
    return CenterFace(InferenceSession(model), ModelInput((0, 0), "rgb"))


def yunet(faces: tuple[Wanted, ...], size_wh: tuple[int, int]) -> FaceDetector:
    return Yunet(session(yunet_outputs(faces, size_wh)), ModelInput((0, 0), "bgr"))


def scrfd(faces: tuple[Wanted, ...], size_wh: tuple[int, int]) -> FaceDetector:
    return Scrfd(session(scrfd_outputs(faces, size_wh)), SCRFD_INPUT)


FAMILIES = (centerface, yunet, scrfd)
Family = Callable[[tuple[Wanted, ...], tuple[int, int]], FaceDetector]

NOT_PICTURES = [
    pytest.param(np.zeros((64, 96), np.uint8), id="grey"),
    pytest.param(np.zeros((64, 96, 1), np.uint8), id="grey with an axis"),
    pytest.param(np.zeros((64, 96, 4), np.uint8), id="RGBA"),
    pytest.param(np.zeros((64, 96, 3), np.uint16), id="16-bit"),
    pytest.param(np.full((64, 96, 3), np.nan, np.float32), id="NaN"),
    pytest.param(np.zeros((0, 96, 3), np.uint8), id="no rows"),
    pytest.param(np.zeros((64, 0, 3), np.uint8), id="no columns"),
    pytest.param(np.zeros((3, 64, 96), np.uint8), id="channels first"),
    pytest.param(np.zeros((1, 64, 96, 3), np.uint8), id="a batch"),
    pytest.param(np.zeros((64, 96, 3), np.bool_), id="bits"),
    pytest.param([[0, 0, 0]], id="a list"),
    pytest.param(None, id="nothing"),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("image", NOT_PICTURES)
def test_what_is_no_picture_is_refused_by_every_detector(family: Family, image: Any) -> None:
    with pytest.raises(ImageError, match="image must be") as caught:
        family(FACES, SIZE).detect(image)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("image", NOT_PICTURES)
def test_what_is_no_picture_is_refused_by_the_embedder(image: Any) -> None:
    with pytest.raises(ImageError, match="image must be"):
        FaceEmbedder(projecting(), INPUT, TEMPLATE).embed(image, landmarks(1))


@pytest.mark.parametrize("family", FAMILIES)
def test_one_pixel_is_a_picture_without_faces(family: Family) -> None:
    assert len(family((), (32, 32)).detect(plain((1, 1)))) == 0


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda image: image[:, ::-1][:, ::-1], id="twice mirrored"),
        pytest.param(np.asfortranarray, id="columns first in memory"),
        pytest.param(lambda image: np.repeat(image, 2, axis=1)[:, ::2], id="every second column"),
        pytest.param(lambda image: np.rot90(np.rot90(image, 1), -1), id="turned and turned back"),
        pytest.param(lambda image: np.pad(image, ((0, 0), (0, 0), (0, 1)))[..., :3], id="RGBA seen as RGB"),
    ],
)
def test_memory_order_makes_no_difference(
    family: Family, view: Callable[[Image], npt.NDArray[np.uint8]]
) -> None:
    image = noise(SIZE)
    seen = view(image)
    assert not seen.flags.c_contiguous or seen.base is not None
    found, wanted = family(FACES, SIZE).detect(seen), family(FACES, SIZE).detect(image)
    assert np.allclose(found.xyxy, [FACES[0].xyxy], atol=1e-3)
    assert np.array_equal(found.landmarks, wanted.landmarks)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_picture_is_left_as_it_was(family: Family) -> None:
    image = noise(SIZE)
    before = image.copy()
    image.flags.writeable = False
    family(FACES, SIZE).detect(image)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_thousand_faces_are_all_found_in_time(family: Family) -> None:
    side, gap = 20, 24
    crowd = tuple(
        Wanted((x * gap + 2, y * gap + 2, x * gap + 2 + side, y * gap + 2 + side), 0.65 + (x + y) / 200)
        for x in range(40)
        for y in range(25)
    )
    detector = family(crowd, (960, 608))
    image = smooth((960, 608))
    started = time.perf_counter()
    found = detector.detect(image)
    assert time.perf_counter() - started < 3
    assert len(found) == len(crowd) == 1000
    assert np.allclose(np.sort(found.xyxy[:, 0]), np.sort([face.xyxy[0] for face in crowd]), atol=1e-2)
    embeddings = FaceEmbedder(projecting(), INPUT, TEMPLATE).embed(image, found.landmarks)
    assert embeddings.shape == (1000, 6)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(np.full((1, 5, 2), np.nan, np.float32), id="NaN"),
        pytest.param(np.full((1, 5, 2), np.inf, np.float32), id="infinite"),
        pytest.param(np.ones((1, 5, 2), np.float32), id="in one point"),
        pytest.param(np.zeros((1, 4, 2), np.float32), id="four of them"),
        pytest.param(np.zeros((5, 2), np.float32), id="without the faces' axis"),
        pytest.param(
            np.concatenate([landmarks(2), np.full((1, 5, 2), np.nan, np.float32)]), id="one bad of three"
        ),
    ],
)
def test_landmarks_that_are_none_are_refused(points: Any) -> None:
    with pytest.raises(ImageError) as caught:
        FaceEmbedder(projecting(), INPUT, TEMPLATE).embed(smooth((60, 60)), points)
    assert "\n" not in str(caught.value)


def test_landmarks_far_outside_the_picture_are_a_black_face_and_no_crash() -> None:
    embedder = FaceEmbedder(projecting(), INPUT, TEMPLATE)
    assert embedder.embed(smooth((60, 60)), landmarks(1) + 1e5).shape == (1, 6)


def test_a_rotated_face_gives_the_embedding_of_the_upright_one() -> None:
    embedder = FaceEmbedder(projecting(), INPUT, TEMPLATE)
    image, points = smooth((80, 60)), landmarks(1) * 2
    upright = embedder.embed(image, points)
    turned = np.stack([points[..., 1], 80 - points[..., 0]], axis=-1)  # a quarter counter-clockwise
    assert float((upright @ embedder.embed(np.rot90(image), turned).T)[0, 0]) > 0.999
