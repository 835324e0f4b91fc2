"""One `aiqyn evaluate` command each: models built, data read, figures gathered into a document."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipelines.build import TrackerName, build_detector, build_embedder, build_face_detector, tracker_factory
from pipelines.errors import ConfigError
from pipelines.evaluate.detection import (
    LOWEST_CONFIDENCE,
    LOWEST_FACE_CONFIDENCE,
    Examinee,
    detect_all,
    score_detections,
)
from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.faces import (
    FaceSet,
    compare_everyone,
    embed_images,
    list_faces,
    read_pairs,
    score_faces,
)
from pipelines.evaluate.labels import LabelFormat, read_labels
from pipelines.evaluate.mot import MotBoxes, read_ground_truth, read_mot
from pipelines.evaluate.progress import Progress
from pipelines.evaluate.report.body import ReportBody
from pipelines.evaluate.report.detection import DetectionMatter, detection_body
from pipelines.evaluate.report.faces import FacesMatter, faces_body
from pipelines.evaluate.report.tracking import TrackingMatter, tracking_body
from pipelines.evaluate.tracking import PERSON_LABEL, detections_from, score_tracks, track_frames
from pipelines.evaluate.verification import impostor_quantiles
from pipelines.families import SearchOptions
from vision.runtime import RuntimeOptions
from vision.sources import FrameSource
from vision.track.base import Tracker
from vision.track.bytetrack import ByteTrack
from vision.track.ocsort import OcSort
from vision.types import Detections, Frame, Image
from vision.video import open_source
from weights.store import WeightStore

_MANY = 100_000
_DEFAULT_TRACKERS: Mapping[TrackerName, Callable[[], Tracker]] = MappingProxyType(
    {"oc-sort": OcSort, "bytetrack": ByteTrack}
)
"""For detections of a file, which come from no detector we know: as their papers set them."""


@dataclass(frozen=True, slots=True)
class Models:
    """Where the models come from and how they run."""

    store: WeightStore
    runtime: RuntimeOptions

    def named(self, **roles: str) -> list[dict[str, str]]:
        """Role, id and SHA-256 of each model that took part."""
        return [
            {"role": role, "id": model_id, "sha256": self.store.catalog.get(model_id).sha256}
            for role, model_id in roles.items()
        ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command has to say.

    Attributes:
        document: JSON values.
        problems: how many inputs failed; each was reported to the `Progress`.
        report: makes the report's body out of the document; None where there is none.
    """

    document: dict[str, Any]
    problems: int
    report: Callable[[Mapping[str, Any]], ReportBody] | None = None


@dataclass(frozen=True, slots=True)
class FacesRequest:
    """`aiqyn evaluate faces`.

    Attributes:
        images: folder of the pictures, one sub-folder per person.
        pairs: CSV of the protocol; None to measure impostor quantiles alone, over all pictures.
        embedder: catalogue id.
        face_detector: catalogue id.
        quantiles: whether to tell the similarity strangers reach at falling false match rates.
    """

    images: Path
    pairs: Path | None
    embedder: str
    face_detector: str
    quantiles: bool = False


def run_faces(models: Models, request: FacesRequest, progress: Progress) -> Outcome:
    """Measures an embedder.

    Raises:
        EvaluationError: data that cannot be used.
        ConfigError, WeightsError, ModelError: the models cannot be had.
    """
    pairs = read_pairs(request.pairs) if request.pairs else None
    images = pairs.images if pairs else list_faces(request.images)
    if not any((request.images / name).is_file() for name in images):
        raise EvaluationError(
            f"{request.images}: holds none of the {len(images)} pictures, such as {images[0]}"
        )
    detector = build_face_detector(models.store, request.face_detector, models.runtime)
    embedder = build_embedder(models.store, request.embedder, models.runtime)
    progress.begin("faces", len(images))
    faces = embed_images(request.images, images, detector, embedder, progress)
    document: dict[str, Any] = {}
    if pairs:
        score = asdict(score_faces(pairs, faces))
        document |= score.pop("verification") | score | {"pairs": len(pairs)}
    if request.quantiles:
        tail = compare_everyone(faces, images)
        quantiles = [asdict(quantile) for quantile in impostor_quantiles(tail)]
        document |= {"impostor_pairs": tail.impostor_pairs, "impostor_quantiles": quantiles}
    document |= _about_faces(faces, len(images)) | {
        "models": models.named(face_detector=request.face_detector, embedder=request.embedder)
    }
    matter = FacesMatter(request.images, tuple(images), faces, pairs)
    return Outcome(document, len(faces.problems), partial(faces_body, matter))


def _about_faces(faces: FaceSet, images: int) -> dict[str, Any]:
    embedded = int(faces.found.sum())
    return {
        "images": images,
        "undetected": len(faces.undetected),
        "unreadable": len(faces.problems),
        "detect_ms_per_image": _ms(faces.detect_seconds, images - len(faces.problems)),
        "embed_ms_per_face": _ms(faces.embed_seconds, embedded),
    }


@dataclass(frozen=True, slots=True)
class DetectionRequest:
    """`aiqyn evaluate detection`.

    Attributes:
        images: folder of the pictures.
        labels: folder or file, as the format wants it.
        label_format: of the labels.
        detector: catalogue id; of a face detector for `wider-json`.
        min_size_px: ground truth smaller than this is ignored with its matches.
    """

    images: Path
    labels: Path
    label_format: LabelFormat
    detector: str
    min_size_px: float = 0.0


