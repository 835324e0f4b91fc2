"""What the self-test finds in models that are right, wrong in one way each, or of another family."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.errors import ModelCheckError
from pipelines.model_file import inspect
from pipelines.model_report import ModelQuestion, ModelReport, Scaling, all_families
from pipelines.model_self_test import SelfTested, self_test
from tests.model_builders import DIMENSION, EmbedderFlaws, embedder, empty_output
from tests.onnx_builders import answering, detr_decoded, detr_queries, ultralytics_end_to_end, ultralytics_raw
from vision.runtime import InferenceSession


def examined(content: bytes, question: ModelQuestion | None = None) -> SelfTested:
    return self_test(inspect(content), question or ModelQuestion("embedding"))


def finding(report: ModelReport, name: str) -> tuple[str, str]:
    """Outcome and sentence of one test."""
    (found,) = [each for each in report.findings if each.name == name]
    return found.outcome, found.sentence


def test_a_good_embedder_passes() -> None:
    content = embedder()
    done = examined(content)
    report = done.report
    assert done.content == content
    assert (report.task, report.dimension, report.batch, report.opset) == ("embed", DIMENSION, "any", 17)
    assert (report.input.size_wh, report.input.colour, report.rewritten) == ((32, 32), "rgb", "")
    assert report.ms_per_picture > 0
    assert report.doubts == ()
    assert {each.name for each in report.findings} == {
        "input", "values", "batch", "repeatable", "telling apart", "speed",
    }  # fmt: skip
    assert (
        "RGB, values (x − 127.5) / 127.5, 32×32 pixels (colour and scaling: as is usual"
        in (finding(report, "input")[1])
    )


@pytest.mark.parametrize(("batch", "said"), [(1, "one picture a call"), (4, "4 pictures in every call")])
def test_a_fixed_batch_is_found_and_said(batch: int, said: str) -> None:
    report = examined(embedder(EmbedderFlaws(batch=batch))).report
    assert report.batch == str(batch)
    assert said in finding(report, "batch")[1]


def test_a_batch_that_is_only_declared_is_mended() -> None:
    done = examined(embedder(EmbedderFlaws(one_row=True)))
    assert done.report.batch == "1"
    assert done.report.rewritten == "declared to take one picture a call"
    assert (
        "declares any number of pictures a call, but gives 'embedding' as (1, 48) for 3"
        in (finding(done.report, "batch")[1])
    )
    assert InferenceSession(done.content).inputs[0].shape[0] == 1


def test_chance_is_doubtful() -> None:
    report = examined(embedder(EmbedderFlaws(random=True))).report
    assert [doubt.name for doubt in report.doubts] == ["repeatable"]
    assert report.rewritten == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(embedder(EmbedderFlaws(nan=True)), "shown noise, .* not finite", id="NaN"),
        pytest.param(
            embedder(EmbedderFlaws(blind=True)), "the same embedding for noise, black and", id="blind"
        ),
        pytest.param(
            embedder(EmbedderFlaws(extra_input=True)),
            "2 inputs and 1 outputs, one of each",
            id="other inputs",
        ),
        pytest.param(embedder(EmbedderFlaws(opset=99)), "of ONNX opset 99, newer than this", id="opset"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(content: bytes, said: str) -> None:
    with pytest.raises(ModelCheckError, match=said) as caught:
        examined(content)
    assert "\n" not in str(caught.value)


def test_an_output_of_nothing_is_refused() -> None:
    with pytest.raises(ModelCheckError, match="gives nothing at all in its output 'output'"):
        examined(empty_output(), ModelQuestion("yolo"))


@pytest.mark.parametrize("family", ["yolo", "yolox", "detr", "centerface", "yunet", "scrfd", "ultralytics"])
def test_an_embedder_is_no_detector(family: str) -> None:
    with pytest.raises(ModelCheckError, match=r"; what it fits: --family embedding$") as caught:
        examined(embedder(), ModelQuestion(family))
    assert "\n" not in str(caught.value)


def yolo_of_one_class() -> bytes:
    """Darknet's layout, one class: centres all over the input, probabilities that are none of 0 and 1."""
    rows = np.random.default_rng(3).uniform(0.01, 0.2, (1, 252, 6)).astype(np.float32)
    rows[0, :, :2] = np.random.default_rng(4).uniform(0, 64, (252, 2))
    return answering(("images", (1, 3, 64, 64)), {"output": rows})


