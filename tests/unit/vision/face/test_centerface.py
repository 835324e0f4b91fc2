"""CenterFace: its maps decoded as they are defined, and real faces found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.build import build_face_detector
from pipelines.config import load_config
from tests.builders import constant_model, noise, plain
from vision.boxes import iou
from vision.errors import ImageError, ModelError
from vision.face.base import FaceDetector
from vision.face.centerface import CenterFace, CenterFaceOptions, decode
from vision.images import Placement, read_image
from vision.runtime import InferenceSession
from vision.types import Float32, ModelInput
from weights.catalog import load_catalog
from weights.store import WeightStore

RGB = ModelInput((0, 0), "rgb")
FREE = ("batch", 3, "height", "width")
STAY = Placement((1.0, 1.0))
ALL = CenterFaceOptions(min_face_px=0)


def maps(*faces: tuple[int, int, float], size: tuple[int, int] = (16, 16)) -> list[Float32]:
    """The four outputs with faces of 4 × 8 cells at (row, column, confidence)."""
    heat, log_size, offset, marks = (np.zeros((1, count, *size), np.float32) for count in (1, 2, 2, 10))
    for row, column, confidence in faces:
        heat[0, 0, row, column] = confidence
        log_size[0, :, row, column] = np.log([8, 4])
        offset[0, :, row, column] = (0.25, -0.5)
        marks[0, :, row, column] = (0.4, 0.3, 0.4, 0.7, 0.6, 0.5, 0.8, 0.35, 0.8, 0.65)
    return [heat, log_size, offset, marks]


def detector(outputs: list[Float32], options: CenterFaceOptions = ALL) -> CenterFace:
    names = ("heatmap", "log_size", "offset", "landmarks")
    model = constant_model(FREE, dict(zip(names, outputs, strict=True)))
    return CenterFace(InferenceSession(model), RGB, options)


def test_the_maps_mean_what_the_paper_says() -> None:
    faces = decode(maps((8, 6, 0.9)), STAY, ALL)
    # Centre (6 + 0.5 − 0.5, 8 + 0.5 + 0.25) × 4 = (24, 35); 4 × 4 = 16 wide, 8 × 4 = 32 high.
    assert faces.xyxy.tolist() == [pytest.approx([16, 19, 32, 51])]
    assert faces.confidence.tolist() == pytest.approx([0.9])
    wanted = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]]) * (16, 32) + (16, 19)
    assert np.allclose(faces.landmarks[0], wanted, atol=1e-4)


def test_overlapping_faces_are_one_and_the_surer_comes_first() -> None:
    faces = decode(maps((8, 6, 0.6), (8, 7, 0.8), (3, 12, 0.7), (4, 1, 0.2)), STAY, ALL)
    assert faces.confidence.tolist() == pytest.approx([0.8, 0.7])


def test_only_so_many_faces_are_kept() -> None:
    outputs = maps(*((row, column, 0.5 + row / 100) for row in (1, 14) for column in (2, 8, 14)))
    assert len(decode(outputs, STAY, CenterFaceOptions(max_faces=4))) == 4


@pytest.mark.parametrize("broken", [0, 1, 2, 3])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_a_model_error(broken: int, value: float) -> None:
    outputs = maps((8, 6, 0.9))
    outputs[broken][:] = value
    with pytest.raises(ModelError, match="not finite"):
        decode(outputs, STAY, ALL)


def test_faces_come_back_in_pixels_of_the_picture() -> None:
    # 256 × 128 shrunk to 64 × 32: the same cell then lies four times as far from the corner.
    found = detector(maps((4, 6, 0.9), size=(8, 16)), CenterFaceOptions(max_long_side_px=64)).detect(
        noise((256, 128))
    )
    assert found.xyxy.tolist() == [pytest.approx([64, 12, 128, 128], abs=0.01)]


def test_boxes_end_at_the_edge_and_those_beyond_it_or_too_small_are_gone() -> None:
    outputs = maps((0, 0, 0.9), (8, 14, 0.8))
    found = detector(outputs).detect(plain((40, 60)))
    assert found.xyxy.tolist() == [pytest.approx([0, 0, 8, 19])]
    assert len(detector(outputs, CenterFaceOptions(min_face_px=13)).detect(plain((40, 60)))) == 0


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 700), (31, 33), (64, 64)])
def test_any_size_is_padded_to_a_multiple_of_32(size_wh: tuple[int, int]) -> None:
    found = detector(maps()).detect(noise(size_wh))
    assert len(found) == 0


@pytest.mark.parametrize(
    "image", [plain()[..., 0], plain().astype(np.float32), np.zeros((0, 9, 3), np.uint8)]
)
def test_other_images_are_refused(image: Any) -> None:
    with pytest.raises(ImageError, match="uint8 BGR"):
        detector(maps()).detect(image)


def test_another_model_is_refused() -> None:
    model = constant_model(FREE, {"y": np.zeros((1, 85, 3, 3), np.float32)})
    with pytest.raises(ModelError, match="not CenterFace"):
        CenterFace(InferenceSession(model), RGB)


@pytest.fixture(scope="module")
def centerface() -> FaceDetector:
    return build_face_detector(WeightStore(load_config(None).paths.weights_dir, load_catalog()), "centerface")


@pytest.mark.models("centerface")
def test_nothing_is_found_where_nothing_is(centerface: FaceDetector) -> None:
    for image in (plain((640, 480)), plain((1, 1)), plain((32, 700), (255, 255, 255))):
        assert len(centerface.detect(image)) == 0


@pytest.mark.models("centerface")
@pytest.mark.evaldata
def test_faces_of_16_px_and_more_are_found(centerface: FaceDetector, eval_data: Path) -> None:
    folder = eval_data / "faces" / "wider60"
    labels = json.loads((folder / "labels.json").read_text())
    wanted = hits = false = 0
    for name, boxes in labels.items():
        truth = np.array(boxes, float).reshape(-1, 4)
        sizes = np.sqrt((truth[:, 2] - truth[:, 0]) * (truth[:, 3] - truth[:, 1]))
        found = centerface.detect(read_image(next(folder.rglob(name))))
        overlap = iou(truth, found.xyxy.astype(float)).max(axis=1, initial=0)
        wanted += int((sizes >= 16).sum())
        hits += int((overlap[sizes >= 16] >= 0.5).sum())
        false += int((iou(found.xyxy.astype(float), truth).max(axis=1, initial=0) < 0.5).sum())
    assert hits / wanted >= 0.76
    assert false / len(labels) <= 0.5


@pytest.mark.models("centerface")
@pytest.mark.evaldata
def test_landmarks_follow_the_picture(centerface: FaceDetector, eval_data: Path) -> None:
    path = eval_data / "faces" / "hamilton" / "references"
    image = read_image(next(path.glob("joe-biden/*")))
    upright = centerface.detect(image)
    mirrored = centerface.detect(image[:, ::-1])
    assert len(upright) == len(mirrored) == 1
    left, right, nose, mouth_left, mouth_right = upright.landmarks[0]
    assert left[0] < nose[0] < right[0]
    assert mouth_left[0] < mouth_right[0]
    assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
    back = mirrored.landmarks[0][[1, 0, 2, 4, 3]] * (-1, 1) + (image.shape[1], 0)
    size_px = np.sqrt(np.prod(upright.xyxy[0, 2:] - upright.xyxy[0, :2]))
    assert np.abs(back - upright.landmarks[0]).max() < 0.05 * size_px
