"""YOLOv8, 11 and 26: both layouts decoded, the picture fed as upstream feeds it, other models refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.families import DETECTORS, ModelParts, SearchOptions
from tests.builders import constant_model, noise, plain
from tests.onnx_builders import answering, telling_its_input, ultralytics_end_to_end, ultralytics_raw
from vision.detect.ultralytics import Ultralytics, decode_end_to_end, decode_raw
from vision.detect.yolo import YoloOptions
from vision.errors import ModelError
from vision.images import Placement, letterbox
from vision.runtime import InferenceSession
from vision.types import Float32, ModelInput

LABELS = ("person", "car", "dog")
INPUT = ModelInput((64, 64), "rgb", scale=(1 / 255,) * 3)
STAY = Placement((1.0, 1.0))


def raw_rows(*objects: tuple[float, ...]) -> Float32:
    """Rows of (centre x, centre y, width, height, three class probabilities)."""
    return np.array(objects, np.float32).reshape(-1, 7)


def final_rows(*objects: tuple[float, ...]) -> Float32:
    """Rows of (x1, y1, x2, y2, confidence, class)."""
    return np.array(objects, np.float32).reshape(-1, 6)


def detector(model: bytes, options: YoloOptions | None = None) -> Ultralytics:
    return Ultralytics(InferenceSession(model), INPUT, LABELS, options)


def test_raw_boxes_are_centres_and_confidence_is_the_classes_own() -> None:
    found = detector(ultralytics_raw(raw_rows((20, 30, 10, 20, 0.1, 0.8, 0.4)))).detect(noise((64, 64)))
    assert found.xyxy.tolist() == [[15, 20, 25, 40]]
    assert found.confidence.tolist() == pytest.approx([0.8])
    assert found.class_id.tolist() == [1]


def test_raw_overlaps_go_within_a_class_only() -> None:
    rows = raw_rows((20, 30, 10, 20, 0.9, 0, 0), (20, 31, 10, 20, 0.8, 0, 0), (20, 30, 10, 20, 0, 0.7, 0))
    assert detector(ultralytics_raw(rows)).detect(noise((64, 64))).class_id.tolist() == [0, 1]


def test_end_to_end_rows_are_final() -> None:
    rows = final_rows((15, 20, 25, 40, 0.6, 2), (15, 20, 25, 40, 0.9, 2), (0, 0, 9, 9, 0.1, 0))
    found = detector(ultralytics_end_to_end(rows)).detect(noise((64, 64)))
    assert found.confidence.tolist() == pytest.approx([0.9, 0.6])  # no suppression, and by confidence
    assert found.class_id.tolist() == [2, 2]
    assert found.xyxy.tolist() == [[15, 20, 25, 40]] * 2


@pytest.mark.parametrize(
    "model", [ultralytics_raw(raw_rows()), ultralytics_end_to_end(final_rows())], ids=["raw", "end to end"]
)
def test_nothing_is_nothing_even_at_the_lowest_confidence(model: bytes) -> None:
    assert len(detector(model, YoloOptions(min_confidence=0.001)).detect(plain((50, 40)))) == 0


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 900), (900, 3), (64, 64)])
def test_any_size_will_do(size_wh: tuple[int, int]) -> None:
    assert len(detector(ultralytics_raw(raw_rows((-500, -500, 1, 1, 0.9, 0, 0)))).detect(noise(size_wh))) == 0


sizes = st.tuples(st.integers(8, 700), st.integers(8, 700))
shares = st.tuples(
    *[st.floats(0.05, 0.45), st.floats(0.05, 0.45), st.floats(0.55, 0.95)], st.floats(0.55, 0.95)
)


@settings(deadline=None, max_examples=60)
@given(size_wh=sizes, box=shares, layout=st.sampled_from(["raw", "end to end"]))
def test_boxes_come_back_through_the_letterbox(
    size_wh: tuple[int, int], box: tuple[float, ...], layout: str
) -> None:
    scale = np.array([*size_wh, *size_wh])
    wanted = np.array(box) * scale
    _, placement = letterbox(plain(size_wh), (64, 64), fill=114, centred=True)
    on_canvas = wanted * np.tile(placement.scale_xy, 2) + np.tile(placement.offset_xy, 2)
    x1, y1, x2, y2 = on_canvas
    if layout == "raw":
        columns = raw_rows(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, 0.9, 0, 0)).T
        found = decode_raw(columns, placement, YoloOptions())
    else:
        found = decode_end_to_end(final_rows((x1, y1, x2, y2, 0.9, 0)), placement, YoloOptions(), 3)
    assert np.abs(found.xyxy[0] - wanted).max() < 1e-3 * max(size_wh)


def test_the_picture_lies_in_the_middle_of_the_canvas() -> None:
    # 128 × 64 on a 64 × 64 canvas: half as large, 16 lines of padding above and below.
    found = detector(ultralytics_raw(raw_rows((32, 32, 16, 8, 0.9, 0, 0)))).detect(noise((128, 64)))
    assert found.xyxy.tolist() == [[48, 24, 80, 40]]


def test_a_wide_picture_gets_a_wide_canvas_where_the_model_takes_any() -> None:
    model = ultralytics_raw(raw_rows((32, 16, 16, 8, 0.9, 0, 0)), size=("height", "width"))
    # 128 × 64 on a 64 × 32 canvas, no padding at all.
    found = detector(model, YoloOptions(multiple_of_px=32)).detect(noise((128, 64)))
    assert found.xyxy.tolist() == [[48, 24, 80, 40]]


def test_a_thousand_objects_are_found_the_surest_first() -> None:
    corners = np.stack(np.divmod(np.arange(1000), 32), axis=1).astype(np.float32) * 2
    confidence = np.linspace(0.3, 0.9, 1000, dtype=np.float32)
    rows = np.concatenate(
        [corners, corners + 1.5, confidence[:, None], np.zeros((1000, 1), np.float32)], axis=1
    )
    many = YoloOptions(max_detections=2000)
    final = detector(ultralytics_end_to_end(rows, rows=1000), many).detect(noise((64, 64)))
    centred = np.concatenate([corners + 0.75, np.full((1000, 2), 1.5, np.float32)], axis=1)
    raw = np.concatenate([centred, confidence[:, None], np.zeros((1000, 2), np.float32)], axis=1)
    suppressed = detector(ultralytics_raw(raw, anchors=1200), many).detect(noise((64, 64)))
    for found in (final, suppressed):
        assert len(found) == 1000
        assert (np.diff(found.confidence) <= 0).all()
        assert np.allclose(found.xyxy, rows[::-1, :4], atol=1e-4)
    assert len(detector(ultralytics_raw(raw, anchors=1200)).detect(noise((64, 64)))) == 300


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("column", [0, 2])
def test_what_makes_no_sense_is_a_model_error(value: float, column: int) -> None:
    raw, final = raw_rows((20, 30, 10, 20, 0.9, 0, 0)), final_rows((1, 2, 3, 4, 0.9, 0))
    raw[0, column] = final[0, column] = value
    for model in (ultralytics_raw(raw), ultralytics_end_to_end(final)):
        with pytest.raises(ModelError, match="not finite"):
            detector(model).detect(noise((64, 64)))


@pytest.mark.parametrize("class_id", [-1, 3, 79])
def test_a_class_without_a_name_is_a_model_error(class_id: int) -> None:
    with pytest.raises(ModelError, match="names for 3"):
        detector(ultralytics_end_to_end(final_rows((1, 2, 3, 4, 0.9, class_id)))).detect(noise((64, 64)))


def test_the_network_sees_rgb_from_0_to_1_on_grey_114_in_the_middle() -> None:
    session = InferenceSession(telling_its_input("raw", 64))
    family = DETECTORS["ultralytics"]
    parts = ModelParts(session, family.usual_input(session), LABELS)
    seen = family.build(parts, SearchOptions(min_confidence=0.0))
    # Blue 51, green 102, red 204 on half the canvas: the likeliest "class" is the first channel, red.
    found = seen.detect(plain((128, 64), (51, 102, 204)))
    assert found.class_id.tolist() == [0]
    assert found.confidence.tolist() == pytest.approx([(204 + 114) / 2 / 255], abs=1e-3)
    assert found.xyxy.tolist() == [[0, 0, 128, 64]]


def test_a_dynamic_export_is_known_by_what_it_gives() -> None:
    output = np.zeros((1, 7, 84), np.float32)
    output[0, :5, 0] = (20, 30, 10, 20, 0.9)
    model = answering(
        ("images", ("batch", 3, "height", "width")), {"output0": output}, {"output0": ("batch", "c", "a")}
    )
    assert InferenceSession(model).outputs[0].shape == (None, None, None)
    options = YoloOptions(multiple_of_px=32)
    assert len(detector(model, options).detect(noise((64, 64)))) == 1
    with pytest.raises(ModelError, match=r"\(N, 6, anchors\).*found output0 \(1, 7, 84\)"):
        Ultralytics(InferenceSession(model), INPUT, LABELS[:2], options)


REFUSED = {
    "classes": (
        ultralytics_raw(np.zeros((1, 84), np.float32)),
        r"of 3 classes: one output \(N, 7, anchors\) or \(N, boxes, 6\) expected, found output0 \(1, 84, 84\)",
    ),
    "a YOLOX": (
        constant_model((1, 3, 64, 64), {"output": np.zeros((1, 84, 8), np.float32)}),
        r"found output \(1, 84, 8\)",
    ),
    "segmentation": (
        constant_model(
            (1, 3, 64, 64),
            {"output0": np.zeros((1, 39, 84), np.float32), "output1": np.zeros((1, 32, 16, 16), np.float32)},
        ),
        r"found output0 \(1, 39, 84\), output1 \(1, 32, 16, 16\)",
    ),
    "another size": (
        ultralytics_raw(raw_rows(), size=(32, 32)),
        r"at 64×64: input \(N, 3, 64, 64\) expected, found images \(1, 3, 32, 32\)",
    ),
    "no picture": (
        constant_model((1, 128), {"y": np.zeros((1, 7, 84), np.float32)}),
        r"one picture \(N, 3, H, W\) float32 as input expected, found images \(1, 128\)",
    ),
}


@pytest.mark.parametrize(("model", "line"), REFUSED.values(), ids=REFUSED.keys())
def test_another_family_is_refused_in_one_line(model: bytes, line: str) -> None:
    with pytest.raises(ModelError, match=line) as caught:
        detector(model)
    assert "\n" not in str(caught.value)
