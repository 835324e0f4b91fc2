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
from vision.boxes import area, xywh_to_xyxy, xyxy_to_xywh
from vision.types import Bool, Detections, Int64

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


@dataclass(frozen=True, slots=True, repr=False)
class BoxMatches:
    """Every box that counts, and what became of it at the wanted confidence.

    Attributes:
        truth_image: (T,) int64, row of the picture of each ground truth box that counts.
        truth_class_id: (T,) int64.
        truth_xyxy: (T, 4) float64 pixels.
        truth_found: (T,) bool, whether a detection of at least the wanted confidence took it.
        right_image: (R,) int64, row of the picture of each detection that is right.
        false_image: (F,) int64, the same of each that matches nothing.
        false_class_id: (F,) int64.
        false_xyxy: (F, 4) float64 pixels.
        false_confidence: (F,) float64.
        precisions: class id → (101,) precision at the recalls 0, 0.01 … 1 over all confidences.
    """

    truth_image: Int64
    truth_class_id: Int64
    truth_xyxy: Float64
    truth_found: Bool
    right_image: Int64
    false_image: Int64
    false_class_id: Int64
    false_xyxy: Float64
    false_confidence: Float64
    precisions: dict[int, Float64]


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
    return match_boxes(images, min_confidence, min_size_px)[0]


def match_boxes(
    images: Sequence[ScoredImage], min_confidence: float, min_size_px: float = 0.0
) -> tuple[list[ClassMatches], BoxMatches]:
    """The classes as `match_classes` gives them, and every box; arguments and errors likewise."""
    class_ids = _class_ids(images)
    if not class_ids:
        return [], _boxes([], min_confidence, ([], []), {})
    truth, found = _truth(images), _found(images)
    evaluation = _evaluated(len(images), truth, found, class_ids, min_size_px)
    precision = evaluation.eval["precision"]  # (IoU, recall, class, area, max detections)
    results, precisions = [], {}
    for row, class_id in enumerate(class_ids):
        of_class = [image for image in evaluation.evalImgs if image and image["category_id"] == class_id]
        curve = precision[0, :, row, 0, 0]
        known = bool((curve > -1).all())
        if known:
            precisions[class_id] = np.asarray(curve, np.float64)
        results.append(
            ClassMatches(
                class_id=class_id,
                ground_truth=sum(
                    int(np.count_nonzero(np.logical_not(image["gtIgnore"]))) for image in of_class
                ),
                true_positives=sum(_count(image, min_confidence, matched=True) for image in of_class),
                false_positives=sum(_count(image, min_confidence, matched=False) for image in of_class),
                ap50=float(curve.mean()) if known else None,
            )
        )
    scored = [image for image in evaluation.evalImgs if image]
    return results, _boxes(scored, min_confidence, (truth, found), precisions)


def _boxes(
    scored: list[dict[str, Any]],
    min_confidence: float,
    annotations: tuple[list[dict[str, Any]], list[dict[str, Any]]],
    precisions: dict[int, Float64],
) -> BoxMatches:
    """Rows of annotations by what COCOeval matched; an annotation's id is its row plus one."""
    truth, found = annotations
    score_of = {annotation["id"]: np.float32(annotation["score"]) for annotation in found}
    counted: list[tuple[dict[str, Any], bool]] = []
    right: list[dict[str, Any]] = []
    wrong: list[dict[str, Any]] = []
    for image in scored:
        for box_id, match, ignored in zip(
            image["gtIds"], image["gtMatches"][0], image["gtIgnore"], strict=True
        ):
            if not ignored:
                hit = match > 0 and score_of[int(match)] >= np.float32(min_confidence)
                counted.append((truth[box_id - 1], bool(hit)))
        confident = np.asarray(image["dtScores"], np.float32) >= np.float32(min_confidence)
        told = confident & ~image["dtIgnore"][0].astype(bool)
        for box_id, match, counts in zip(image["dtIds"], image["dtMatches"][0], told, strict=True):
            if counts:
                (right if match > 0 else wrong).append(found[box_id - 1])
    return BoxMatches(
        truth_image=_column([box for box, _ in counted], "image_id"),
        truth_class_id=_column([box for box, _ in counted], "category_id"),
        truth_xyxy=_corners([box for box, _ in counted]),
        truth_found=np.array([hit for _, hit in counted], np.bool_),
        right_image=_column(right, "image_id"),
        false_image=_column(wrong, "image_id"),
        false_class_id=_column(wrong, "category_id"),
        false_xyxy=_corners(wrong),
        false_confidence=np.array([box["score"] for box in wrong], np.float64),
        precisions=precisions,
    )


def _column(boxes: list[dict[str, Any]], name: str) -> Int64:
    return np.array([box[name] for box in boxes], np.int64)


def _corners(boxes: list[dict[str, Any]]) -> Float64:
    rows = np.array([box["bbox"] for box in boxes], np.float64).reshape(-1, 4)
    return np.asarray(xywh_to_xyxy(rows), np.float64)


def _count(image: dict[str, Any], min_confidence: float, *, matched: bool) -> int:
    confident = np.asarray(image["dtScores"], np.float32) >= np.float32(min_confidence)
    hit = image["dtMatches"][0] > 0
    return int(np.count_nonzero(confident & (hit == matched) & ~image["dtIgnore"][0].astype(bool)))


def _class_ids(images: Sequence[ScoredImage]) -> list[int]:
    seen = [ids for image in images for ids in (image.truth_class_id, image.found.class_id)]
    return np.unique(np.concatenate(seen)).tolist() if seen else []


def _evaluated(
    image_count: int,
    truth_boxes: list[dict[str, Any]],
    found_boxes: list[dict[str, Any]],
    class_ids: list[int],
    min_size_px: float,
) -> Any:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingExtraError("pycocotools") from error
    categories = [{"id": class_id} for class_id in class_ids]
    pictures = [{"id": number} for number in range(image_count)]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints how long it took
        truth, found = COCO(), COCO()
        for dataset, annotations in ((truth, truth_boxes), (found, found_boxes)):
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