LAYOUTS = {
    "raw": (ultralytics_raw(np.zeros((1, 84), np.float32), anchors=336), "ultralytics"),
    "end to end": (ultralytics_end_to_end(np.array([[8, 8, 40, 40, 0.9, 2]], np.float32)), "ultralytics"),
    "decoded": (detr_decoded([0], np.array([[0.1, 0.1, 0.5, 0.9]], np.float32), [0.9]), "detr"),
    "queries": (detr_queries(np.full((9, 4), 0.5, np.float32), np.zeros((9, 80), np.float32)), "detr"),
    "darknet": (yolo_of_one_class(), "yolo"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("family", all_families())
def test_every_layout_fits_its_own_family_and_no_other(layout: str, family: str) -> None:
    content, right = LAYOUTS[layout]
    question = ModelQuestion(family, labels=("face",) if layout == "darknet" and family == "yolo" else ())
    if family == right:
        assert examined(content, question).report.task == "detect"
        return
    with pytest.raises(ModelCheckError, match="not "):
        examined(content, question)


def test_a_family_that_is_none_names_those_there_are() -> None:
    with pytest.raises(
        ModelCheckError, match=r"no family is called 'resnet'; there are: yolo, yolox, .*embedding"
    ):
        examined(embedder(), ModelQuestion("resnet"))


@pytest.mark.parametrize(
    ("classes", "outcome", "said"),
    [(80, "noted", "their number, 80, is that of coco80"), (3, "noted", "names none of its 3 classes")],
)
def test_classes_without_names_get_some(classes: int, outcome: str, said: str) -> None:
    one = np.zeros((1, 4 + classes), np.float32)
    one[0, :5] = [32, 32, 10, 10, 0.9]
    report = examined(
        ultralytics_raw(one, anchors=84 if classes < 80 else 336), ModelQuestion("ultralytics")
    ).report
    assert len(report.labels) == classes
    found, sentence = finding(report, "labels")
    assert (found, said in sentence) == (outcome, True)
    assert [doubt.name for doubt in report.doubts] == ["telling apart"]


def test_labels_that_are_said_count() -> None:
    one = np.zeros((1, 7), np.float32)
    question = ModelQuestion("ultralytics", labels=("car", "bus", "tram"))
    assert examined(ultralytics_raw(one), question).report.labels == ("car", "bus", "tram")
    with pytest.raises(ModelCheckError, match="of 2 classes"):
        examined(ultralytics_raw(one), ModelQuestion("ultralytics", labels=("car", "bus")))
    with pytest.raises(ModelCheckError, match="which has no labels"):
        examined(embedder(), ModelQuestion("embedding", labels=("a",)))


def test_a_detr_passes() -> None:
    boxes = np.array([[0.1, 0.1, 0.5, 0.9]], np.float32)
    report = examined(detr_decoded([0], boxes, [0.9]), ModelQuestion("detr")).report
    assert "person × 1" in finding(report, "plausible")[1]


@pytest.mark.parametrize(
    ("scaling", "mean", "scale"), [("zero-to-255", 0.0, 1.0), ("zero-to-one", 0.0, 1 / 255)]
)
def test_what_is_declared_is_what_is_fed(scaling: Scaling, mean: float, scale: float) -> None:
    wanted = examined(embedder(), ModelQuestion("embedding", "bgr", scaling)).report.input
    assert (wanted.colour, wanted.mean, wanted.scale) == ("bgr", (mean,) * 3, (scale,) * 3)


def test_a_size_is_for_files_that_leave_it_open() -> None:
    with pytest.raises(ModelCheckError, match="48×48"):
        examined(embedder(), ModelQuestion("embedding", size_wh=(48, 48)))
    with pytest.raises(ModelCheckError, match="takes the size of each picture; leave out --size"):
        examined(embedder(), ModelQuestion("yunet", size_wh=(48, 48)))
