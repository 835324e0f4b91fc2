"""SCRFD: both anchors of a cell, with and without a batch axis, under any names; other models refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pipelines.families import FACE_DETECTORS, ModelParts, SearchOptions
from tests.builders import constant_model, noise, plain
from tests.onnx_builders import answering
from tests.unit.vision.face.pyramids import (
    Recorder,
    Wanted,
    model_bytes,
    scrfd_outputs,
    session,
    yunet_outputs,
)
from vision.errors import ModelError
from vision.face.scrfd import Scrfd, ScrfdOptions
from vision.runtime import InferenceSession, Tensor
from vision.types import ModelInput

RGB = ModelInput((0, 0), "rgb", (127.5,) * 3, (1 / 128,) * 3)
ALL = ScrfdOptions(min_face_px=0)
CANVAS = (96, 64)
FACES = (Wanted((10, 12, 26, 32)), Wanted((48, 8, 88, 56), 0.7, 16), Wanted((4, 36, 40, 62), 0.6, 32))


def scrfd(outputs: dict[str, Tensor]) -> Scrfd:
    return Scrfd(session(outputs), RGB, ALL)


@pytest.mark.parametrize("anchor", [0, 1])
@pytest.mark.parametrize("batched", [False, True])
def test_boxes_and_landmarks_of_every_stride_come_back(anchor: int, batched: bool) -> None:
    found = scrfd(scrfd_outputs(FACES, CANVAS, anchor=anchor, batched=batched)).detect(noise(CANVAS))
    assert found.confidence.tolist() == pytest.approx([0.9, 0.7, 0.6])
    assert np.allclose(found.xyxy, [face.xyxy for face in FACES], atol=1e-3)
    assert np.allclose(found.landmarks, [face.landmarks for face in FACES], atol=1e-3)


def test_neither_names_nor_order_of_the_outputs_matter() -> None:
    outputs = list(scrfd_outputs(FACES, CANVAS).values())
    order = np.random.default_rng(3).permutation(len(outputs))
    shuffled = {str(443 + place): outputs[index] for place, index in enumerate(order)}
    assert np.allclose(scrfd(shuffled).detect(noise(CANVAS)).xyxy, [face.xyxy for face in FACES], atol=1e-3)


def test_both_anchors_of_a_cell_are_one_face() -> None:
    outputs = scrfd_outputs(FACES[:1], CANVAS, anchor=0)
    for name, value in scrfd_outputs((Wanted((11, 13, 27, 33), 0.8),), CANVAS, anchor=1).items():
        outputs[name] = outputs[name] + value
    assert scrfd(outputs).detect(noise(CANVAS)).confidence.tolist() == pytest.approx([0.9])


def test_it_is_fed_rgb_between_minus_one_and_one() -> None:
    model = Recorder(model_bytes(scrfd_outputs((), CANVAS)))
    family = FACE_DETECTORS["scrfd"]
    family.build(ModelParts(model, family.usual_input(model)), SearchOptions()).detect(
        plain(CANVAS, (0, 128, 255))
    )
    means = model.fed["input"].mean(axis=(0, 2, 3)).tolist()
    assert means == pytest.approx([127.5 / 128, 0.5 / 128, -127.5 / 128], abs=1e-5)


def test_large_pictures_are_shrunk_to_the_one_size_a_model_has() -> None:
    fixed = Scrfd(session(scrfd_outputs(FACES, CANVAS), (64, 96)), RGB, ALL)
    assert np.allclose(fixed.detect(noise((192, 96))).xyxy[0], [20, 24, 52, 64], atol=1e-2)


@pytest.mark.parametrize("kind", ["score", "bbox", "kps"])
def test_what_is_not_finite_is_a_model_error(kind: str) -> None:
    outputs = scrfd_outputs(FACES, CANVAS)
    outputs[f"{kind}_8"][:] = np.nan
    with pytest.raises(ModelError, match="not finite"):
        scrfd(outputs).detect(noise(CANVAS))


def test_rows_for_another_size_are_a_model_error() -> None:
    with pytest.raises(ModelError, match="must give 384 rows at stride 8, 2 a cell; got 192 scores"):
        scrfd(scrfd_outputs((), CANVAS)).detect(noise((128, 96)))


def without_points() -> dict[str, Tensor]:
    return {name: value for name, value in scrfd_outputs((), CANVAS).items() if "kps" not in name}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        pytest.param(
            constant_model((1, 3, 32, 32), {"y": np.zeros((1, 85, 3, 3), np.float32)}),
            "not SCRFD: 1 outputs with [0] values a row, three each of 1, 4 and 10 expected",
            id="a detector of objects",
        ),
        pytest.param(
            model_bytes(without_points()), "without landmarks, which faces cannot be aligned by", id="no kps"
        ),
        pytest.param(model_bytes(yunet_outputs((), CANVAS)), "not SCRFD: 12 outputs", id="YuNet"),
        pytest.param(
            answering(("input", (1, 96, 64, 3)), scrfd_outputs((), CANVAS)),
            "one picture (1, 3",
            id="channels last",
        ),
        pytest.param(
            model_bytes(scrfd_outputs((), CANVAS), (100, 96)), "no multiple of 32", id="an odd size"
        ),
    ],
)
def test_another_model_is_refused_in_one_line(model: bytes, said: str) -> None:
    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        Scrfd(InferenceSession(model), RGB)
    assert "\n" not in str(caught.value)
