"""Matching and its figures, on boxes made by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from pipelines.evaluate.coco import ScoredImage, match_boxes, match_classes
from pipelines.evaluate.detection import Examinee, detect_all, score_detections
from pipelines.evaluate.errors import EvaluationError, MissingExtraError
from pipelines.evaluate.labels import LabelledImage
from vision.images import encode_png
from vision.types import Detections

LABELS = ("person", "car", "dog")
BIG, SMALL, ELSEWHERE = (0.0, 0.0, 100.0, 100.0), (300.0, 0.0, 310.0, 10.0), (500.0, 0.0, 600.0, 100.0)

Box = tuple[float, float, float, float]


def scene(truth: list[tuple[Box, int]], found: list[tuple[Box, int, float]]) -> ScoredImage:
    """A picture with (box, class) in it, of which a detector said (box, class, confidence)."""
    return ScoredImage(
        np.array([box for box, _ in truth], np.float64).reshape(-1, 4),
        np.array([class_id for _, class_id in truth], np.int64),
        Detections(
            np.array([box for box, _, _ in found], np.float32).reshape(-1, 4),
            np.array([confidence for *_, confidence in found], np.float32),
            np.array([class_id for _, class_id, _ in found], np.int32),
        ),
    )


def figures(
    *images: ScoredImage, min_size_px: float = 0.0
) -> tuple[float | None, float | None, float | None, float]:
    score = score_detections(images, LABELS, 0.5, min_size_px)
    return score.recall, score.precision, score.ap50, score.false_per_image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(scene([(BIG, 0)], [(BIG, 0, 0.9)]), (1, 1, 1, 0), id="found"),
        pytest.param(scene([(BIG, 0)], []), (0, None, 0, 0), id="missed"),
        pytest.param(scene([(BIG, 0)], [(BIG, 1, 0.9)]), (0, 0, 0, 1), id="another class"),
        pytest.param(scene([(BIG, 0)], [(BIG, 0, 0.9), (BIG, 0, 0.8)]), (1, 0.5, 1, 1), id="found twice"),
        pytest.param(scene([(BIG, 0)], [(BIG, 0, 0.3)]), (0, None, 1, 0), id="too weak to count, but ranked"),
        pytest.param(scene([(BIG, 0)], [(BIG, 0, 0.5)]), (1, 1, 1, 0), id="just confident enough"),
        pytest.param(
            scene([(BIG, 0)], [((0, 0, 100, 49), 0, 0.9)]), (0, 0, 0, 1), id="overlap just too small"
        ),
        pytest.param(scene([(BIG, 0)], [((0, 0, 100, 51), 0, 0.9)]), (1, 1, 1, 0), id="overlap just enough"),
        pytest.param(
            scene([(BIG, 0), (ELSEWHERE, 1)], [(BIG, 0, 0.9), (SMALL, 2, 0.9)]),
            (0.5, 0.5, 0.5, 1),
            id="a false box of a class that is nowhere",
        ),
    ],
)
def test_figures(image: ScoredImage, expected: tuple[float | None, ...]) -> None:
    assert figures(image) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([(BIG, 0, 0.9)], (1, 1, 1, 0), id="missing a small one costs nothing"),
        pytest.param([(BIG, 0, 0.9), (SMALL, 0, 0.9)], (1, 1, 1, 0), id="finding it neither"),
        pytest.param(
            [(BIG, 0, 0.9), ((400.0, 0.0, 410.0, 10.0), 0, 0.8)],
            (1, 0.5, 1, 1),
            id="a small false box is false",
        ),
    ],
)
def test_small_ground_truth_is_ignored_with_its_matches(
    found: list[tuple[Box, int, float]], expected: tuple[float, ...]
) -> None:
    assert figures(scene([(BIG, 0), (SMALL, 0)], found), min_size_px=16) == pytest.approx(expected)


def test_size_is_the_root_of_the_area() -> None:
    flat = (0.0, 0.0, 64.0, 4.0)  # 16 by the root of its area
    image = scene([(BIG, 0), (flat, 0)], [])
    assert score_detections([image], LABELS, 0.5, 16.0).ground_truth == 2
    assert score_detections([image], LABELS, 0.5, 16.1).ground_truth == 1


def test_per_class_figures_and_names() -> None:
    image = scene([(BIG, 0), (ELSEWHERE, 1)], [(BIG, 0, 0.9), (SMALL, 2, 0.9), (SMALL, 1, 0.1)])
    per_class = score_detections([image], LABELS, 0.5).per_class
    assert list(per_class) == ["person", "car", "dog"]
    assert (per_class["person"].recall, per_class["person"].precision) == (1, 1)
    assert per_class["person"].ap50 == pytest.approx(1)
    assert (per_class["car"].recall, per_class["car"].precision, per_class["car"].false_positives) == (
        0,
        None,
        0,
    )
    assert (per_class["dog"].recall, per_class["dog"].ap50, per_class["dog"].false_positives) == (
        None,
        None,
        1,
    )


def test_false_boxes_are_per_picture() -> None:
    image = scene([(BIG, 0)], [(ELSEWHERE, 0, 0.9)])
    assert figures(image, scene([], []))[3] == 0.5


def test_more_than_a_hundred_faces_in_a_picture_are_all_counted() -> None:
    boxes = [(20.0 * n, 0.0, 20.0 * n + 15, 15.0) for n in range(150)]
    image = scene([(box, 0) for box in boxes], [(box, 0, 0.9) for box in boxes])
    score = score_detections([image], LABELS, 0.5)
    assert (score.recall, score.precision) == (1.0, 1.0)


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(EvaluationError, match="not one picture"):
        score_detections([], LABELS, 0.5)
    with pytest.raises(EvaluationError, match="no box that counts"):
        score_detections([scene([(SMALL, 0)], [(BIG, 0, 0.9)])], LABELS, 0.5, min_size_px=50)
    with pytest.raises(EvaluationError, match="no box that counts"):
        score_detections([scene([], [])], LABELS, 0.5)


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    match_classes([scene([(BIG, 0)], [(BIG, 0, 0.9)])], 0.5)
    assert capsys.readouterr().out == ""


def test_without_pycocotools_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(MissingExtraError, match=r"aiqyn\[evaluate\]"):
        match_classes([scene([(BIG, 0)], [])], 0.5)


def whole_picture(image: object) -> Detections:
    """A detector that says `person` of everything."""
    return Detections(np.array([[0, 0, 40, 20]], np.float32), np.array([0.9]), np.array([0]))


def test_pictures_are_read_and_broken_ones_told(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(encode_png(np.zeros((20, 40, 3), np.uint8)))
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    share = np.array([[0.0, 0.0, 1.0, 1.0]])
    labelled = [
        LabelledImage(tmp_path / name, share, np.zeros(1, np.int64), True)
        for name in ("good.png", "broken.png")
    ]
    done = detect_all(labelled, Examinee(whole_picture, LABELS, 0.5))
    assert len(done.problems) == 1
    assert "broken.png" in done.problems[0]
    assert score_detections(done.images, LABELS, 0.5).recall == 1.0


def test_a_class_the_detector_does_not_have_is_named(tmp_path: Path) -> None:
    labelled = [LabelledImage(tmp_path / "a.png", np.zeros((1, 4)), np.array([7]), True)]
    with pytest.raises(EvaluationError, match=r"class 7; .* 0 to 2"):
        detect_all(labelled, Examinee(whole_picture, LABELS, 0.5))


@pytest.mark.parametrize("min_size_px", [0.0, 40.0])
def test_the_boxes_add_up_to_the_classes(min_size_px: float) -> None:
    """What the report shows one by one is what the figures count, at the wanted confidence."""
    rng = np.random.default_rng(5)
    images = []
    for _ in range(12):
        corners = rng.uniform(0, 400, (6, 2))
        truth = [
            ((x, y, x + side, y + side), int(rng.integers(0, 3)))
            for (x, y), side in zip(corners, rng.uniform(20, 80, 6), strict=True)
        ]
        shaken = [
            (tuple(np.array(box) + rng.normal(0, 6, 4)), class_id, float(rng.uniform()))
            for box, class_id in truth
        ]
        images.append(scene(truth, shaken))
    classes, boxes = match_boxes(images, 0.5, min_size_px)
    assert (
        int(boxes.truth_found.sum())
        == len(boxes.right_image)
        == sum(one.true_positives for one in classes)
        > 0
    )
    assert len(boxes.false_image) == sum(one.false_positives for one in classes) > 0
    assert len(boxes.truth_image) == sum(one.ground_truth for one in classes)
    assert boxes.false_confidence.min() >= 0.5
    for row in np.flatnonzero(boxes.truth_found):
        assert boxes.truth_xyxy[row].tolist() in images[boxes.truth_image[row]].truth_xyxy.tolist()


def test_recall_and_its_interval_go_by_pictures() -> None:
    found, missed = scene([(BIG, 0)] * 1, [(BIG, 0, 0.9)]), scene([(BIG, 0)], [])
    score = score_detections([found] * 6 + [missed] * 6, LABELS, 0.5)
    assert score.recall_interval_95 is not None
    assert 0.1 < score.recall_interval_95[0] < 0.5 < score.recall_interval_95[1] < 0.9
    assert score.precision_interval_95 is not None
    assert score.precision_interval_95[1] == 1.0
    assert score.false_per_image_interval_95 is not None
    assert score.false_per_image_interval_95[0] == 0.0
