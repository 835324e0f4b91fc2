"""Detections against ground truth by COCO's own rules, through pycocotools.

COCO (Lin et al. 2014; cocoapi, `COCOeval`): within a picture and class the detections, by falling
confidence, each take the ground truth box they overlap most, if by at least 0.5 and if no better one
took it. Average precision is the mean over 101 recalls, of at most 100 detections a picture and class.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.evaluate.errors import MissingExtraError
from vision.boxes import area, xyxy_to_xywh
from vision.types import Detections, Int64

Float64: TypeAlias = npt.NDArray[np.float64]

MIN_IOU = 0.5
MAX_DETECTIONS = 100
_ALL_DETECTIONS = 1_000_000
_LARGEST_AREA = 1e10


@dataclass(frozen=True, slots=True, repr=False)
class ScoredImage:
    """What is in a picture, and what a detector said of it.

    Attributes:
        truth_xyxy: (N, 4) float64 pixels.
        truth_class_id: (N,) int64.
        found: at a very low `min_confidence`.
    """

    truth_xyxy: Float64
    truth_class_id: Int64
    found: Detections


@dataclass(frozen=True, slots=True)
class ClassMatches:
    """One class over all pictures.

    Attributes:
        class_id: index into the detector's labels.
        ground_truth: boxes that count.
        true_positives: detections of at least the wanted confidence that match one of them.
        false_positives: detections of at least that confidence that match nothing.
        ap50: average precision at IoU 0.5 over all confidences; None without ground truth.
    """

    class_id: int
    ground_truth: int
    true_positives: int
    false_positives: int
    ap50: float | None


def match_classes(
    images: Sequence[ScoredImage], min_confidence: float, min_size_px: float = 0.0
) -> list[ClassMatches]:
    """Matches every picture and class.

    Ground truth whose square root of area is less than `min_size_px` is ignored as COCO ignores: what
    matches it counts neither way, and it takes nothing away from a box that counts. A detection that
    matches nothing is false whatever its own size.

    Args:
        images: pictures with ground truth and detections.
        min_confidence: for true and false positives.
        min_size_px: of ground truth that counts.

    Returns:
        By class id, those with ground truth or detections.

    Raises:
        MissingExtraError: pycocotools is not installed.
    """
    class_ids = _class_ids(images)
    if not class_ids:
        return []
    evaluation = _evaluated(images, class_ids, min_size_px)
    precision = evaluation.eval["precision"]  # (IoU, recall, class, area, max detections)
    results = []
    for row, class_id in enumerate(class_ids):
        of_class = [image for image in evaluation.evalImgs if image and image["category_id"] == class_id]
        curve = precision[0, :, row, 0, 0]
        results.append(
            ClassMatches(
                class_id=class_id,
                ground_truth=sum(
                    int(np.count_nonzero(np.logical_not(image["gtIgnore"]))) for image in of_class
                ),
                true_positives=sum(_count(image, min_confidence, matched=True) for image in of_class),
                false_positives=sum(_count(image, min_confidence, matched=False) for image in of_class),
                ap50=float(curve.mean()) if (curve > -1).all() else None,
            )
        )
    return results


def _count(image: dict[str, Any], min_confidence: float, *, matched: bool) -> int:
    confident = np.asarray(image["dtScores"], np.float32) >= np.float32(min_confidence)
    hit = image["dtMatches"][0] > 0
    return int(np.count_nonzero(confident & (hit == matched) & ~image["dtIgnore"][0].astype(bool)))


def _class_ids(images: Sequence[ScoredImage]) -> list[int]:
    seen = [ids for image in images for ids in (image.truth_class_id, image.found.class_id)]
    return np.unique(np.concatenate(seen)).tolist() if seen else []


def _evaluated(images: Sequence[ScoredImage], class_ids: list[int], min_size_px: float) -> Any:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingExtraError("pycocotools") from error
    categories = [{"id": class_id} for class_id in class_ids]
    pictures = [{"id": number} for number in range(len(images))]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints how long it took
        truth, found = COCO(), COCO()
        for dataset, annotations in ((truth, _truth(images)), (found, _found(images))):
            dataset.dataset = {"images": pictures, "categories": categories, "annotations": annotations}
            dataset.createIndex()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.params.iouThrs = np.array([MIN_IOU])
        evaluation.params.areaRng = [[min_size_px**2, _LARGEST_AREA]]
        evaluation.params.areaRngLbl = ["all"]
        evaluation.params.maxDets = [MAX_DETECTIONS, _ALL_DETECTIONS]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _truth(images: Sequence[ScoredImage]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, image in enumerate(images):
        xywh, areas = xyxy_to_xywh(image.truth_xyxy), area(image.truth_xyxy)
        for row, class_id in enumerate(image.truth_class_id.tolist()):
            rows.append(_annotation(rows, number, class_id, xywh[row].tolist()) | {"area": float(areas[row])})
    return rows


def _found(images: Sequence[ScoredImage]) -> list[dict[str, Any]]:
    """Detections; their area is said to be in range, so that only a match can make one ignored."""
    rows: list[dict[str, Any]] = []
    for number, image in enumerate(images):
        xywh = xyxy_to_xywh(image.found.xyxy.astype(np.float64))
        for row, class_id in enumerate(image.found.class_id.tolist()):
            scored = {"score": float(image.found.confidence[row]), "area": _LARGEST_AREA}
            rows.append(_annotation(rows, number, class_id, xywh[row].tolist()) | scored)
    return rows


def _annotation(rows: list[dict[str, Any]], image: int, class_id: int, xywh: list[float]) -> dict[str, Any]:
    # Ids begin at 1: to COCOeval a match with id 0 is no match.
    return {"id": len(rows) + 1, "image_id": image, "category_id": class_id, "bbox": xywh, "iscrowd": 0}
