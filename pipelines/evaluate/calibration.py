"""Pictures of people → the calibration file thresholds are taken from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.build import build_embedder, build_face_detector, embedder_in_use
from pipelines.calibrations import check_saving, save_calibration
from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.faces import embed_images, identities, list_faces
from pipelines.evaluate.progress import Progress
from pipelines.evaluate.report.calibration import CalibrationMatter, calibration_body
from pipelines.evaluate.runs import Models, Outcome
from vision.identify.calibration import Calibration
from vision.identify.impostors import ImpostorSample

GALLERY_SIZES = (1, 10, 100, 1000, 10_000)
WANTED_PER_1000 = (0.1, 1.0, 10.0, 100.0)


@dataclass(frozen=True, slots=True)
class CalibrationRequest:
    """`aiqyn evaluate calibration`.

    Attributes:
        images: folder of pictures, one sub-folder per person.
        out: file to write.
        name: of the measurement.
        embedder: catalogue id.
        face_detector: catalogue id.
    """

    images: Path
    out: Path
    name: str
    embedder: str
    face_detector: str


def run_calibration(models: Models, request: CalibrationRequest, progress: Progress) -> Outcome:
    """Measures how alike strangers are to an embedder, and writes it down.

    Raises:
        EvaluationError: no pictures, or fewer than two people with a face.
        ConfigError: the file cannot be written, or the people are too few for any rate.
        WeightsError, ModelError: the models cannot be had.
    """
    check_saving(request.out, request.name)
    images = list_faces(request.images)
    detector = build_face_detector(models.store, request.face_detector, models.runtime)
    embedder = build_embedder(models.store, request.embedder, models.runtime)
    progress.begin("faces", len(images))
    faces = embed_images(request.images, images, detector, embedder, progress)
    identity = identities(images)[faces.found]
    if len(set(identity.tolist())) < 2:
        raise EvaluationError(f"{request.images}: needs faces of at least two people, one sub-folder each")
    sample = ImpostorSample.from_embeddings(faces.embeddings[faces.found], identity)
    in_use = embedder_in_use(models.store, request.embedder)
    calibration = save_calibration(request.out, request.name, sample, in_use)
    document = describe(calibration) | {
        "file": str(request.out),
        "images": len(images),
        "undetected": len(faces.undetected),
        "unreadable": len(faces.problems),
        "models": models.named(face_detector=request.face_detector, embedder=request.embedder),
    }
    with_face = np.flatnonzero(faces.found)
    in_order = with_face[np.argsort(identity, kind="stable")].tolist()
    matter = CalibrationMatter(request.images, tuple(images[row] for row in in_order), calibration)
    return Outcome(document, len(faces.problems), partial(calibration_body, matter))


def describe(calibration: Calibration) -> dict[str, Any]:
    """What a calibration says, for list sizes and rates from small to large."""
    model = calibration.model
    return {
        "calibration": calibration.name,
        "people": model.sample.people,
        "pictures": model.sample.picture_count,
        "picture_pairs": model.sample.picture_pairs,
        "strictest_threshold": model.strictest_threshold,
        "disagreement_similarity": calibration.disagreement_similarity,
        "operating_points": [
            {"gallery_size": size}
            | asdict(
                calibration.operating_point(
                    gallery_templates=size, gallery_subjects=size, false_alerts_per_1000_faces=wanted
                )
            )
            for size in GALLERY_SIZES
            for wanted in WANTED_PER_1000
        ],
    }
