"""The tables of families: every model of the catalogue has its place, and is fed as its family is."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.errors import ConfigError
from pipelines.families import (
    DETECTORS,
    EMBEDDERS,
    FACE_DETECTORS,
    ModelParts,
    SearchOptions,
    family_of,
)
from tests.builders import constant_model, noise
from tests.onnx_builders import detr_queries
from vision.runtime import InferenceSession
from vision.types import Float32
from weights.catalog import load_catalog
from weights.spec import InputSpec, ModelSpec

TABLES = {"detect": DETECTORS, "face": FACE_DETECTORS, "embed": EMBEDDERS}
MODELS = [spec for spec in load_catalog() if spec.is_model]


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.id)
def test_every_model_of_the_catalogue_has_a_family(spec: ModelSpec) -> None:
    assert spec.family in TABLES[spec.task]


def test_an_unknown_family_names_those_there_are() -> None:
    with pytest.raises(
        ConfigError, match=r"'mine' is of the family 'resnet'; .*yolo, yolox, ultralytics, detr"
    ):
        family_of(DETECTORS, "resnet", "'mine'")


def yolox_output(*cells: tuple[int, tuple[float, ...]]) -> Float32:
    output = np.zeros((1, 3549, 85), np.float32)
    for index, values in cells:
        output[0, index, : len(values)] = values
    return output


@pytest.mark.parametrize("entry_id", ["yolox-nano", "yolox-tiny"])
def test_yolox_of_the_catalogue_is_fed_as_the_family_usually_is(entry_id: str) -> None:
    session = InferenceSession(constant_model((1, 3, 416, 416), {"output": yolox_output()}))
    assert load_catalog().get(entry_id).input == DETECTORS["yolox"].usual_input(session)


def test_rf_detr_of_the_catalogue_speaks_cocos_ids_and_we_its_names() -> None:
    spec = load_catalog().get("rf-detr-n")
    logits = np.full((2, 91), -9, np.float32)
    logits[0, 90], logits[1, 12] = 9, 9  # a toothbrush, and an id that means nothing
    boxes = np.tile(np.array([0.5, 0.5, 1, 1], np.float32), (2, 1))
    session = InferenceSession(detr_queries(boxes, logits, size=(384, 384)))
    usual = DETECTORS["detr"].usual_input(session)
    assert spec.input is not None
    assert np.allclose(spec.input.scale, usual.scale)
    assert (spec.input.mean, spec.input.size_wh, spec.input.colour) == (
        usual.mean,
        usual.size_wh,
        usual.colour,
    )
    detector = DETECTORS["detr"].build(ModelParts(session, usual, spec.labels), SearchOptions())
    assert detector.labels == load_catalog().get("yolov3-tiny").labels
    found = detector.detect(noise((100, 100)))
    assert [detector.labels[index] for index in found.class_id] == ["toothbrush"]


@pytest.mark.parametrize("entry_id", ["d-fine-n", "d-fine-s"])
def test_d_fine_of_the_catalogue_is_fed_as_the_family_usually_is(entry_id: str) -> None:
    model = detr_queries(
        np.zeros((1, 4), np.float32), np.zeros((1, 80), np.float32), ("pred_boxes", "logits"), ("h", "w")
    )
    usual = DETECTORS["detr"].usual_input(InferenceSession(model))
    assert load_catalog().get(entry_id).input == usual


def test_wishes_go_before_the_familys_own_choices() -> None:
    cells = [(index, (0.5, 0.5, 0, 0, 0.9, 0.1 + index / 10)) for index in range(5)]
    session = InferenceSession(constant_model((1, 3, 416, 416), {"output": yolox_output(*cells)}))
    labels = load_catalog().get("yolox-nano").labels
    parts = ModelParts(session, DETECTORS["yolox"].usual_input(session), labels)

    def found(search: SearchOptions) -> list[float]:
        detector = DETECTORS["yolox"].build(parts, search)
        return [round(float(value), 2) for value in detector.detect(noise((416, 416))).confidence]

    assert found(SearchOptions()) == [0.45, 0.36]
    assert found(SearchOptions(min_confidence=0.01)) == [0.45, 0.36, 0.27, 0.18, 0.09]
    assert found(SearchOptions(min_confidence=0.01, max_found=1)) == [0.45]


def test_a_dynamic_export_is_fed_in_multiples_of_its_stride() -> None:
    output = np.zeros((1, 84, 8400), np.float32)
    session = InferenceSession(constant_model(("n", 3, "h", "w"), {"output0": output}))
    usual = DETECTORS["ultralytics"].usual_input(session)
    assert usual == InputSpec((640, 640), "rgb", scale=(1 / 255,) * 3, multiple_of_px=32, padding_value=114)
