"""Our detection figures against pycocotools run from files as its authors run it, and against plain loops."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.build import build_detector, build_face_detector
from pipelines.config import load_config
from pipelines.evaluate.coco import ScoredImage
from pipelines.evaluate.detection import Examinee, detect_all, score_detections
from pipelines.evaluate.labels import LabelFormat, LabelledImage, read_labels
from pipelines.evaluate.runs import Models, face_examinee, object_examinee
from vision.boxes import iou
from vision.images import read_image
from vision.runtime import RuntimeOptions
from vision.types import Detections, Image
from weights.catalog import load_catalog
from weights.store import WeightStore

TOLERANCE = 1e-3
LABELS = tuple(f"class {number}" for number in range(80))


def official_ap50(folder: Path, images: list[ScoredImage]) -> float:
    """`stats[1]` of COCOeval with its default settings, from JSON files."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for number, image in enumerate(images, 1):
        for (x1, y1, x2, y2), class_id in zip(
            image.truth_xyxy.tolist(), image.truth_class_id.tolist(), strict=True
        ):
            box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0}
            truth.append({"id": len(truth) + 1, "image_id": number, "category_id": class_id + 1, **box})
        rows = zip(
            image.found.xyxy.tolist(),
            image.found.class_id.tolist(),
            image.found.confidence.tolist(),
            strict=True,
        )
        for (x1, y1, x2, y2), class_id, score in rows:
            bbox = [x1, y1, x2 - x1, y2 - y1]
            found.append({"image_id": number, "category_id": class_id + 1, "bbox": bbox, "score": score})
    dataset = {
        "images": [{"id": number} for number in range(1, len(images) + 1)],
        "categories": [{"id": number + 1, "name": name} for number, name in enumerate(LABELS)],
        "annotations": truth,
    }
    (folder / "truth.json").write_text(json.dumps(dataset))
    (folder / "found.json").write_text(json.dumps(found))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(folder / "truth.json"))
        evaluation = COCOeval(coco, coco.loadRes(str(folder / "found.json")), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[1])


def counted(images: list[ScoredImage], min_confidence: float, min_size_px: float) -> tuple[int, int, int]:
    """(ground truth that counts, right, wrong), by the rule of the command's page, in plain loops."""
    truths = right = wrong = 0
    for image in images:
        for class_id in np.union1d(image.truth_class_id, image.found.class_id):
            boxes = image.truth_xyxy[image.truth_class_id == class_id]
            counts = [np.sqrt((x2 - x1) * (y2 - y1)) >= min_size_px for x1, y1, x2, y2 in boxes]
            truths += sum(counts)
            found = image.found[
                (image.found.class_id == class_id) & (image.found.confidence >= min_confidence)
            ]
            overlap = iou(found.xyxy.astype(np.float64), boxes)
            free = set(range(len(boxes)))
            for row in np.argsort(-found.confidence, kind="stable"):
                fits = [column for column in free if overlap[row, column] >= 0.5]
                # One that counts is preferred to one that does not, then the better overlap.
                best = max(fits, key=lambda column: (counts[column], overlap[row, column]), default=None)
                if best is None:
                    wrong += 1
                else:
                    free.remove(best)
                    right += counts[best]
    return truths, right, wrong


