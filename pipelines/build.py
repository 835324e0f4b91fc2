"""The only file that joins the catalogue, the weights and the concrete classes of `vision`.

store = WeightStore(config.paths.weights_dir, load_catalog(config.paths.weights_dir))
perception = build_perception(store, PerceptionOptions.of(config))
with CameraSession(perception.engines(), …) as session:
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self, TypeAlias

from pipelines.calibrations import EmbedderInUse, load_calibration
from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.events import ModelRef
from pipelines.families import (
    DETECTORS,
    EMBEDDERS,
    FACE_DETECTORS,
    Built,
    Family,
    ModelParts,
    SearchOptions,
    Wish,
    family_of,
)
from pipelines.stages import Engines
from pipelines.thread_budget import ThreadPlan
from vision.batching import BatchOptions, open_session
from vision.detect.base import Detector
from vision.errors import ModelError
from vision.face.base import Embedder, FaceDetector
from vision.face.embed import EmbedderOptions
from vision.face.quality import measure
from vision.face.sizes import LONG_SIDES_PX
from vision.identify.calibration import Calibration
from vision.runtime import InferenceSession, RuntimeOptions, RunWatch
from vision.track.base import Tracker
from vision.track.bytetrack import ByteTrack, ByteTrackOptions
from vision.track.ocsort import OcSort, OcSortOptions
from weights.spec import InputSpec, ModelSpec, Task
from weights.store import WeightStore

TrackerName: TypeAlias = Literal["oc-sort", "bytetrack"]
ModelRole: TypeAlias = Literal["detector", "face_detector", "embedder"]

FACE_CONFIRM_CONFIDENCE = 0.5
"""What the surest detection of a face needs before its track is reported: what the quality gate asks for too.
People and vehicles need what the tracker's options say."""


@dataclass(frozen=True, slots=True)
class PerceptionOptions:
    """Which models do what, and how they run.

    Attributes:
        detector: catalogue id; None where people and vehicles are not wanted.
        face_detector: catalogue id.
        embedder: catalogue id.
        tracker: for people and vehicles, and for faces.
        runtime: providers and threads of every model.
        calibration: a site's own file for the embedder; None for the shipped one.
        batches: how calls of several threads are joined; None: they are not.
        watch_of: makes what is entered around every call of a model, from the model's id; None: nobody measures.
    """

    detector: str | None = "yolov3-tiny"
    face_detector: str = "centerface"
    embedder: str = "mobilefacenet-faceplugin"
    tracker: TrackerName = "oc-sort"
    runtime: RuntimeOptions = field(default_factory=RuntimeOptions)
    calibration: Path | None = None
    batches: BatchOptions | None = None
    watch_of: Callable[[str], RunWatch] | None = None

    @classmethod
    def of(cls, config: Config, plan: ThreadPlan | None = None) -> Self:
        """What the settings file says.

        Args:
            config: the settings.
            plan: of a worker whose cameras share the models; None where one thread uses them.
        """
        intra_op_threads = plan.intra_op_threads if plan else config.worker.intra_op_threads
        return cls(
            config.models.detector,
            config.models.face_detector,
            config.models.embedder,
            config.tracking.tracker,
            RuntimeOptions(config.worker.providers, intra_op_threads),
            config.identification.calibration,
            BatchOptions(plan.max_batch, plan.batch_wait_seconds) if plan else None,
        )


@dataclass(frozen=True, slots=True)
class Perception:
    """Everything that sees, ready to run. Shared by sessions; the trackers are made per session.

    Attributes:
        detector: of people and vehicles, where one is wanted.
        face_detector: of faces, in a picture searched once: a reference, a photograph.
        embedder: of faces.
        embedder_id: its catalogue id.
        calibration: of the embedder.
        new_face_tracker: a fresh tracker for faces.
        new_object_tracker: a fresh tracker for people and vehicles.
        models: what every candidate names.
        preprocessing: how pictures become the models' inputs, in one line, for every candidate.
        providers: of ONNX Runtime, those really in use by all models.
        session_face_detector: the same model for sessions, which choose themselves how far a picture is
            shrunk; None: `face_detector` serves them too.
    """

    detector: Detector | None
    face_detector: FaceDetector
    embedder: Embedder
    embedder_id: str
    calibration: Calibration
    new_face_tracker: Callable[[], Tracker]
    new_object_tracker: Callable[[], Tracker]
    models: tuple[ModelRef, ...]
    preprocessing: str
    providers: tuple[str, ...]
    session_face_detector: FaceDetector | None = None

    def engines(self) -> Engines:
        """What a `CameraSession` is given."""
        return Engines(
            face_detector=self.session_face_detector or self.face_detector,
            embedder=self.embedder,
            embedder_id=self.embedder_id,
            calibration=self.calibration,
            measure_quality=measure,
            new_face_tracker=self.new_face_tracker,
            new_object_tracker=self.new_object_tracker,
            detector=self.detector,
        )


