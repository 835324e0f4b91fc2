"""YuNet: its tensors decoded as OpenCV decodes them, at any size or one, and other models refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipelines.build import build_face_detector
from pipelines.config import load_config
from pipelines.families import FACE_DETECTORS, ModelParts, SearchOptions
from tests.builders import constant_model, noise, plain
from tests.onnx_builders import answering
from tests.unit.vision.face.pyramids import Recorder, Wanted, model_bytes, session, yunet_outputs
from vision.boxes import iou
from vision.errors import ModelError
from vision.face.base import FaceDetector
from vision.face.search import MOST_CANDIDATES, sift
from vision.face.yunet import Yunet, YunetOptions, decode
from vision.images import Placement, read_image
from vision.runtime import InferenceSession
from vision.types import Image, ModelInput
from weights.catalog import load_catalog
from weights.store import WeightStore

BGR = ModelInput((0, 0), "bgr")
ALL = YunetOptions(min_face_px=0)
CANVAS = (96, 64)
FACES = (Wanted((10, 12, 26, 32)), Wanted((48, 8, 88, 56), 0.7, 16))


def yunet(faces: tuple[Wanted, ...] = FACES, options: YunetOptions = ALL) -> Yunet:
    return Yunet(session(yunet_outputs(faces, CANVAS)), BGR, options)


def test_boxes_and_landmarks_of_every_stride_come_back() -> None:
    wanted = (*FACES, Wanted((4, 36, 40, 62), 0.6, 32))
    found = yunet(wanted).detect(noise(CANVAS))
    assert found.confidence.tolist() == pytest.approx([0.9, 0.7, 0.6])
    assert np.allclose(found.xyxy, [face.xyxy for face in wanted], atol=1e-3)
    assert np.allclose(found.landmarks, [face.landmarks for face in wanted], atol=1e-3)


def test_the_geometric_mean_decides() -> None:
    outputs = yunet_outputs((Wanted((10, 12, 26, 32), 0.8),), CANVAS)
    outputs["cls_8"] = np.where(outputs["cls_8"] > 0, np.float32(0.36), np.float32(0))
    outputs["obj_8"] = np.where(
        outputs["obj_8"] > 0, np.float32(1.5), np.float32(0)
    )  # cut off at 1, as upstream does
    found = Yunet(session(outputs), BGR, ALL).detect(noise(CANVAS))
    assert found.confidence.tolist() == pytest.approx([0.6])
    assert len(Yunet(session(outputs), BGR, YunetOptions(min_confidence=0.61)).detect(noise(CANVAS))) == 0


def test_overlapping_faces_are_one_and_too_small_or_too_many_are_gone() -> None:
    near = Wanted((12, 14, 28, 34), 0.8)
    assert yunet((*FACES, near)).detect(noise(CANVAS)).confidence.tolist() == pytest.approx([0.9, 0.7])
    big = yunet(options=YunetOptions(min_face_px=20)).detect(noise(CANVAS))
    assert big.confidence.tolist() == pytest.approx([0.7])
    assert len(yunet(options=YunetOptions(max_faces=1, min_face_px=0)).detect(noise(CANVAS))) == 1


def test_pictures_are_padded_or_shrunk_to_the_one_size_a_model_has() -> None:
    fixed = Yunet(session(yunet_outputs(FACES, CANVAS), (64, 96)), BGR, ALL)
    small = fixed.detect(noise((40, 30)))
    assert np.allclose(small.xyxy[0], [10, 12, 26, 30], atol=1e-3)
    large = fixed.detect(noise((192, 96)))
    assert np.allclose(large.xyxy[0], [20, 24, 52, 64], atol=1e-2)
    assert np.allclose(large.landmarks[0], FACES[0].landmarks * 2, atol=1e-2)


def test_it_is_fed_bgr_from_0_to_255() -> None:
    model = Recorder(model_bytes(yunet_outputs((), CANVAS)))
    Yunet(model, BGR, ALL).detect(plain(CANVAS, (255, 10, 20)))
    assert model.fed["input"].mean(axis=(0, 2, 3)).tolist() == [255, 10, 20]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("cls", np.nan),
        ("obj", np.nan),
        ("bbox", np.nan),
        ("bbox", np.inf),
        ("bbox", 1e30),
        ("kps", np.nan),
        ("kps", 1e30),
    ],
)
def test_what_is_not_finite_is_a_model_error(kind: str, value: float) -> None:
    outputs = yunet_outputs(FACES, CANVAS)
    outputs[f"{kind}_8"][:] = value
    with pytest.raises(ModelError, match="not finite"):
        Yunet(session(outputs), BGR, ALL).detect(noise(CANVAS))


def test_a_model_that_is_sure_everywhere_is_bounded() -> None:
    size = (640, 640)
    found = decode(
        {name: np.full_like(value, 0.5) for name, value in yunet_outputs((), size).items()}, size, 0.4
    )
    assert len(found.xyxy) == 8400
    options = YunetOptions(min_confidence=0.4, max_iou=1.0, max_faces=10_000)
    assert len(sift(found, Placement((1.0, 1.0)), options)) == MOST_CANDIDATES
    outputs = {name: np.full_like(value, 0.5) for name, value in yunet_outputs((), size).items()}
    few = Yunet(session(outputs), BGR, YunetOptions(min_confidence=0.4, min_face_px=0, max_faces=100))
    assert len(few.detect(plain(size))) == 100


def test_tensors_for_another_size_are_a_model_error() -> None:
    with pytest.raises(ModelError, match=r"output cls_8 must be \(1, 192, 1\), got \(1, 96, 1\)"):
        yunet().detect(noise((128, 96)))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        pytest.param(
            constant_model((1, 3, 32, 32), {"y": np.zeros((1, 85, 3, 3), np.float32)}),
            "not YuNet: 1 outputs (y), 12 expected: cls, obj, bbox and kps",
            id="a detector of objects",
        ),
        pytest.param(
            answering(
                ("input", (1, 3, "h", "w")), {f"out{n}": np.zeros((1, 4, 1), np.float32) for n in range(12)}
            ),
            "not YuNet: 12 outputs (out0, out1, out10, out11, out2, out3, …)",
            id="other names",
        ),
        pytest.param(
            answering(("input", (1, 64, 64, 3)), yunet_outputs((), (64, 64))),
            "not YuNet: it takes [(1, 64, 64, 3)], one picture (1, 3, height, width) expected",
            id="channels last",
        ),
        pytest.param(
            answering(("input", (4, 3, 64, 64)), yunet_outputs((), (64, 64))),
            "not YuNet: it takes [(4, 3, 64, 64)]",
            id="a batch of four",
        ),
        pytest.param(
            answering(("input", (1, 3, 100, 64)), yunet_outputs((), (64, 64))),
            "its size (64, 100) is no multiple of 32",
            id="an odd size",
        ),
        pytest.param(
            answering(("input", (1, 3, 64, "width")), yunet_outputs((), (64, 64))),
            "of height and width (64, None) only one is free",
            id="half free",
        ),
    ],
)
def test_another_model_is_refused_in_one_line(model: bytes, said: str) -> None:
    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        Yunet(InferenceSession(model), BGR)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def yunet_n(eval_data: Path) -> FaceDetector:
    """YuNet of libfacedetection.train, as the family's table makes it without a catalogue entry."""
    model = InferenceSession((eval_data / "models" / "yunet_n_dynamic.onnx").read_bytes())
    family = FACE_DETECTORS["yunet"]
    return family.build(ModelParts(model, family.usual_input(model)), SearchOptions())


