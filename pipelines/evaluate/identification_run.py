"""`aiqyn evaluate identification`: a folder of people → misses at a rate of false alerts, and the report's matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.build import build_embedder, build_face_detector
from pipelines.evaluate.degrade import CCTV, Degradation
from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.faces import list_faces
from pipelines.evaluate.identification import (
    FALSE_ALERT_RATES,
    Searches,
    det_curve,
    operating_point,
    rank_one_rate,
    search,
)
from pipelines.evaluate.identification_faces import (
    CctvRequest,
    FaceModels,
    Looks,
    look_at_cctv,
    look_at_photographs,
    readable,
)
from pipelines.evaluate.identification_groups import MIN_CELL, labels_of, rates_by_group, read_groups
from pipelines.evaluate.identification_protocol import Draw, draw_people, people_of
from pipelines.evaluate.progress import Progress
from pipelines.evaluate.report.identification import IdentificationMatter, identification_body
from pipelines.evaluate.runs import Models, Outcome
from vision.types import Float32


@dataclass(frozen=True, slots=True)
class IdentificationRequest:
    """`aiqyn evaluate identification`.

    Attributes:
        images: folder of the pictures, one sub-folder per person.
        gallery_size: people to enrol.
        references_each: pictures enrolled of each.
        embedder: catalogue id.
        face_detector: catalogue id.
        seed: of the draw and of the degradations.
        conditions: degradations under which the probes are searched again.
        groups: CSV of groups; None for none.
    """

    images: Path
    gallery_size: int
    embedder: str
    face_detector: str
    references_each: int = 1
    seed: int = 0
    conditions: tuple[Degradation, ...] = ()
    groups: Path | None = None


def run_identification(models: Models, request: IdentificationRequest, progress: Progress) -> Outcome:
    """Measures open-set identification.

    Raises:
        EvaluationError: data that cannot be used.
        ConfigError, WeightsError, ModelError: the models cannot be had, or fail.
    """
    if not request.images.is_dir():
        raise EvaluationError(f"{request.images}: is not a folder of people")
    groups = read_groups(request.groups) if request.groups else {}
    pictures = list_faces(request.images)
    people_of(pictures)  # a folder of another shape is told before the models are loaded
    faces = FaceModels(
        build_face_detector(models.store, request.face_detector, models.runtime),
        build_embedder(models.store, request.embedder, models.runtime),
    )
    outcome = measure_identification(request, faces, pictures, progress, groups)
    named = models.named(face_detector=request.face_detector, embedder=request.embedder)
    return replace(outcome, document=outcome.document | {"models": named})


def measure_identification(
    request: IdentificationRequest,
    faces: FaceModels,
    pictures: tuple[str, ...],
    progress: Progress,
    groups: Mapping[str, str] | None = None,
) -> Outcome:
    """The same with models at hand; see `run_identification`."""
    good = readable(request.images, pictures, progress)
    if not good:
        raise EvaluationError(f"{request.images}: not one picture could be read")
    people = people_of(good)
    draw = draw_people(people, request.gallery_size, request.references_each, request.seed)
    if len(draw.subjects) < request.gallery_size:
        progress.note(
            f"{len(draw.subjects)} people have pictures enough to be enrolled and searched for; the gallery "
            f"has them all, and not the {request.gallery_size} asked for"
        )
    looks = look_at_photographs(request.images, draw.pictures, faces, progress)
    gallery = _gallery(draw, looks)
    searches = search(gallery, looks.rows(draw.mated), looks.rows(draw.non_mated))
    document = _figures(searches, request.seed) | _counts(draw, looks, request)
    document |= {
        "people": len(people),
        "images": len(pictures),
        "unreadable": len(pictures) - len(good),
        "detect_ms_per_image": 1000 * looks.detect_seconds / len(draw.pictures),
        "embed_ms_per_face": 1000 * looks.embed_seconds / max(1, len(looks.embeddings)),
        "det": [asdict(point) for point in det_curve(searches)],
    }
    if groups:
        document["groups"] = _by_group(draw, searches, groups, document["threshold_at_fpir"])
    if request.conditions:
        document["cctv"] = _under_cctv(request, (draw, looks), faces, gallery, document, progress)
    matter = IdentificationMatter(
        request.images,
        draw,
        searches,
        looks.boxes,
        tuple(looks.without_face),
        request.conditions,
        request.seed,
    )
    return Outcome(document, len(pictures) - len(good), partial(identification_body, matter))


def _gallery(draw: Draw, looks: Looks) -> tuple[Float32, tuple[int, ...]]:
    enrolled = [
        (name, row) for row, names in enumerate(draw.references) for name in names if name in looks.embeddings
    ]
    return looks.rows([name for name, _ in enrolled]), tuple(row for _, row in enrolled)


def _figures(searches: Searches, seed: int) -> dict[str, Any]:
    points = {f"{rate:g}": operating_point(searches, rate, seed) for rate in FALSE_ALERT_RATES}
    rank1, interval = rank_one_rate(searches)
    return {
        "fnir_at_fpir": {rate: point.fnir for rate, point in points.items()},
        "fnir_at_fpir_interval_95": {rate: point.interval_95 for rate, point in points.items()},
        "threshold_at_fpir": {rate: point.threshold for rate, point in points.items()},
        "rank1": rank1,
        "rank1_interval_95": interval,
    }


def _counts(draw: Draw, looks: Looks, request: IdentificationRequest) -> dict[str, Any]:
    return {
        "gallery_size": len(draw.subjects),
        "gallery_size_wanted": request.gallery_size,
        "references_each": request.references_each,
        "mated_probes": len(draw.mated),
        "non_mated_probes": len(draw.non_mated),
        "mated_without_face": looks.missing(draw.mated),
        "non_mated_without_face": looks.missing(draw.non_mated),
        "references_without_face": looks.missing(name for names in draw.references for name in names),
        "seed": request.seed,
    }


def _by_group(
    draw: Draw, searches: Searches, groups: Mapping[str, str], thresholds: Mapping[str, float | None]
) -> dict[str, Any]:
    rates = rates_by_group(draw, searches, groups, thresholds)
    unlabelled = sum(label is None for label in labels_of(draw.probes, groups))
    return {
        "min_cell": MIN_CELL,
        "unlabelled_probes": unlabelled,
        "by_group": {label: asdict(rate) for label, rate in rates.items()},
    }


def _under_cctv(
    request: IdentificationRequest,
    clean: tuple[Draw, Looks],
    faces: FaceModels,
    gallery: tuple[Float32, tuple[int, ...]],
    document: Mapping[str, Any],
    progress: Progress,
) -> dict[str, Any]:
    """Probes degraded, references as they were; thresholds taken anew, and the clean ones held against them."""
    draw, photographs = clean
    asked = CctvRequest(draw.probes, request.seed, progress)
    results: dict[str, Any] = {}
    for how in request.conditions:
        looks = look_at_cctv(request.images, photographs, how, faces, asked)
        searches = search(gallery, looks.rows(draw.mated), looks.rows(draw.non_mated))
        results[how.name] = _figures(searches, request.seed) | {
            "mated_without_face": looks.missing(draw.mated),
            "non_mated_without_face": looks.missing(draw.non_mated),
            "at_clean_threshold": {
                rate: {"fnir": searches.miss_rate(at), "fpir": searches.false_alert_rate(at)}
                for rate, at in document["threshold_at_fpir"].items()
                if at is not None
            },
        }
    return results


def conditions_for(cctv: bool) -> tuple[Degradation, ...]:
    """The degradations of `--cctv`."""
    return CCTV if cctv else ()