def made_up(seed: int, pictures: int = 12) -> list[ScoredImage]:
    """Crowded pictures of five classes with shaken, missing, doubled and false boxes."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(pictures):
        count = int(rng.integers(0, 25))
        corner, size = rng.uniform(0, 500, (count, 2)), rng.uniform(4, 120, (count, 2))
        truth = np.concatenate([corner, corner + size], axis=1)
        classes = rng.integers(0, 5, count)
        seen = np.flatnonzero(rng.random(count) < 0.8)
        seen = np.concatenate([seen, seen[rng.random(len(seen)) < 0.3]])
        shaken = truth[seen] + rng.normal(0, 0.08, (len(seen), 4)) * np.tile(size[seen], 2)
        false = rng.uniform(0, 500, (8, 2))
        boxes = np.concatenate([shaken, np.concatenate([false, false + rng.uniform(4, 120, (8, 2))], axis=1)])
        guessed = np.where(rng.random(len(seen)) < 0.9, classes[seen], rng.integers(0, 5, len(seen)))
        class_id = np.concatenate([guessed, rng.integers(0, 6, 8)]).astype(np.int32)
        confidence = rng.random(len(boxes)).astype(np.float32)
        images.append(
            ScoredImage(
                truth, classes.astype(np.int64), Detections(boxes.astype(np.float32), confidence, class_id)
            )
        )
    return images


@pytest.mark.parametrize("seed", range(5))
def test_ap50_of_made_up_boxes(tmp_path: Path, seed: int) -> None:
    images = made_up(seed)
    score = score_detections(images, LABELS, 0.5)
    assert score.ap50 == pytest.approx(official_ap50(tmp_path, images), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("min_size_px", [0.0, 30.0])
def test_counts_of_made_up_boxes(seed: int, min_size_px: float) -> None:
    images = made_up(seed)
    score = score_detections(images, LABELS, 0.4, min_size_px)
    truths, right, wrong = counted(images, 0.4, min_size_px)
    assert score.ground_truth == truths
    assert score.recall == pytest.approx(right / truths)
    assert score.precision == pytest.approx(right / (right + wrong))
    assert score.false_per_image == pytest.approx(wrong / len(images))


def test_a_shifted_box_would_not_agree(tmp_path: Path) -> None:
    images = made_up(0)
    shifted = [ScoredImage(image.truth_xyxy + 8.0, image.truth_class_id, image.found) for image in images]
    score = score_detections(shifted, LABELS, 0.5)
    assert score.ap50 is not None
    assert abs(score.ap50 - official_ap50(tmp_path, images)) > 10 * TOLERANCE


@dataclass(frozen=True, slots=True)
class Examined:
    """A real set, its pictures detected once at a low confidence."""

    images: list[ScoredImage]
    labelled: list[LabelledImage]
    labels: tuple[str, ...]
    min_confidence: float


def examined(pictures: Path, labels: Path, label_format: LabelFormat, examinee: Examinee) -> Examined:
    labelled = read_labels(pictures, labels, label_format)
    return Examined(detect_all(labelled, examinee).images, labelled, examinee.labels, examinee.min_confidence)


@pytest.fixture(scope="module")
def store() -> WeightStore:
    return WeightStore(load_config(None).paths.weights_dir, load_catalog())


def assert_agrees(folder: Path, done: Examined, min_size_px: float) -> None:
    """Every figure against the loops above, and the average precision against pycocotools."""
    score = score_detections(done.images, done.labels, done.min_confidence, min_size_px)
    truths, right, wrong = counted(done.images, done.min_confidence, min_size_px)
    assert score.ground_truth == truths
    assert score.recall == pytest.approx(right / truths, abs=TOLERANCE)
    assert score.precision == pytest.approx(right / (right + wrong), abs=TOLERANCE)
    assert score.false_per_image == pytest.approx(wrong / len(done.images), abs=TOLERANCE)
    if not min_size_px:
        assert score.ap50 == pytest.approx(official_ap50(folder, done.images), abs=TOLERANCE)


def assert_same_at_default(done: Examined, detect: Callable[[Image], Detections], pictures: int = 8) -> None:
    """What is left of the low run at the default confidence is what the detector says by default."""
    for item, image in list(zip(done.labelled, done.images, strict=True))[:pictures]:
        usual = detect(read_image(item.path))
        kept = image.found[image.found.confidence >= done.min_confidence]
        np.testing.assert_allclose(kept.xyxy, usual.xyxy)
        np.testing.assert_array_equal(kept.class_id, usual.class_id)


@pytest.mark.system  # takes its time
@pytest.mark.evaldata
@pytest.mark.models("yolov3-tiny")
def test_coco128(tmp_path: Path, eval_data: Path, store: WeightStore) -> None:
    folder = eval_data / "detection" / "coco128"
    models = Models(store, RuntimeOptions(intra_op_threads=2))
    done = examined(folder / "images", folder / "labels", "yolo", object_examinee(models, "yolov3-tiny"))
    assert_agrees(tmp_path, done, 0.0)
    assert_agrees(tmp_path, done, 32.0)
    assert_same_at_default(done, build_detector(store, "yolov3-tiny").detect)


@pytest.mark.system  # takes its time
@pytest.mark.evaldata
@pytest.mark.models("centerface")
def test_wider60(tmp_path: Path, eval_data: Path, store: WeightStore) -> None:
    folder = eval_data / "faces" / "wider60"
    models = Models(store, RuntimeOptions(intra_op_threads=2))
    done = examined(
        folder / "images", folder / "labels.json", "wider-json", face_examinee(models, "centerface")
    )
    assert_agrees(tmp_path, done, 0.0)
    assert_agrees(tmp_path, done, 16.0)
    detector = build_face_detector(store, "centerface")
    assert_same_at_default(done, lambda image: detector.detect(image).as_detections())