def _opencv(image: Image, model: Path) -> np.ndarray:
    """(N, 15) left, top, width, height, five points, confidence, as OpenCV's own decoder finds them."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        size_wh = (image.shape[1], image.shape[0])
        rows: Any = cv2.FaceDetectorYN.create(str(model), "", size_wh, 0.5, 0.3, 5000).detect(image)[1]
    finally:
        cv2.utils.logging.setLogLevel(level)
    return np.empty((0, 15)) if rows is None else rows


@pytest.mark.evaldata
def test_it_decodes_as_opencv_does(eval_data: Path, yunet_n: FaceDetector) -> None:
    seen = compared = 0
    for path in sorted((eval_data / "faces" / "wider60").rglob("*.jpg"))[:12]:
        image = read_image(path)
        ours = yunet_n.detect(image)
        for row in _opencv(image, eval_data / "models" / "yunet_n_dynamic.onnx"):
            xyxy = np.clip(
                [row[0], row[1], row[0] + row[2], row[1] + row[3]], 0, [image.shape[1], image.shape[0]] * 2
            )
            if np.sqrt((xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1])) < 14 or not len(ours):
                continue  # below what we report
            seen += 1
            nearest = int(np.abs(ours.xyxy - xyxy).max(axis=1).argmin())
            if np.abs(ours.xyxy[nearest] - xyxy).max() > 0.1:
                continue  # OpenCV suppresses on boxes of whole pixels, which keeps a few others
            assert np.abs(ours.landmarks[nearest].ravel() - row[4:14]).max() < 1e-2
            assert ours.confidence[nearest] == pytest.approx(row[14], abs=1e-4)
            compared += 1
    assert compared >= max(25, 0.9 * seen)


@pytest.mark.models("centerface")
@pytest.mark.evaldata
def test_the_landmarks_are_those_of_centerface(eval_data: Path, yunet_n: FaceDetector) -> None:
    centerface = build_face_detector(
        WeightStore(load_config(None).paths.weights_dir, load_catalog()), "centerface"
    )
    for path in sorted((eval_data / "faces" / "hamilton" / "references").glob("*/*")):
        image = read_image(path)
        ours, theirs = yunet_n.detect(image), centerface.detect(image)
        assert iou(ours.xyxy[:1].astype(float), theirs.xyxy[:1].astype(float))[0, 0] > 0.6
        size_px = float(np.sqrt(np.prod(theirs.xyxy[0, 2:] - theirs.xyxy[0, :2])))
        assert np.abs(ours.landmarks[0] - theirs.landmarks[0]).max() < 0.12 * size_px
