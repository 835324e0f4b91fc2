"""Embeddings: batches, unit rows, guards; and that the real models tell people apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from pipelines.build import build_embedder, build_face_detector
from pipelines.config import load_config
from tests.builders import model_of, noise, plain, smooth
from vision.errors import ImageError, ModelError
from vision.face.embed import EmbedderOptions, FaceEmbedder, unit_rows
from vision.images import read_image
from vision.runtime import InferenceSession
from vision.types import Float32, ModelInput
from weights.catalog import load_catalog
from weights.store import WeightStore

SIDE, DIMENSION = 8, 6
TEMPLATE = ((2.0, 2), (6, 2), (4, 4), (3, 6), (5, 6))
INPUT = ModelInput((SIDE, SIDE), "bgr", (127.5,) * 3, (1 / 127.5,) * 3)


def projecting(bias: float = 0.0, factor: float = 1.0, size: int = SIDE, seed: int = 1) -> InferenceSession:
    """A model that multiplies each chip with a fixed matrix."""
    matrix = np.random.default_rng(seed).normal(size=(3 * size * size, DIMENSION)).astype(np.float32)
    constants = [
        numpy_helper.from_array(matrix * np.float32(factor), "matrix"),
        numpy_helper.from_array(np.full(DIMENSION, bias, np.float32), "bias"),
    ]
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["embedding"]),
    ]
    model = model_of(nodes, {"images": ["n", 3, size, size]}, {"embedding": ["n", DIMENSION]}, constants)
    return InferenceSession(model)


def chips(count: int) -> Any:
    return np.stack([noise((SIDE, SIDE), seed) for seed in range(count)])


def landmarks(count: int) -> Float32:
    return np.stack([np.array(TEMPLATE, np.float32) * 3 + index for index in range(count)])


def test_rows_have_unit_length_and_the_order_given() -> None:
    embedder = FaceEmbedder(projecting(), INPUT, TEMPLATE, EmbedderOptions(batch_size=2))
    image = smooth((60, 60))
    together = embedder.embed(image, landmarks(5))
    assert (together.shape, together.dtype.name, embedder.dimension) == ((5, DIMENSION), "float32", DIMENSION)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    alone = np.concatenate([embedder.embed(image, landmarks(5)[row : row + 1]) for row in range(5)])
    assert np.allclose(together, alone, atol=1e-6)


def test_no_faces_are_no_rows() -> None:
    embedder = FaceEmbedder(projecting(), INPUT, TEMPLATE)
    assert embedder.embed(plain(), landmarks(1)[:0]).shape == (0, DIMENSION)


def test_mirrored_is_the_mean_of_both_sides() -> None:
    one = FaceEmbedder(projecting(), INPUT, TEMPLATE)
    both = FaceEmbedder(projecting(), INPUT, TEMPLATE, EmbedderOptions(mirrored=True))
    some = chips(3)
    assert np.allclose(both.embed_chips(some), both.embed_chips(some[:, :, ::-1]), atol=1e-5)
    assert not np.allclose(one.embed_chips(some), one.embed_chips(some[:, :, ::-1]), atol=1e-2)


@pytest.mark.parametrize(
    "session",
    [
        pytest.param(lambda: projecting(bias=np.nan), id="NaN"),
        pytest.param(lambda: projecting(bias=np.inf), id="infinite"),
        pytest.param(lambda: projecting(factor=0.0), id="no direction"),
    ],
)
def test_a_vector_without_meaning_is_a_model_error(session: Any) -> None:
    with pytest.raises(ModelError, match="not finite or has no length"):
        FaceEmbedder(session(), INPUT, TEMPLATE).embed_chips(chips(2))


def test_large_numbers_do_not_overflow() -> None:
    assert np.allclose(np.linalg.norm(unit_rows(np.full((1, 512), 3e37, np.float32)), axis=1), 1)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(np.zeros((2, SIDE, SIDE), np.uint8), id="grey"),
        pytest.param(np.zeros((2, 3, SIDE, SIDE), np.uint8), id="channels first"),
        pytest.param(np.zeros((2, SIDE, SIDE, 3), np.float32), id="float"),
        pytest.param(np.zeros((SIDE, SIDE, 3), np.uint8), id="one chip"),
    ],
)
def test_chips_of_another_kind_are_refused(wrong: Any) -> None:
    with pytest.raises(ImageError, match="chips must be"):
        FaceEmbedder(projecting(), INPUT, TEMPLATE).embed_chips(wrong)


@pytest.mark.parametrize(
    ("image", "points"),
    [
        pytest.param(plain()[..., 0], landmarks(1), id="grey image"),
        pytest.param(plain(), np.full((1, 5, 2), np.nan, np.float32), id="NaN landmarks"),
        pytest.param(plain(), np.ones((1, 5, 2), np.float32), id="landmarks in one point"),
    ],
)
def test_faces_that_cannot_be_aligned_are_refused(image: Any, points: Float32) -> None:
    with pytest.raises(ImageError):
        FaceEmbedder(projecting(), INPUT, TEMPLATE).embed(image, points)


@pytest.mark.parametrize(
    ("size_wh", "template"),
    [
        pytest.param((SIDE + 1, SIDE + 1), TEMPLATE, id="another size"),
        pytest.param((SIDE, SIDE), TEMPLATE[:4], id="four points"),
    ],
)
def test_a_model_and_a_template_that_do_not_fit_are_refused(size_wh: Any, template: Any) -> None:
    with pytest.raises(ModelError):
        FaceEmbedder(projecting(), ModelInput(size_wh, "bgr"), template)


@pytest.mark.evaldata
@pytest.mark.parametrize(
    ("embedder_id", "same_at_least", "others_at_most"),
    [
        pytest.param(
            "mobilefacenet-faceplugin",
            0.4,
            0.3,
            marks=pytest.mark.models("centerface", "mobilefacenet-faceplugin"),
        ),
        pytest.param("dlib-resnet", 0.93, 0.93, marks=pytest.mark.models("centerface", "dlib-resnet")),
    ],
)
def test_people_are_told_apart(
    eval_data: Path, embedder_id: str, same_at_least: float, others_at_most: float
) -> None:
    store = WeightStore(load_config(None).paths.weights_dir, load_catalog())
    detector, embedder = build_face_detector(store, "centerface"), build_embedder(store, embedder_id)
    rows = []
    for path in (
        "Abel_Pacheco/Abel_Pacheco_0001.jpg",
        "Abel_Pacheco/Abel_Pacheco_0004.jpg",
        "Akhmed_Zakayev/Akhmed_Zakayev_0001.jpg",
        "Akhmed_Zakayev/Akhmed_Zakayev_0003.jpg",
    ):
        image = read_image(next((eval_data / "faces" / "lfw2").rglob(Path(path).name)))
        rows.append(embedder.embed(image, detector.detect(image).landmarks[:1])[0])
    similarity = np.stack(rows) @ np.stack(rows).T
    assert min(similarity[0, 1], similarity[2, 3]) > same_at_least
    assert similarity[:2, 2:].max() < others_at_most
