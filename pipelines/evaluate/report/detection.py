"""The report of `aiqyn evaluate detection`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.evaluate.coco import BoxMatches, match_boxes
from pipelines.evaluate.detection import ScoredSet
from pipelines.evaluate.intervals import clustered_share_interval
from pipelines.evaluate.report import charts
from pipelines.evaluate.report.body import (
    MAX_EXHIBITS,
    Exhibit,
    Exhibits,
    Figure,
    Plot,
    ReportBody,
    Table,
    percent,
    percent_interval,
)
from pipelines.evaluate.report.pictures import RIGHT, WRONG, with_boxes
from vision.boxes import area
from vision.errors import ImageError
from vision.images import read_image
from vision.types import Bool

_MOST_CURVES = 6
_SIZES_PX = (0, 8, 16, 24, 32, 48, 64, 96, 192, 384)


@dataclass(frozen=True, slots=True, repr=False)
class DetectionMatter:
    """What the report shows beside the figures.

    Attributes:
        scored: pictures with ground truth and detections.
        labels: class names by index.
        min_confidence: at which a detection counts.
        min_size_px: of ground truth that counts.
    """

    scored: ScoredSet
    labels: tuple[str, ...]
    min_confidence: float
    min_size_px: float


def detection_body(matter: DetectionMatter, document: Mapping[str, Any]) -> ReportBody:
    """Figures, plots and worst cases of a detection run."""
    _, boxes = match_boxes(matter.scored.images, matter.min_confidence, matter.min_size_px)
    plots = [
        Plot(
            "Precision against recall",
            charts.curves(_curves(matter, boxes), "recall", "precision"),
            "Over all confidences, at IoU 0.5, as COCO interpolates; the classes with most ground truth.",
        ),
        Plot(
            "Recall by size",
            charts.intervals(_by_size(boxes), f"found, at confidence {matter.min_confidence:g}"),
            "Size: root of the box's area in pixels. Bars: 95 % intervals, pictures drawn again.",
        ),
    ]
    return ReportBody(
        title="Detection: what is found, and what is found where nothing is",
        summary=(
            f"{document['images']} pictures, {document['ground_truth']} boxes that count. "
            f"IoU 0.5, confidence {matter.min_confidence:g}."
        ),
        figures=_headline(document),
        plots=tuple(plots),
        tables=(_per_class(document),),
        exhibits=tuple(_worst(matter, boxes)),
        cautions=(
            "Average precision has no interval: it is a mean over classes, many of which have few boxes.",
            "A detector measured on photographs may find less, or other things, at night, in rain, from above.",
            "Ground truth has errors: a false box below may be somebody nobody labelled.",
        ),
    )


def _curves(matter: DetectionMatter, boxes: BoxMatches) -> list[dict[str, Any]]:
    counts = np.bincount(boxes.truth_class_id, minlength=len(matter.labels))
    classes = sorted(boxes.precisions, key=lambda class_id: -counts[class_id])
    shown = {matter.labels[class_id]: boxes.precisions[class_id] for class_id in classes[:_MOST_CURVES]}
    if len(classes) > 1:
        mean = np.mean([boxes.precisions[class_id] for class_id in classes], axis=0)
        shown = {"mean of all classes": mean} | shown
    return [
        {"series": name, "x": row / 100, "y": float(value)}
        for name, curve in shown.items()
        for row, value in enumerate(curve)
    ]


def _by_size(boxes: BoxMatches) -> list[dict[str, Any]]:
    sizes = np.sqrt(area(boxes.truth_xyxy))
    rows = []
    for low, high in zip(_SIZES_PX, (*_SIZES_PX[1:], np.inf), strict=True):
        inside: Bool = (sizes >= low) & (sizes < high)
        if not inside.any():
            continue
        found = boxes.truth_found & inside
        images = int(boxes.truth_image.max()) + 1
        interval = clustered_share_interval(
            np.bincount(boxes.truth_image[found], minlength=images),
            np.bincount(boxes.truth_image[inside], minlength=images),
        )
        span = f"{low}–{high:g} px" if np.isfinite(high) else f"from {low} px"
        share = float(found.sum() / inside.sum())
        low_end, high_end = interval or (share, share)
        name = f"{span} ({int(inside.sum())})"
        rows.append({"name": name, "series": "recall", "value": share, "low": low_end, "high": high_end})
    return rows


def _headline(document: Mapping[str, Any]) -> tuple[Figure, ...]:
    spread = document["false_per_image_interval_95"]
    return (
        Figure("recall", percent(document["recall"]), percent_interval(document["recall_interval_95"])),
        Figure(
            "precision", percent(document["precision"]), percent_interval(document["precision_interval_95"])
        ),
        Figure(
            "false boxes a picture",
            f"{document['false_per_image']:.2f}",
            f"{spread[0]:.2f} to {spread[1]:.2f}" if spread else "",
        ),
        Figure("AP50", percent(document["ap50"]), "", "over all confidences"),
    )


def _per_class(document: Mapping[str, Any]) -> Table:
    classes = sorted(document["per_class"].items(), key=lambda item: -item[1]["ground_truth"])
    return Table(
        "By class",
        ("class", "ground truth", "recall", "precision", "AP50", "false boxes"),
        tuple(
            (
                label,
                str(score["ground_truth"]),
                percent(score["recall"]),
                percent(score["precision"]),
                percent(score["ap50"]),
                str(score["false_positives"]),
            )
            for label, score in classes
        ),
    )


def _worst(matter: DetectionMatter, boxes: BoxMatches) -> Iterable[Exhibits]:
    missed = np.flatnonzero(~boxes.truth_found)
    missed = missed[np.argsort(-area(boxes.truth_xyxy[missed]), kind="stable")]
    yield Exhibits(
        "Missed, the largest first",
        f"{len(missed)} in all. Orange: not found at this confidence. Green: what was found.",
        tuple(_missed(matter, boxes, missed[:MAX_EXHIBITS].tolist())),
    )
    false = np.argsort(-boxes.false_confidence, kind="stable")
    yield Exhibits(
        "False boxes, the surest first",
        f"{len(false)} in all. Orange: the box, with its confidence. Green: ground truth.",
        tuple(_false(matter, boxes, false[:MAX_EXHIBITS].tolist())),
    )


def _missed(matter: DetectionMatter, boxes: BoxMatches, rows: list[int]) -> Iterable[Exhibit]:
    for row in rows:
        number, xyxy = int(boxes.truth_image[row]), boxes.truth_xyxy[row]
        found = matter.scored.images[number].found
        sure = found[np.flatnonzero(found.confidence >= matter.min_confidence)]
        label = matter.labels[boxes.truth_class_id[row]]
        size_px = float(np.sqrt(area(xyxy[None])[0]))
        drawn = [(other, RIGHT, "") for other in sure.xyxy] + [(xyxy, WRONG, "")]
        yield from _exhibit(matter.scored.paths[number], drawn, xyxy, f"{label}, {size_px:.0f} px")


def _false(matter: DetectionMatter, boxes: BoxMatches, rows: list[int]) -> Iterable[Exhibit]:
    for row in rows:
        number, xyxy = int(boxes.false_image[row]), boxes.false_xyxy[row]
        label, confidence = matter.labels[boxes.false_class_id[row]], boxes.false_confidence[row]
        truth = [(other, RIGHT, "") for other in matter.scored.images[number].truth_xyxy]
        drawn = [*truth, (xyxy, WRONG, f"{confidence:.2f}")]
        yield from _exhibit(matter.scored.paths[number], drawn, xyxy, f"{label} {confidence:.2f}")


def _exhibit(path: Path, drawn: list[Any], around: Any, what: str) -> Iterable[Exhibit]:
    try:
        image = read_image(path)
    except ImageError:
        return
    yield Exhibit((with_boxes(image, drawn, around),), f"{what}: {path.name}")
