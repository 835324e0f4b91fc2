"""Redaction: what stays, what goes, and that nobody is recognised by what is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest

from pipelines.build import build_embedder, build_face_detector
from pipelines.config import load_config
from tests.builders import noise, plain
from vision.errors import ImageError
from vision.face.base import Embedder
from vision.images import decode_image
from vision.redact import MIN_BLOCK_PX, pixelate, pixelate_except
from vision.types import Float32, Image
from weights.catalog import load_catalog
from weights.store import WeightStore

FACE = (100.0, 60, 140, 110)


def changes(image: Image) -> tuple[int, int]:
    """Places along the middle line and column where the colour changes."""
    line = (np.abs(np.diff(image[image.shape[0] // 2].astype(int), axis=0)).sum(axis=1) > 0).sum()
    column = (np.abs(np.diff(image[:, image.shape[1] // 2].astype(int), axis=0)).sum(axis=1) > 0).sum()
    return int(line), int(column)


@pytest.mark.parametrize(
    "size_wh", [(320, 240), (1280, 720), (1920, 1080), (720, 1280), (100, 90), (25, 25), (1, 1)]
)
def test_blocks_are_never_smaller_than_the_rule_says(size_wh: tuple[int, int]) -> None:
    short = min(size_wh)
    block_px = max(MIN_BLOCK_PX, short / 8)
    across, down = changes(pixelate(noise(size_wh)))
    assert across <= max(0, int(size_wh[0] / block_px) - 1)
    assert down <= max(0, int(size_wh[1] / block_px) - 1)
    assert size_wh == (1, 1) or short < 48 or min(across, down) > 0


def test_the_probe_stays_and_all_else_goes() -> None:
    image = noise((320, 240))
    redacted = pixelate_except(image, FACE, margin=0.25)
    kept = (redacted == image).all(axis=2)
    assert kept[48:122, 90:150].all()
    outside = np.ones(kept.shape, bool)
    outside[47:123, 90:150] = False
    assert kept[outside].mean() < 0.001


def test_the_input_is_never_modified_and_never_handed_back() -> None:
    image = noise((320, 240))
    before = image.copy()
    image.flags.writeable = False
    redacted = pixelate_except(image, FACE, others_xyxy=[FACE])
    assert np.array_equal(image, before)
    assert not np.shares_memory(redacted, image)
    assert not np.shares_memory(pixelate(image), image)


def test_a_neighbour_in_the_margin_goes_but_never_part_of_the_probe() -> None:
    image = noise((320, 240))
    neighbour = (130.0, 70, 150, 100)
    with_neighbour = pixelate_except(image, FACE, margin=0.5, others_xyxy=[neighbour])
    alone = pixelate_except(image, FACE, margin=0.5)
    assert np.array_equal(alone[70:100, 140:150], image[70:100, 140:150])
    assert not np.array_equal(with_neighbour[70:100, 140:150], image[70:100, 140:150])
    assert np.array_equal(with_neighbour[60:110, 100:140], image[60:110, 100:140])


def test_a_box_over_the_edge_keeps_what_there_is_of_it() -> None:
    image = noise((320, 240))
    redacted = pixelate_except(image, (-30, -30, 20, 20), margin=0)
    assert np.array_equal(redacted[:20, :20], image[:20, :20])
    assert not np.array_equal(redacted[:, 200:], image[:, 200:])


@pytest.mark.parametrize(
    ("image", "box", "margin", "others", "reason"),
    [
        pytest.param(plain(), (np.nan, 0, 9, 9), 0.2, None, "finite", id="NaN"),
        pytest.param(plain(), (0, 0, np.inf, 9), 0.2, None, "finite", id="infinite"),
        pytest.param(plain(), (0, 0, 9), 0.2, None, "4 values", id="three values"),
        pytest.param(plain(), (500, 500, 600, 600), 0.2, None, "no part", id="outside"),
        pytest.param(plain(), (9, 9, 9, 9), 0.2, None, "no part", id="empty"),
        pytest.param(plain(), (20, 20, 5, 5), 0.2, None, "no part", id="inside out"),
        pytest.param(plain(), (0, 0, 9, 9), -0.1, None, "margin", id="negative margin"),
        pytest.param(plain(), (0, 0, 9, 9), np.nan, None, "margin", id="margin NaN"),
        pytest.param(plain(), (0, 0, 9, 9), 0.2, (1, 2, 3, 4), "others_xyxy", id="others without rows"),
        pytest.param(plain()[..., 0], (0, 0, 9, 9), 0.2, None, "uint8 BGR", id="grey"),
    ],
)
def test_what_makes_no_sense_is_refused(
    image: Any, box: Any, margin: float, others: Any, reason: str
) -> None:
    with pytest.raises(ImageError, match=reason):
        pixelate_except(image, box, margin, others)


@dataclass(frozen=True)
class Photographed:
    """The people of the catalogue's photographs.

    Attributes:
        embedder: the default one.
        looks: each photograph and the landmarks of its face.
        templates: one row each, from the photograph itself: what whoever wants to know would compare with.
    """

    embedder: Embedder
    looks: list[tuple[Image, Float32]]
    templates: Float32


@pytest.fixture(scope="module")
def people() -> Photographed:
    store = WeightStore(load_config(None).paths.weights_dir, load_catalog())
    detector = build_face_detector(store, "centerface")
    embedder = build_embedder(store, "mobilefacenet-faceplugin")
    pictures = [decode_image(store.read(spec.id)) for spec in store.catalog.of_task("pictures")]
    looks = [(image, detector.detect(image).landmarks[0]) for image in pictures]
    return Photographed(embedder, looks, embedded(embedder, looks))


def embedded(embedder: Embedder, looks: Iterable[tuple[Image, Float32]]) -> Float32:
    return np.concatenate([embedder.embed(image, landmarks[None]) for image, landmarks in looks])


def in_frame(look: tuple[Image, Float32], face_px: float, size_wh: tuple[int, int]) -> tuple[Image, Float32]:
    """The face at a given size, somewhere near the middle of a frame."""
    image, landmarks = look
    scale = face_px / (np.ptp(landmarks, axis=0).mean() * 2.4)
    move = np.array([[scale, 0, 0], [0, scale, 0]], np.float64)
    move[:, 2] = np.array(size_wh) / 2 + (7, 3) - landmarks.mean(axis=0) * scale
    frame = cv2.warpAffine(image, move, size_wh, flags=cv2.INTER_AREA, borderValue=(90, 90, 90))
    return np.asarray(frame, np.uint8), np.asarray(landmarks * scale + move[:, 2], np.float32)


@pytest.mark.models("centerface", "mobilefacenet-faceplugin", "photo-grace-hopper-1984")
@pytest.mark.parametrize(
    ("face_px", "size_wh"),
    [
        pytest.param(16, (1280, 720), id="16 px"),
        pytest.param(64, (1280, 720), id="64 px"),
        pytest.param(300, (1280, 720), id="300 px"),
        pytest.param(64, (320, 240), id="64 px in a small frame"),
        pytest.param(280, (640, 360), id="as high as the frame"),
    ],
)
def test_nobody_is_recognised_in_blocks(
    people: Photographed, face_px: float, size_wh: tuple[int, int]
) -> None:
    frames = [in_frame(look, face_px, size_wh) for look in people.looks]
    hidden = embedded(people.embedder, [(pixelate(frame), marks) for frame, marks in frames])
    similarity = hidden @ people.templates.T
    assert np.diag(similarity).max() < 0.25
    # Not even among the few people here does a face in blocks stand out as its own.
    assert (similarity.argmax(axis=1) == np.arange(len(frames))).mean() < 0.5
    if face_px >= 64:
        # The test can fail: blocks of a twentieth of the face still give people away.
        fine = embedded(people.embedder, [(blocks(frame, face_px / 20), marks) for frame, marks in frames])
        assert np.diag(fine @ people.templates.T).mean() > 0.3


def blocks(image: Image, block_px: float) -> Image:
    """Blocks of any size, as `pixelate` makes them."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (int(width / block_px), int(height / block_px)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
