"""Each model call beside the bare ONNX Runtime call under it: what preparing and reading add."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import onnxruntime

from bench.side_by_side import Comparison, compare
from pipelines.build import build_face_detector
from pipelines.families import DETECTORS, EMBEDDERS, FACE_DETECTORS, ModelParts, SearchOptions
from vision.face.embed import EmbedderOptions
from vision.images import decode_image
from vision.runtime import InferenceSession, RuntimeOptions, Tensor
from vision.types import Faces, Image
from weights.spec import ModelSpec
from weights.store import WeightStore

FRAME_WH = (1280, 720)
FACES = 8
"""In one call of an embedder: what a busy frame asks for."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One model's comparison.

    Attributes:
        model: catalogue id.
        task: of the model.
        shapes: of the inputs of the calls under it.
        figures: ours beside bare.
    """

    model: str
    task: str
    shapes: tuple[tuple[int, ...], ...]
    figures: Comparison


class RecordingSession(InferenceSession):
    """Keeps what the model was given, so that the bare call can be given the same."""

    def __init__(self, model: bytes) -> None:
        super().__init__(model, RuntimeOptions(intra_op_threads=1))
        self.fed: list[dict[str, Tensor]] = []
        self.recording = False

    def run(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """See `InferenceSession.run`."""
        if self.recording:
            self.fed.append({name: np.array(value) for name, value in inputs.items()})
        return super().run(inputs)


def measure(store: WeightStore, rounds: int, frame: Image) -> Iterator[ModelCall]:
    """Every pulled model of the catalogue in turn, on one picture.

    Args:
        store: where the weights lie.
        rounds: of each side.
        frame: (H, W, 3) uint8 BGR with faces in it.

    Raises:
        WeightsError: a file that is not the catalogue's.
    """
    faces = build_face_detector(store, "centerface").detect(frame)
    specs = [spec for task in ("detect", "face", "embed") for spec in store.catalog.of_task(task)]
    for spec in specs:
        if store.state(spec.id) == "ready":
            yield _measure_one(store, spec, rounds, frame, faces)


def _measure_one(store: WeightStore, spec: ModelSpec, rounds: int, frame: Image, faces: Faces) -> ModelCall:
    model = store.read(spec.id)
    session = RecordingSession(model)
    ours = _ours(session, spec, frame, faces)
    session.recording = True
    ours()
    session.recording = False
    raw = bare_session(model)
    figures = compare(ours, lambda: [raw.run(None, inputs) for inputs in session.fed], rounds)
    shapes = tuple(value.shape for inputs in session.fed for value in inputs.values())
    return ModelCall(spec.id, spec.task, shapes, figures)


def _ours(session: InferenceSession, spec: ModelSpec, frame: Image, faces: Faces) -> Callable[[], object]:
    assert spec.input is not None
    parts = ModelParts(session, spec.input, spec.labels)
    if spec.task == "embed":
        embedder = EMBEDDERS[spec.family].build(parts, EmbedderOptions())
        landmarks = np.resize(faces.landmarks, (FACES, 5, 2))
        return lambda: embedder.embed(frame, landmarks)
    families = FACE_DETECTORS if spec.task == "face" else DETECTORS
    detector = families[spec.family].build(parts, SearchOptions())
    return lambda: detector.detect(frame)


def bare_session(model: bytes) -> onnxruntime.InferenceSession:
    """The model in ONNX Runtime itself, on the CPU, set as `vision.runtime` sets it for one thread."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = 1
    settings.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])


def crowd(store: WeightStore) -> Image:
    """A frame of `FRAME_WH` tiled from the photographs of the catalogue: several faces of several sizes.

    Raises:
        WeightsError: they are not pulled.
    """
    pictures = [decode_image(store.read(spec.id), name=spec.id) for spec in store.catalog.of_task("pictures")]
    columns, rows = 4, 2
    tile_wh = (FRAME_WH[0] // columns, FRAME_WH[1] // rows)
    tiles = [_fill(pictures[i % len(pictures)], tile_wh) for i in range(columns * rows)]
    lines = [np.hstack(tiles[row * columns : (row + 1) * columns]) for row in range(rows)]
    return np.ascontiguousarray(np.vstack(lines))


def _fill(picture: Image, size_wh: tuple[int, int]) -> Image:
    """The picture's upper middle part, where faces are, in the shape of the tile."""
    height, width = picture.shape[:2]
    ratio = max(size_wh[0] / width, size_wh[1] / height)
    grown = cv2.resize(
        picture, (max(size_wh[0], round(width * ratio)), max(size_wh[1], round(height * ratio)))
    )
    left = (grown.shape[1] - size_wh[0]) // 2
    return np.asarray(grown[: size_wh[1], left : left + size_wh[0]], np.uint8)
