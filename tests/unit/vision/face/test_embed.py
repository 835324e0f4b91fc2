"""Embeddings: batches, unit rows, guards; and that the real models tell people apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from pipelines.build import build_embedder, build_face_detector
from pipelines.config import load_config
from tests.builders import constant_model, model_of, noise, plain, smooth
from vision.errors import ImageError, ModelError
from vision.face.embed import EmbedderOptions, FaceEmbedder, unit_rows
from vision.images import read_image, to_tensor
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
    one = FaceEmbedder(projecting(), INPUT, TEMPLATE, EmbedderOptions(mirrored=False))
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


def shaped(given: Sequence[int | str], found: Sequence[int | str], node: str = "Flatten") -> InferenceSession:
    """A model of those declared axes that gives back the first numbers of each chip, as (N, D, 1, 1) or (N, D).

    Args:
        given: axes of its input.
        found: axes of its output.
        node: `Flatten` for (N, D), `Reshape` for (N, D, 1, 1), `Squash` for (1, N × D).
    """
    tail = {"Flatten": [-1, DIMENSION], "Reshape": [-1, DIMENSION, 1, 1], "Squash": [1, -1]}[node]
    constants = [
        numpy_helper.from_array(np.array([0], np.int64), "from"),
        numpy_helper.from_array(np.array([DIMENSION], np.int64), "to"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.array(tail, np.int64), "tail"),
    ]
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("Slice", ["flat", "from", "to", "axis"], ["part"]),
        helper.make_node("Reshape", ["part", "tail"], ["embedding"]),
    ]
    return InferenceSession(model_of(nodes, {"images": given}, {"embedding": found}, constants))


def first_numbers(some: Any) -> Float32:
    """What `shaped` gives: the first blue values of each chip, at unit length."""
    return unit_rows(to_tensor(some, INPUT).reshape(len(some), -1)[:, :DIMENSION])


@pytest.mark.parametrize(
    ("given", "found", "node", "fixed_batch"),
    [
        pytest.param(("n", 3, SIDE, SIDE), ("n", DIMENSION), "Flatten", None, id="free batch"),
        pytest.param((1, 3, SIDE, SIDE), (1, DIMENSION), "Flatten", 1, id="one face a call"),
        pytest.param((4, 3, SIDE, SIDE), (4, DIMENSION), "Flatten", 4, id="four faces a call"),
        pytest.param(("n", 3, SIDE, SIDE), ("n", DIMENSION, 1, 1), "Reshape", None, id="four axes"),
        pytest.param((1, 3, SIDE, SIDE), (1, DIMENSION, 1, 1), "Reshape", 1, id="four axes, one face"),
        pytest.param(("n", 3, "h", "w"), ("n", "d"), "Flatten", None, id="nothing declared"),
        pytest.param((1, 3, SIDE, SIDE), ("m", "d"), "Flatten", 1, id="undeclared length, one face"),
        pytest.param(("n", 3, SIDE, SIDE), ("n", "d", "a", "b"), "Reshape", None, id="undeclared, four axes"),
    ],
)
def test_every_layout_gives_the_same_rows(
    given: Sequence[int | str], found: Sequence[int | str], node: str, fixed_batch: int | None
) -> None:
    embedder = FaceEmbedder(shaped(given, found, node), INPUT, TEMPLATE, EmbedderOptions(mirrored=False))
    assert (embedder.dimension, embedder.fixed_batch) == (DIMENSION, fixed_batch)
    for count in (1, 3, 5):
        assert np.allclose(embedder.embed_chips(chips(count)), first_numbers(chips(count)), atol=1e-6)


def test_the_channels_are_in_the_order_the_model_wants() -> None:
    model = shaped(("n", 3, SIDE, SIDE), ("n", DIMENSION))
    options = EmbedderOptions(mirrored=False)
    rgb = FaceEmbedder(model, replace(INPUT, colour="rgb"), TEMPLATE, options)
    bgr = FaceEmbedder(model, INPUT, TEMPLATE, options)
    assert np.allclose(rgb.embed_chips(chips(3)), bgr.embed_chips(chips(3)[..., ::-1]), atol=1e-6)
    assert not np.allclose(rgb.embed_chips(chips(3)), bgr.embed_chips(chips(3)), atol=1e-2)


def test_a_model_that_mixes_its_faces_up_is_a_model_error() -> None:
    """Declared for any batch, but with the batch of one it was traced with left in its last Reshape."""
    embedder = FaceEmbedder(shaped(("n", 3, SIDE, SIDE), ("n", DIMENSION), "Squash"), INPUT, TEMPLATE)
    assert embedder.embed_chips(chips(1)).shape == (1, DIMENSION)
    with pytest.raises(ModelError, match=r"gave \(1, 12\) for 2 faces, \(2, 6\) expected; .*one face a call"):
        embedder.embed_chips(chips(2))


def test_a_model_that_gives_another_length_than_it_declares_is_a_model_error() -> None:
    embedder = FaceEmbedder(shaped(("n", 3, SIDE, SIDE), ("n", "d")), INPUT, TEMPLATE)
    embedder.dimension = DIMENSION + 1
    with pytest.raises(ModelError, match=r"gave \(2, 6\) for 2 faces, \(2, 7\) expected"):
        embedder.embed_chips(chips(2))


@pytest.mark.parametrize(
    ("given", "found", "said"),
    [
        pytest.param(("n", SIDE, SIDE, 3), ("n", DIMENSION), "(N, 3, 8, 8) float32 in", id="channels last"),
        pytest.param(("n", 1, SIDE, SIDE), ("n", DIMENSION), "not an embedder of 8×8 faces", id="grey"),
        pytest.param(("n", 3, 4, 4), ("n", DIMENSION), "not an embedder of 8×8 faces", id="another size"),
        pytest.param(
            ("n", 3, SIDE, SIDE), ("n", DIMENSION, 1), "(N, D) or (N, D, 1, 1) out", id="three axes"
        ),
        pytest.param(("n", 3, SIDE, SIDE), ("n", DIMENSION, 2, 3), "(N, D) or (N, D, 1, 1) out", id="maps"),
    ],
)
def test_another_model_is_refused_in_one_line(
    given: Sequence[int | str], found: Sequence[int | str], said: str
) -> None:
    model = constant_model(
        given, {"embedding": np.zeros([axis if isinstance(axis, int) else 1 for axis in found], np.float32)}
    )
    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        FaceEmbedder(InferenceSession(model), INPUT, TEMPLATE)
    assert "\n" not in str(caught.value)


def test_a_detector_is_no_embedder() -> None:
    model = constant_model(("n", 3, SIDE, SIDE), {name: np.zeros((1, 4), np.float32) for name in ("a", "b")})
    with pytest.raises(ModelError, match="not an embedder: 1 inputs and 2 outputs, one of each expected"):
        FaceEmbedder(InferenceSession(model), INPUT, TEMPLATE)


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