def run_detection(models: Models, request: DetectionRequest, progress: Progress) -> Outcome:
    """Measures a detector.

    Raises:
        EvaluationError: data that cannot be used.
        MissingExtraError: pycocotools is not installed.
        ConfigError, WeightsError, ModelError: the model cannot be had, or finds no faces where faces are wanted.
    """
    labelled = read_labels(request.images, request.labels, request.label_format)
    task = models.store.catalog.get(request.detector).task
    if request.label_format == "wider-json" and task != "face":
        raise ConfigError(f"wider-json scores faces, and {request.detector!r} is for the task {task}")
    examinee = (
        face_examinee(models, request.detector)
        if task == "face"
        else object_examinee(models, request.detector)
    )
    progress.begin("pictures", len(labelled))
    done = detect_all(labelled, examinee, progress)
    score = score_detections(done.images, examinee.labels, examinee.min_confidence, request.min_size_px)
    document = asdict(score) | {
        "unreadable": len(done.problems),
        "min_size_px": request.min_size_px,
        "detect_ms_per_image": _ms(done.detect_seconds, len(done.images)),
        "models": models.named(detector=request.detector),
    }
    matter = DetectionMatter(done, examinee.labels, examinee.min_confidence, request.min_size_px)
    return Outcome(document, len(done.problems), partial(detection_body, matter))


def object_examinee(models: Models, detector_id: str) -> Examinee:
    """An object detector of the catalogue, ready to be examined; raises what `build_detector` raises."""
    usual = build_detector(models.store, detector_id, models.runtime)
    search = SearchOptions(LOWEST_CONFIDENCE, max_found=_MANY)
    lowered = build_detector(models.store, detector_id, models.runtime, search)
    return Examinee(lowered.detect, lowered.labels, usual.min_confidence)


def face_examinee(models: Models, detector_id: str) -> Examinee:
    """A face detector of the catalogue, ready to be examined; raises what `build_face_detector` raises."""
    usual = build_face_detector(models.store, detector_id, models.runtime)
    search = SearchOptions(LOWEST_FACE_CONFIDENCE, max_found=_MANY)
    lowered = build_face_detector(models.store, detector_id, models.runtime, search)

    def detect(image: Image) -> Detections:
        return lowered.detect(image).as_detections()

    return Examinee(detect, ("face",), usual.min_confidence)


@dataclass(frozen=True, slots=True)
class TrackingRequest:
    """`aiqyn evaluate tracking`.

    Attributes:
        video: file or folder of pictures.
        ground_truth: `gt.txt` or its sequence folder.
        scale: width of the video over width of the ground truth's pictures.
        detector: catalogue id.
        tracker: which.
        detections: MOTChallenge `det.txt` in the video's pixels, used instead of the detector.
    """

    video: Path
    ground_truth: Path
    scale: float
    detector: str
    tracker: TrackerName
    detections: Path | None = None


def run_tracking(models: Models, request: TrackingRequest, progress: Progress) -> Outcome:
    """Measures a tracker on the detections of a model or a file, persons only.

    Raises:
        EvaluationError: data that cannot be used.
        MissingExtraError: TrackEval is not installed.
        SourceOpenError, SourceDecodeError: the video cannot be read.
        ConfigError, WeightsError, ModelError: the model cannot be had.
    """
    if not (math.isfinite(request.scale) and request.scale > 0):
        raise EvaluationError(f"the scale must be above 0, got {request.scale}")
    ground_truth = read_ground_truth(request.ground_truth).scaled(request.scale)
    find, tracker = _find_people(models, request)
    with open_source(request.video) as source:
        progress.begin("frames", int(ground_truth.frame.max()))
        video = track_frames(_counted(source, progress), find, tracker)
        lost = [f"{source.location}: {problem}" for problem in source.problems]
        frames = max(source.read_count, video.frames)
    lost += _beyond(ground_truth, frames, request.video)
    for problem in lost:
        progress.problem(problem)
    score = score_tracks(ground_truth, video.tracks, frames)
    used = {} if request.detections else {"detector": request.detector}
    document = asdict(score) | {
        "video_frames": frames,
        "tracker": request.tracker,
        "update_ms": video.update_ms,
        "models": models.named(**used),
    }
    matter = TrackingMatter(request.video, ground_truth, video.tracks, frames)
    return Outcome(document, len(lost), partial(tracking_body, matter))


def _find_people(models: Models, request: TrackingRequest) -> tuple[Callable[[Frame], Detections], Tracker]:
    if request.detections:
        found = read_mot(request.detections)
        return detections_from(found, int(found.frame.max(initial=0))), _DEFAULT_TRACKERS[request.tracker]()
    detector = build_detector(models.store, request.detector, models.runtime)
    if PERSON_LABEL not in detector.labels:
        raise ConfigError(f"{request.detector!r} does not find persons")
    person = detector.labels.index(PERSON_LABEL)

    def find(frame: Frame) -> Detections:
        detections = detector.detect(frame.image)
        return detections[detections.class_id == person]

    return find, tracker_factory(request.tracker, detector.min_confidence)()


def _counted(source: FrameSource, progress: Progress) -> Iterator[Frame]:
    frames: Iterable[Frame] = source
    for frame in frames:
        yield frame
        progress.advance()


def _beyond(ground_truth: MotBoxes, frames: int, video: Path) -> list[str]:
    last = int(ground_truth.frame.max())
    if last <= frames:
        return []
    return [
        f"{video}: has {frames} frames, the ground truth goes on to {last}; what lies beyond counts as missed"
    ]


def _ms(seconds: float, count: int) -> float | None:
    return 1000.0 * seconds / count if count else None
