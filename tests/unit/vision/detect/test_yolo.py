"""YOLO and YOLOX: outputs decoded as they are defined, and real things found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.build import build_detector
from pipelines.config import load_config
from tests.builders import constant_model, noise, plain
from vision.boxes import iou
from vision.detect.yolo import Yolo, YoloOptions, decode
from vision.detect.yolox import Yolox
from vision.errors import ImageError, ModelError
from vision.images import Placement, read_image
from vision.runtime import InferenceSession
from vision.types import Float32, ModelInput
from vision.video import open_source
from weights.catalog import load_catalog
from weights.store import WeightStore

LABELS = ("person", "car", "dog")
INPUT = ModelInput((64, 64), "rgb", scale=(1 / 255,) * 3)
STAY = Placement((1.0, 1.0))
FREE = ("batch", 3, "height", "width")


def rows(*entries: tuple[float, ...]) -> Float32:
    """Rows of (centre x, centre y, width, height, objectness, class probabilities …)."""
    return np.array(entries, np.float32).reshape(-1, 8)


def yolo(output: Float32, options: YoloOptions | None = None) -> Yolo:
    session = InferenceSession(constant_model(FREE, {"predictions": output[None]}))
    return Yolo(session, INPUT, LABELS, options)


def test_confidence_is_objectness_times_class() -> None:
    found = decode(rows((20, 30, 10, 20, 0.8, 0.5, 0.1, 0.2)), STAY, YoloOptions())
    assert found.xyxy.tolist() == [[15, 20, 25, 40]]
    assert found.confidence.tolist() == pytest.approx([0.4])
    assert found.class_id.tolist() == [0]


def test_a_box_is_each_class_it_is_likely_enough_of() -> None:
    found = decode(rows((20, 30, 10, 20, 0.9, 0.9, 0.1, 0.5)), STAY, YoloOptions())
    assert found.class_id.tolist() == [0, 2]
    assert found.confidence.tolist() == pytest.approx([0.81, 0.45])


def test_one_thing_found_twice_is_one_but_two_classes_are_two() -> None:
    output = rows(
        (20, 30, 10, 20, 0.9, 0.9, 0, 0), (21, 30, 10, 20, 0.9, 0.8, 0, 0), (20, 30, 10, 20, 0.9, 0, 0.7, 0)
    )
    found = decode(output, STAY, YoloOptions())
    assert found.class_id.tolist() == [0, 1]


def test_only_the_best_are_kept_and_nothing_is_nothing() -> None:
    output = rows(*((20 * i, 30, 10, 20, 0.5 + i / 100, 1, 0, 0) for i in range(9)))
    assert decode(output, STAY, YoloOptions(max_detections=2)).confidence.tolist() == pytest.approx(
        [0.58, 0.57]
    )
    assert len(decode(rows((20, 30, 10, 20, 0.1, 1, 0, 0)), STAY, YoloOptions())) == 0
    assert len(decode(rows(), STAY, YoloOptions())) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("column", [0, 2])
def test_what_makes_no_sense_is_a_model_error(value: float, column: int) -> None:
    output = rows((20, 30, 10, 20, 0.9, 0.9, 0, 0))
    output[0, column] = value
    with pytest.raises(ModelError, match="not finite"):
        decode(output, STAY, YoloOptions())


def test_boxes_come_back_through_the_letterbox() -> None:
    # 128 × 64 on a 64 × 64 canvas: half as large, 16 lines of padding above and below.
    found = yolo(rows((32, 32, 16, 8, 0.9, 0.9, 0, 0))).detect(noise((128, 64)))
    assert found.xyxy.tolist() == [[48, 24, 80, 40]]


def test_a_wide_picture_gets_a_wide_canvas_where_the_model_takes_any() -> None:
    options = YoloOptions(multiple_of_px=32)
    # 128 × 64 on a 64 × 32 canvas, no padding at all.
    found = yolo(rows((32, 16, 16, 8, 0.9, 0.9, 0, 0)), options).detect(noise((128, 64)))
    assert found.xyxy.tolist() == [[48, 24, 80, 40]]


def test_boxes_end_at_the_edge_and_those_beyond_it_are_gone() -> None:
    output = rows((0, 0, 20, 20, 0.9, 0.9, 0, 0), (-40, -40, 8, 8, 0.9, 0, 0.9, 0))
    assert yolo(output).detect(noise((64, 64))).xyxy.tolist() == [[0, 0, 10, 10]]


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 900), (900, 3)])
def test_any_size_will_do(size_wh: tuple[int, int]) -> None:
    for options in (YoloOptions(), YoloOptions(multiple_of_px=32)):
        assert len(yolo(rows((-500, -500, 1, 1, 0, 0, 0, 0)), options).detect(noise(size_wh))) == 0


@pytest.mark.parametrize("image", [plain()[..., 0], plain().astype(np.uint16), np.dstack([plain(), plain()])])
def test_other_images_are_refused(image: Any) -> None:
    with pytest.raises(ImageError, match="uint8 BGR"):
        yolo(rows()).detect(image)


def test_models_and_sizes_that_do_not_fit_are_refused() -> None:
    session = InferenceSession(constant_model(FREE, {"predictions": rows((0,) * 8)[None]}))
    with pytest.raises(ModelError, match="not a YOLO of 2 classes"):
        Yolo(session, INPUT, LABELS[:2])
    with pytest.raises(ModelError, match="multiple of 32"):
        Yolo(session, INPUT, LABELS, YoloOptions(long_side_px=100, multiple_of_px=32))
    with pytest.raises(ModelError, match="long_side_px"):
        Yolo(session, INPUT, LABELS, YoloOptions(long_side_px=96))
    with pytest.raises(ModelError, match="not a YOLOX"):
        Yolox(session, INPUT, LABELS)


def yolox(*cells: tuple[int, tuple[float, ...]]) -> Yolox:
    """A YOLOX of 64 × 64, 84 cells, that answers these cells and nothing else."""
    output = np.zeros((1, 84, 8), np.float32)
    for index, values in cells:
        output[0, index] = values
    return Yolox(InferenceSession(constant_model((1, 3, 64, 64), {"output": output})), INPUT, LABELS)


def test_yolox_cells_are_strides_line_by_line() -> None:
    sure = (0.9, 0.9, 0, 0)
    # Stride 8: 8 × 8 cells; cell 10 is line 1, column 2. Stride 16: from 64; cell 69 is line 1, column 1.
    found = yolox((10, (0.5, 0.25, 0, np.log(2), *sure)), (69, (0.5, 0.5, 0, 0, *sure))).detect(
        noise((64, 64))
    )
    assert np.allclose(sorted(found.xyxy.tolist()), [[16, 2, 24, 18], [16, 16, 32, 32]], atol=1e-4)


def test_yolox_pads_at_the_right_and_below() -> None:
    found = yolox((83, (0.5, 0.5, 0, 0, 0.9, 0.9, 0, 0)), (80, (0.5, 0.5, 0, 0, 0.8, 0.9, 0, 0)))
    # 128 × 64 is half as large on the canvas; what lies in its lower half is beyond the picture.
    assert found.detect(noise((128, 64))).xyxy.tolist() == [[0, 0, 64, 64]]


def test_yolox_sizes_beyond_measure_are_a_model_error() -> None:
    with pytest.raises(ModelError, match="not finite"):
        yolox((10, (0, 0, 200, 0, 0.9, 0.9, 0, 0))).detect(noise((64, 64)))


def store() -> WeightStore:
    return WeightStore(load_config(None).paths.weights_dir, load_catalog())


@pytest.mark.models("yolov3-tiny")
@pytest.mark.evaldata
def test_persons_of_photographs_are_found(eval_data: Path) -> None:
    detector = build_detector(store(), "yolov3-tiny")
    assert (detector.labels[0], detector.min_confidence) == ("person", 0.2)
    hits = wanted = right = reported = 0
    for path in sorted((eval_data / "detection" / "coco128" / "images").glob("*.jpg"))[:64]:
        image = read_image(path)
        truth = persons(eval_data / "detection" / "coco128" / "labels" / f"{path.stem}.txt", image.shape)
        found = detector.detect(image)
        boxes = found.xyxy[found.class_id == 0].astype(float)
        overlap = iou(truth, boxes)
        hits += int((overlap.max(axis=1, initial=0) >= 0.5).sum())
        right += int((overlap.max(axis=0, initial=0) >= 0.5).sum())
        wanted, reported = wanted + len(truth), reported + len(boxes)
    assert hits / wanted >= 0.45
    assert right / reported >= 0.72


def persons(path: Path, shape: tuple[int, ...]) -> Any:
    """Boxes of the persons in a YOLO label file, pixels."""
    if not path.exists():
        return np.empty((0, 4))
    values = np.loadtxt(path, ndmin=2)
    centred = values[values[:, 0] == 0, 1:] * (shape[1], shape[0], shape[1], shape[0])
    return np.concatenate([centred[:, :2] - centred[:, 2:] / 2, centred[:, :2] + centred[:, 2:] / 2], axis=1)


@pytest.mark.models("yolov3-tiny")
@pytest.mark.evaldata
def test_both_families_see_the_same_pedestrians(eval_data: Path) -> None:
    labels = load_catalog().get("yolov3-tiny").labels
    model = InferenceSession((eval_data / "models" / "yolox_nano.onnx").read_bytes())
    detectors = [build_detector(store(), "yolov3-tiny"), Yolox(model, ModelInput((416, 416), "bgr"), labels)]
    with open_source(eval_data / "tracking" / "TUD-Campus" / "TUD-Campus.mp4") as source:
        image = next(iter(source)).image
    sure = []
    for detector in detectors:
        found = detector.detect(image)
        assert {detector.labels[i] for i in found.class_id[found.confidence > 0.5]} == {"person"}
        sure.append(found.xyxy[(found.confidence > 0.5) & (found.class_id == 0)])
    assert min(len(boxes) for boxes in sure) >= 3
    assert (iou(sure[0], sure[1]).max(axis=1) > 0.6).sum() >= 3