def build_perception(store: WeightStore, options: PerceptionOptions | None = None) -> Perception:
    """Loads the chosen models, verified, and joins them.

    Args:
        store: where the weights lie.
        options: None for the defaults.

    Raises:
        ConfigError: an id of another task, or of a family no class here reads; an embedder without calibration.
        WeightsError: an unknown id; a file that is missing or not the catalogue's.
        ModelError: a model that does not load, or a provider that cannot be used.
    """
    options = options or PerceptionOptions()
    opened = _open_all(store, options)
    detector = _build(DETECTORS, opened["detector"], SearchOptions()) if options.detector else None
    face_detector = _build(FACE_DETECTORS, opened["face_detector"], SearchOptions())
    embedder = _build(EMBEDDERS, opened["embedder"], EmbedderOptions())
    specs = [(role, each.spec) for role, each in opened.items()]
    return Perception(
        detector=detector,
        face_detector=face_detector,
        session_face_detector=_build(
            FACE_DETECTORS, opened["face_detector"], SearchOptions(long_side_px=LONG_SIDES_PX[-1])
        ),
        embedder=embedder,
        embedder_id=options.embedder,
        calibration=load_calibration(
            options.embedder, options.calibration, in_use=_in_use(opened["embedder"].spec)
        ),
        new_face_tracker=tracker_factory(
            options.tracker, face_detector.min_confidence, 1, FACE_CONFIRM_CONFIDENCE
        ),
        new_object_tracker=tracker_factory(options.tracker, detector.min_confidence if detector else 0.0),
        models=tuple(ModelRef(role=role, id=spec.id, sha256=spec.sha256) for role, spec in specs),
        preprocessing=" ".join(_preprocessing(role, spec) for role, spec in specs),
        providers=_in_use_by_all([each.session.providers for each in opened.values()]),
    )


def build_detector(
    store: WeightStore,
    detector_id: str,
    runtime: RuntimeOptions | None = None,
    search: SearchOptions | None = None,
) -> Detector:
    """One object detector.

    Args:
        store: where the weights lie.
        detector_id: in the catalogue.
        runtime: None for the defaults.
        search: what is searched and kept; None for the family's defaults. What fills the canvas and which
            sides the model takes is the catalogue's to say.

    Raises:
        ConfigError, WeightsError, ModelError: as `build_perception`.
    """
    return _build(DETECTORS, _open(store, detector_id, "detect", runtime), search or SearchOptions())


def build_face_detector(
    store: WeightStore,
    face_detector_id: str,
    runtime: RuntimeOptions | None = None,
    search: SearchOptions | None = None,
) -> FaceDetector:
    """One face detector; arguments and errors as `build_detector`."""
    return _build(FACE_DETECTORS, _open(store, face_detector_id, "face", runtime), search or SearchOptions())


def build_embedder(
    store: WeightStore,
    embedder_id: str,
    runtime: RuntimeOptions | None = None,
    options: EmbedderOptions | None = None,
) -> Embedder:
    """One embedder; arguments and errors as `build_detector`."""
    opened = _open(store, embedder_id, "embed", runtime)
    return _build(EMBEDDERS, opened, options or EmbedderOptions())


def embedder_in_use(store: WeightStore, embedder_id: str) -> EmbedderInUse:
    """What a calibration is measured with and held against: the embedder as `build_embedder` makes it.

    Raises:
        ConfigError, WeightsError: as `build_detector`.
    """
    return _in_use(store.catalog.get(embedder_id))


