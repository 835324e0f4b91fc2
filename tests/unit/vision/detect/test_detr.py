"""D-FINE, RT-DETR and RF-DETR: both layouts decoded, fed as upstream feeds them, other models refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.families import DETECTORS, ModelParts, SearchOptions
from tests.builders import constant_model, noise, plain
from tests.onnx_builders import answering, detr_decoded, detr_queries, telling_its_input
from vision.detect.detr import Detr, DetrOptions
from vision.errors import ModelError
from vision.runtime import InferenceSession
from vision.types import Float32, ModelInput

LABELS = ("person", "car", "dog")
INPUT = ModelInput((64, 64), "rgb", scale=(1 / 255,) * 3)
SURE, UNSURE = 3.0, -9.0


def boxes(*rows: tuple[float, ...]) -> Float32:
    return np.array(rows, np.float32).reshape(-1, 4)


def logits(*rows: tuple[float, ...]) -> Float32:
    return np.array(rows, np.float32).reshape(-1, 3)


def detector(model: bytes, options: DetrOptions | None = None, labels: tuple[str, ...] = LABELS) -> Detr:
    return Detr(InferenceSession(model), INPUT, labels, options)


def test_decoded_boxes_are_asked_for_in_pixels_of_the_picture() -> None:
    model = detr_decoded([2, 0, 1], boxes((0.1, 0.2, 0.3, 0.4), (0, 0, 1, 1), (0, 0, 1, 1)), [0.4, 0.9, 0.1])
    found = detector(model).detect(noise((200, 100)))
    assert found.class_id.tolist() == [0, 2]
    assert found.confidence.tolist() == pytest.approx([0.9, 0.4])
    assert np.allclose(found.xyxy, [[0, 0, 200, 100], [20, 20, 60, 40]], atol=1e-3)


@pytest.mark.parametrize("names", [("dets", "labels"), ("pred_boxes", "logits")])
def test_queries_are_shares_of_the_picture_and_logits(names: tuple[str, str]) -> None:
    model = detr_queries(boxes((0.5, 0.5, 0.5, 0.5)), logits((UNSURE, 0.0, UNSURE)), names)
    found = detector(model).detect(noise((200, 100)))
    assert np.allclose(found.xyxy, [[50, 25, 150, 75]], atol=1e-3)
    assert found.confidence.tolist() == pytest.approx([0.5])
    assert found.class_id.tolist() == [1]


def test_one_query_may_be_two_things_and_the_surest_come_first() -> None:
    model = detr_queries(
        boxes((0.5, 0.5, 1, 1), (0.5, 0.5, 1, 1)), logits((1, 2, UNSURE), (3, UNSURE, UNSURE))
    )
    found = detector(model).detect(noise((64, 64)))
    assert found.class_id.tolist() == [0, 1, 0]
    assert len(detector(model, DetrOptions(max_detections=2)).detect(noise((64, 64)))) == 2


def test_indices_that_mean_nothing_are_dropped_and_the_rest_move_up() -> None:
    # As the ids of COCO: 0 is nobody, then come the names, with gaps.
    labels = ("", "person", "", "car")
    model = detr_queries(
        boxes(*[(0.5, 0.5, 1, 1)] * 4), np.array(np.eye(4) * 10 - 5, np.float32), ("pred_boxes", "logits")
    )
    found = detector(model, labels=labels)
    assert found.labels == ("person", "car")
    assert sorted(found.detect(noise((64, 64))).class_id.tolist()) == [0, 1]
    decoded = detr_decoded([1, 2, 3], boxes(*[(0, 0, 1, 1)] * 3), [0.9, 0.8, 0.7])
    assert detector(decoded, labels=labels).detect(noise((64, 64))).class_id.tolist() == [0, 1]


@pytest.mark.parametrize(
    "model",
    [
        detr_queries(boxes((0.5, 0.5, 1, 1)), logits((UNSURE,) * 3)),
        detr_decoded([0], boxes((0, 0, 1, 1)), [0.0]),
        detr_decoded([], boxes(), []),
    ],
    ids=["queries", "decoded", "no queries"],
)
def test_nothing_is_nothing(model: bytes) -> None:
    assert len(detector(model, DetrOptions(min_confidence=0.001)).detect(plain((50, 40)))) == 0


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 900), (900, 3)])
def test_any_size_will_do(size_wh: tuple[int, int]) -> None:
    model = detr_queries(boxes((0.5, 0.5, 1, 1)), logits((SURE, UNSURE, UNSURE)))
    assert detector(model).detect(noise(size_wh)).xyxy.tolist() == [[0, 0, *size_wh]]


@settings(deadline=None, max_examples=30)
@given(
    size_wh=st.tuples(st.integers(1, 900), st.integers(1, 900)),
    corners=st.tuples(st.floats(0, 0.4), st.floats(0, 0.4), st.floats(0.6, 1), st.floats(0.6, 1)),
)
def test_both_layouts_put_a_box_in_the_same_place(
    size_wh: tuple[int, int], corners: tuple[float, float, float, float]
) -> None:
    x1, y1, x2, y2 = corners
    centred = boxes(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1))
    wanted = np.array(corners) * [*size_wh, *size_wh]
    for model in (
        detr_decoded([0], boxes(corners), [0.9]),
        detr_queries(centred, logits((SURE, UNSURE, UNSURE))),
    ):
        found = detector(model).detect(plain(size_wh))
        assert np.abs(found.xyxy[0] - wanted).max() < 1e-3


def test_a_thousand_objects_are_found() -> None:
    corners = (np.stack(np.divmod(np.arange(1000), 32), axis=1) / 32).astype(np.float32)
    both = np.concatenate([corners, corners + 0.02], axis=1)
    scores = np.linspace(0.4, 0.9, 1000)
    many = DetrOptions(max_detections=2000)
    found = detector(detr_decoded([0] * 1000, both, scores.tolist()), many).detect(noise((640, 640)))
    assert len(found) == 1000
    assert np.allclose(found.xyxy, both[::-1] * 640, atol=1e-2)
    centred = np.concatenate([corners + 0.01, np.full((1000, 2), 0.02, np.float32)], axis=1)
    sure = np.tile(np.array([SURE, UNSURE, UNSURE], np.float32), (1000, 1))
    assert len(detector(detr_queries(centred, sure), many).detect(noise((640, 640)))) == 1000


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_a_model_error(value: float) -> None:
    whole, sure = boxes((0.5, 0.5, 1, 1)), logits((SURE, UNSURE, UNSURE))
    broken = (
        detr_queries(boxes((value, 0.5, 1, 1)), sure),
        detr_queries(whole, logits((SURE, value, UNSURE))),
        detr_decoded([0], boxes((0, value, 1, 1)), [0.9]),
        detr_decoded([0], boxes((0, 0, 1, 1)), [value]),
    )
    for model in broken:
        with pytest.raises(ModelError, match="not finite"):
            detector(model).detect(noise((64, 64)))


def test_boxes_beyond_all_measure_are_a_model_error() -> None:
    with pytest.raises(ModelError, match="beyond all measure"):
        detector(detr_queries(boxes((1e9, 0.5, 1, 1)), logits((SURE, 0, 0)))).detect(noise((64, 64)))


@pytest.mark.parametrize("class_id", [-1, 3, 90])
def test_a_class_without_a_label_is_a_model_error(class_id: int) -> None:
    with pytest.raises(ModelError, match=f"class {class_id} where it has 3 labels"):
        detector(detr_decoded([class_id], boxes((0, 0, 1, 1)), [0.9])).detect(noise((64, 64)))


def test_the_network_sees_the_whole_picture_stretched_rgb_from_0_to_1() -> None:
    session = InferenceSession(telling_its_input("queries", 64))
    family = DETECTORS["detr"]
    parts = ModelParts(session, family.usual_input(session), LABELS)
    # Blue 51, green 102, red 204: no padding takes part in the means.
    found = family.build(parts, SearchOptions(min_confidence=0.0)).detect(plain((128, 64), (51, 102, 204)))
    assert found.class_id.tolist() == [0, 1, 2]
    means = 1 / (1 + np.exp(-np.array([204, 102, 51]) / 255))
    assert np.allclose(found.confidence, means, atol=1e-4)


def test_rf_detr_wants_imagenet_and_its_size_said() -> None:
    usual = DETECTORS["detr"].usual_input
    whole = boxes((0.5, 0.5, 1, 1))
    own = InferenceSession(detr_queries(whole, logits((0, 0, 0))))
    assert usual(own).mean == (123.675, 116.28, 103.53)
    assert usual(own).size_wh == (64, 64)
    by_ids = detr_queries(whole, np.zeros((1, 91), np.float32), ("pred_boxes", "logits"), ("h", "w"))
    session = InferenceSession(by_ids)
    assert usual(session).mean == (123.675, 116.28, 103.53)
    with pytest.raises(ModelError, match="needs to be told the one it was trained with"):
        DETECTORS["detr"].build(ModelParts(session, usual(session), ("",) * 91), SearchOptions())
    d_fine = detr_queries(whole, np.zeros((1, 80), np.float32), ("pred_boxes", "logits"), ("h", "w"))
    assert usual(InferenceSession(d_fine)).mean == (0, 0, 0)
    assert usual(InferenceSession(d_fine)).size_wh == (640, 640)


def test_four_classes_are_told_from_boxes_by_name() -> None:
    labels = ("a", "b", "c", "d")
    four = np.array([[UNSURE, UNSURE, UNSURE, SURE]], np.float32)
    for names in (("dets", "labels"), ("pred_boxes", "logits")):
        found = detector(detr_queries(boxes((0.5, 0.5, 1, 1)), four, names), labels=labels)
        assert found.detect(noise((64, 64))).class_id.tolist() == [3]


def test_masks_beside_the_boxes_are_left_alone_and_order_does_not_matter() -> None:
    outputs = {
        "masks": np.zeros((1, 1, 16, 16), np.float32),
        "labels": logits((SURE, UNSURE, UNSURE))[None],
        "dets": boxes((0.5, 0.5, 1, 1))[None],
    }
    model = answering(("input", (1, 3, 64, 64)), outputs)
    assert detector(model).detect(noise((64, 64))).class_id.tolist() == [0]


def test_open_axes_are_known_by_what_the_model_gives() -> None:
    declared = {"pred_boxes": ("batch", "queries", "four"), "logits": ("batch", "queries", "classes")}
    model = detr_queries(
        boxes((0.5, 0.5, 1, 1)), logits((SURE, UNSURE, UNSURE)), ("pred_boxes", "logits"), declared=declared
    )
    assert {info.shape for info in InferenceSession(model).outputs} == {(None, None, None)}
    assert len(detector(model).detect(noise((64, 64)))) == 1


REFUSED = {
    "91 classes, 3 labels": (
        detr_queries(boxes((0.5, 0.5, 1, 1)), np.zeros((1, 91), np.float32)),
        r"of 3 classes: boxes \(N, Q, 4\) and logits \(N, Q, 3\) expected, found dets \(1, 1, 4\), labels \(1, 1, 91\)",
    ),
    "a YOLO": (
        constant_model((1, 3, 64, 64), {"output0": np.zeros((1, 7, 84), np.float32)}),
        r"found output0 \(1, 7, 84\)",
    ),
    "another size": (
        detr_queries(boxes((0.5, 0.5, 1, 1)), logits((0, 0, 0)), size=(32, 32)),
        r"at 64×64: input \(N, 3, 64, 64\) expected, found input \(\?, 3, 32, 32\)",
    ),
    "no picture": (
        constant_model((1, 128), {"dets": np.zeros((1, 5, 4), np.float32)}),
        r"one picture \(N, 3, H, W\) float32 as input expected",
    ),
}


@pytest.mark.parametrize(("model", "line"), REFUSED.values(), ids=REFUSED.keys())
def test_another_family_is_refused_in_one_line(model: bytes, line: str) -> None:
    with pytest.raises(ModelError, match=line) as caught:
        detector(model)
    assert "\n" not in str(caught.value)
