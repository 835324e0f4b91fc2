"""Labelled pictures → recall, precision and average precision of a detector."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipelines.evaluate.coco import BoxMatches, ClassMatches, ScoredImage, match_boxes
from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.intervals import Interval, clustered_share_interval
from pipelines.evaluate.labels import LabelledImage
from pipelines.evaluate.progress import Progress
from vision.errors import ImageError
from vision.images import read_image
from vision.types import Detections, Image

LOWEST_CONFIDENCE = 0.001
"""What an object detector is set to for average precision, which is taken over all confidences."""

LOWEST_FACE_CONFIDENCE = 0.01
"""The same for a face detector: its map answers in every cell, and below this no box is right any more."""


@dataclass(frozen=True, slots=True)
class Examinee:
    """A detector as it is examined.

    Attributes:
        detect: at the lowest confidence.
        labels: class names by index.
        min_confidence: the one it has by default, at which recall and precision are taken.
    """

    detect: Callable[[Image], Detections]
    labels: tuple[str, ...]
    min_confidence: float


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class; None where nothing of the kind is there to divide by.

    Attributes:
        recall: share of the ground truth that is found.
        precision: share of the detections that are right.
        ap50: average precision at IoU 0.5.
        ground_truth: boxes that count.
        true_positives: a count.
        false_positives: a count.
    """

    recall: float | None
    precision: float | None
    ap50: float | None
    ground_truth: int
    true_positives: int
    false_positives: int


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """The figures of `aiqyn evaluate detection`.

    Attributes:
        recall: of all classes together, at IoU 0.5 and the default confidence.
        precision: likewise.
        ap50: mean over the classes with ground truth.
        false_per_image: false positives of all classes a picture.
        images: scored.
        ground_truth: boxes that count.
        min_confidence: at which recall and precision were taken.
        per_class: by label.
        recall_interval_95: pictures drawn again, with all that is in each (`clustered_share_interval`).
        precision_interval_95: likewise.
        false_per_image_interval_95: likewise.
    """

    recall: float | None
    precision: float | None
    ap50: float | None
    false_per_image: float
    images: int
    ground_truth: int
    min_confidence: float
    per_class: dict[str, ClassScore]
    recall_interval_95: Interval | None = None
    precision_interval_95: Interval | None = None
    false_per_image_interval_95: Interval | None = None


@dataclass(slots=True)
class ScoredSet:
    """What a run over the pictures gave.

    Attributes:
        images: those that could be read.
        paths: of those, in the same order.
        problems: one line per picture that could not.
        detect_seconds: spent in the detector.
    """

    images: list[ScoredImage] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    detect_seconds: float = 0.0


def detect_all(
    labelled: Iterable[LabelledImage], examinee: Examinee, progress: Progress | None = None
) -> ScoredSet:
    """Runs the detector over every picture; broken ones are reported, not raised.

    Raises:
        EvaluationError: a label of a class the detector does not have.
    """
    progress = progress or Progress()
    done = ScoredSet()
    for item in labelled:
        if item.class_id.max(initial=0) >= len(examinee.labels):
            raise EvaluationError(
                f"{item.path}: labelled with class {item.class_id.max()}; "
                f"the detector has the classes 0 to {len(examinee.labels) - 1}"
            )
        try:
            image = read_image(item.path)
        except ImageError as error:
            done.problems.append(str(error))
            progress.problem(str(error))
        else:
            started = time.perf_counter()
            found = examinee.detect(image)
            done.detect_seconds += time.perf_counter() - started
            size_wh = (image.shape[1], image.shape[0])
            done.images.append(ScoredImage(item.xyxy(size_wh), item.class_id, found))
            done.paths.append(item.path)
        progress.advance()
    return done


def score_detections(
    images: Sequence[ScoredImage], labels: tuple[str, ...], min_confidence: float, min_size_px: float = 0.0
) -> DetectionScore:
    """The figures.

    Args:
        images: of `detect_all`.
        labels: class names by index.
        min_confidence: for recall and precision.
        min_size_px: ground truth smaller than this (square root of its area) and what matches it is ignored.

    Returns:
        Per class and together.

    Raises:
        EvaluationError: no pictures, or no ground truth that counts.
        MissingExtraError: pycocotools is not installed.
    """
    if not images:
        raise EvaluationError("not one picture could be read")
    matches, boxes = match_boxes(images, min_confidence, min_size_px)
    truths = sum(match.ground_truth for match in matches)
    if not truths:
        raise EvaluationError("the labels hold no box that counts")
    right = sum(match.true_positives for match in matches)
    wrong = sum(match.false_positives for match in matches)
    precisions = [match.ap50 for match in matches if match.ap50 is not None]
    return DetectionScore(
        recall=_share(right, truths),
        precision=_share(right, right + wrong),
        ap50=float(np.mean(precisions)) if precisions else None,
        false_per_image=wrong / len(images),
        images=len(images),
        ground_truth=truths,
        min_confidence=min_confidence,
        per_class={
            labels[match.class_id]: _class_score(match) for match in matches if _is_worth_telling(match)
        },
        **_intervals(boxes, len(images)),
    )


def _intervals(boxes: BoxMatches, images: int) -> dict[str, Interval | None]:
    """Boxes of one picture are alike, so pictures are what is drawn again."""
    truths, found, right, wrong = (
        np.bincount(rows, minlength=images)
        for rows in (
            boxes.truth_image,
            boxes.truth_image[boxes.truth_found],
            boxes.right_image,
            boxes.false_image,
        )
    )
    return {
        "recall_interval_95": clustered_share_interval(found, truths),
        "precision_interval_95": clustered_share_interval(right, right + wrong),
        "false_per_image_interval_95": clustered_share_interval(wrong, np.ones(images), is_share=False),
    }


def _is_worth_telling(match: ClassMatches) -> bool:
    """Whether there is anything but detections below the confidence that counts."""
    return bool(match.ground_truth or match.true_positives or match.false_positives)


def _class_score(match: ClassMatches) -> ClassScore:
    return ClassScore(
        recall=_share(match.true_positives, match.ground_truth),
        precision=_share(match.true_positives, match.true_positives + match.false_positives),
        ap50=match.ap50,
        ground_truth=match.ground_truth,
        true_positives=match.true_positives,
        false_positives=match.false_positives,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
