"""Boxes: measures, conversions, suppression."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vision import boxes
from vision.errors import ImageError

UNIT = np.array([[0.0, 0, 10, 10]])


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        pytest.param([0, 0, 10, 10], 1.0, id="the same"),
        pytest.param([10, 0, 20, 10], 0.0, id="touching"),
        pytest.param([30, 30, 40, 40], 0.0, id="apart"),
        pytest.param([5, 0, 15, 10], 1 / 3, id="half beside"),
        pytest.param([0, 0, 5, 10], 0.5, id="half inside"),
        pytest.param([3, 3, 3, 3], 0.0, id="a point"),
        pytest.param([8, 8, 2, 2], 0.0, id="inside out"),
        pytest.param([0, 0, 1e9, 1e9], 1e-16, id="huge"),
    ],
)
def test_iou(other: list[float], wanted: float) -> None:
    assert boxes.iou(UNIT, np.array([other], float))[0, 0] == pytest.approx(wanted, abs=1e-18)


def test_iou_of_nothing_with_nothing_is_zero_and_no_rows_give_no_rows() -> None:
    point = np.array([[4.0, 4, 4, 4]])
    assert boxes.iou(point, point)[0, 0] == 0
    assert boxes.iou(np.empty((0, 4)), UNIT).shape == (0, 1)


def test_containment_is_measured_by_the_inner_box() -> None:
    inner = np.array([[8.0, 8, 12, 12], [1, 1, 2, 2], [5, 5, 5, 5]])
    assert boxes.containment(inner, UNIT)[:, 0].tolist() == [0.25, 1.0, 0.0]


def test_clip_enlarge_and_pixels() -> None:
    box = np.array([[-5.0, 2.2, 30.7, 8]])
    assert boxes.clip(box, (20, 10)).tolist() == [[0, 2.2, 20, 8]]
    assert boxes.enlarge(UNIT, 0.5).tolist() == [[-5, -5, 15, 15]]
    assert boxes.enlarge(UNIT, -0.5).tolist() == [[5, 5, 5, 5]]
    assert boxes.to_pixels(box, (20, 10)).tolist() == [[0, 2, 20, 8]]
    assert boxes.to_pixels(np.array([[50.0, 50, 60, 60]]), (20, 10)).tolist() == [[20, 10, 20, 10]]


BOXES = hnp.arrays(
    np.float64, st.tuples(st.integers(0, 12), st.just(4)), elements=st.floats(-1e4, 1e4, width=32)
)


@given(BOXES)
def test_conversions_undo_each_other(values: np.ndarray) -> None:
    xyxy = np.concatenate([values[:, :2], values[:, :2] + np.abs(values[:, 2:])], axis=1)
    assert np.allclose(boxes.xywh_to_xyxy(boxes.xyxy_to_xywh(xyxy)), xyxy)
    centred = np.concatenate([(xyxy[:, :2] + xyxy[:, 2:]) / 2, xyxy[:, 2:] - xyxy[:, :2]], axis=1)
    assert np.allclose(boxes.centred_to_xyxy(centred), xyxy)


@given(BOXES, BOXES)
def test_iou_is_symmetric_and_a_share(first: np.ndarray, second: np.ndarray) -> None:
    overlap = boxes.iou(first, second)
    assert np.allclose(overlap, boxes.iou(second, first).T)
    assert ((overlap >= 0) & (overlap <= 1 + 1e-9)).all()


def test_nms_keeps_the_best_of_each_heap() -> None:
    xyxy = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [0, 0, 10, 10]])
    kept = boxes.nms(xyxy, np.array([0.6, 0.9, 0.3, 0.6]), 0.5)
    assert kept.tolist() == [1, 2]


def test_nms_of_equals_keeps_the_first_and_of_nothing_nothing() -> None:
    same = np.repeat(UNIT, 3, axis=0)
    assert boxes.nms(same, np.full(3, 0.5), 0.5).tolist() == [0]
    assert boxes.nms(np.empty((0, 4)), np.empty(0), 0.5).tolist() == []


def test_nms_leaves_other_classes_alone() -> None:
    same = np.repeat(UNIT, 3, axis=0)
    kept = boxes.nms(same, np.array([0.5, 0.7, 0.6]), 0.5, np.array([0, 1, 0]))
    assert kept.tolist() == [1, 2]


@pytest.mark.parametrize("max_kept", [0, 1, 7, 1000])
def test_nms_that_ends_early_keeps_the_first_of_those_there_would_be(max_kept: int) -> None:
    random = np.random.default_rng(0)
    corner = random.uniform(0, 300, (200, 2))
    xyxy, confidence = np.concatenate([corner, corner + 30], axis=1), random.uniform(size=200)
    everything = boxes.nms(xyxy, confidence, 0.3)
    assert len(everything) > 7
    assert boxes.nms(xyxy, confidence, 0.3, max_kept=max_kept).tolist() == everything[:max_kept].tolist()


def test_nms_refuses_lengths_that_differ() -> None:
    with pytest.raises(ImageError, match="as many confidences"):
        boxes.nms(UNIT, np.array([0.1, 0.2]), 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_nms_agrees_with_opencv(seed: int) -> None:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 200, (300, 2))
    xyxy = np.concatenate([corner, corner + random.uniform(5, 60, (300, 2))], axis=1)
    confidence = (random.permutation(300) + 1) / 301
    theirs = cv2.dnn.NMSBoxes(boxes.xyxy_to_xywh(xyxy).tolist(), confidence.tolist(), 0.0, 0.4)
    assert boxes.nms(xyxy, confidence, 0.4).tolist() == np.asarray(theirs).ravel().tolist()