def tracker_factory(
    name: TrackerName,
    min_confidence: float,
    confirm_hits: int | None = None,
    confirm_confidence: float | None = None,
) -> Callable[[], Tracker]:
    """A function that makes a fresh tracker each time.

    Args:
        name: which.
        min_confidence: of the detector before it.
        confirm_hits: observations before a track is reported; None for the tracker's own. Faces are
            reported at once: a false one fails the quality gate, and a brief one has no look to lose.
        confirm_confidence: what the surest of them needs; None for the tracker's own.
    """
    if name == "bytetrack":
        usual = ByteTrackOptions()
        sure = usual.start_confidence if confirm_confidence is None else confirm_confidence
        byte = replace(
            usual,
            start_confidence=sure,
            strong_confidence=min(usual.strong_confidence, sure),
            min_confidence=min_confidence,
            confirm_hits=confirm_hits or usual.confirm_hits,
        )
        return lambda: ByteTrack(byte)
    options = OcSortOptions()
    sure = options.confirm_confidence if confirm_confidence is None else confirm_confidence
    options = replace(
        options,
        confirm_confidence=sure,
        strong_confidence=min(options.strong_confidence, sure),
        min_confidence=min(options.min_confidence, min_confidence),
        confirm_hits=confirm_hits or options.confirm_hits,
    )
    return lambda: OcSort(options)


@dataclass(frozen=True, slots=True)
class _Opened:
    spec: ModelSpec
    session: InferenceSession


def _open_all(store: WeightStore, options: PerceptionOptions) -> dict[ModelRole, _Opened]:
    wanted: list[tuple[ModelRole, str | None, Task]] = [
        ("detector", options.detector, "detect"),
        ("face_detector", options.face_detector, "face"),
        ("embedder", options.embedder, "embed"),
    ]
    opened: dict[ModelRole, _Opened] = {}
    for role, entry_id, task in wanted:
        if entry_id:
            runtime = options.runtime
            if options.watch_of is not None:
                runtime = replace(runtime, watch=options.watch_of(entry_id))
            opened[role] = _open(store, entry_id, task, runtime, options.batches)
    return opened


def _open(
    store: WeightStore,
    entry_id: str,
    task: Task,
    runtime: RuntimeOptions | None,
    batches: BatchOptions | None = None,
) -> _Opened:
    spec = store.catalog.get(entry_id)
    if spec.task != task:
        known = ", ".join(other.id for other in store.catalog.of_task(task))
        raise ConfigError(
            f"{entry_id!r} is for the task {spec.task}, not {task}; for that there are: {known}"
        )
    try:
        return _Opened(spec, open_session(store.read(spec.id), runtime or RuntimeOptions(), batches))
    except ModelError as error:
        raise ModelError(f"{spec.id}: {error}") from error


def _build(families: Mapping[str, Family[Built, Wish]], opened: _Opened, wish: Wish) -> Built:
    spec = opened.spec
    family = family_of(families, spec.family, repr(spec.id))
    try:
        return family.build(ModelParts(opened.session, _input_of(spec), spec.labels), wish)
    except ModelError as error:
        raise ModelError(f"{spec.id}: {error}") from error


def _input_of(spec: ModelSpec) -> InputSpec:
    if spec.input is None:
        raise ConfigError(f"the catalogue does not say what {spec.id!r} takes")
    return spec.input


def _in_use(spec: ModelSpec) -> EmbedderInUse:
    return EmbedderInUse(spec.id, spec.sha256, _preprocessing("embedder", spec))


def _preprocessing(role: str, spec: ModelSpec) -> str:
    """One model's input as `role:colour/size/mean/scale`, and the template's hash where faces are aligned."""
    wanted = _input_of(spec)
    width, height = wanted.size_wh
    parts = [
        wanted.colour,
        f"{width}x{height}" if width else "any-size",
        "mean=" + ",".join(f"{value:g}" for value in wanted.mean),
        "scale=" + ",".join(f"{value:.6g}" for value in wanted.scale),
    ]
    if wanted.landmarks_template:
        digest = hashlib.sha256(repr(wanted.landmarks_template).encode()).hexdigest()
        mirrored = "+mirrored" if EmbedderOptions().mirrored else ""
        parts.append(f"five-points={digest[:12]}{mirrored}")
    return f"{role}:{'/'.join(parts)}"


def _in_use_by_all(providers: list[tuple[str, ...]]) -> tuple[str, ...]:
    first, *others = providers
    return tuple(name for name in first if all(name in other for other in others))
