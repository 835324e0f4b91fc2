"""Which class of `vision` reads which family of models: one table per task.

A new family is a new file in `vision`, its tests, a builder here and one line in a table. What a family
is fed follows from the catalogue's entry; for a model without one, from `Family.usual_input`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Generic, TypeVar

from pipelines.errors import ConfigError
from vision.detect.base import Detector
from vision.detect.detr import Detr, DetrOptions, is_rf_detr
from vision.detect.ultralytics import USUAL as ULTRALYTICS_OPTIONS
from vision.detect.ultralytics import Ultralytics
from vision.detect.yolo import Yolo, YoloOptions
from vision.detect.yolox import Yolox
from vision.errors import ModelError
from vision.face.base import Embedder, FaceDetector
from vision.face.centerface import CenterFace, CenterFaceOptions
from vision.face.embed import EmbedderOptions, FaceEmbedder
from vision.face.scrfd import Scrfd, ScrfdOptions
from vision.face.search import FaceSearchOptions
from vision.face.yunet import Yunet, YunetOptions
from vision.runtime import InferenceSession
from vision.types import ModelInput
from weights.spec import InputSpec

_BYTE = (1 / 255, 1 / 255, 1 / 255)
_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_SCALE = (1 / 58.395, 1 / 57.12, 1 / 57.375)
_ARCFACE_POINTS = (
    (38.7946, 52.1963),
    (74.0318, 52.0014),
    (56.5252, 72.2366),
    (42.0493, 92.8655),
    (71.2299, 92.7041),
)
"""ArcFace's alignment (arXiv:1801.07698) in a 112-pixel picture, half a pixel added: the published points
count from the middle of the first pixel, ours from its corner."""

Built = TypeVar("Built")
Wish = TypeVar("Wish")
FaceOptions = TypeVar("FaceOptions", bound=FaceSearchOptions)


@dataclass(frozen=True, slots=True)
class ModelParts:
    """One loaded model and what is known of it.

    Attributes:
        session: the model.
        wanted: how it is fed.
        labels: class names by the index the model uses; an empty name is an index it never means. Only
            object detectors need them.
    """

    session: InferenceSession
    wanted: InputSpec
    labels: tuple[str, ...] = ()

    @property
    def model_input(self) -> ModelInput:
        """What `vision` takes of `wanted`."""
        return model_input_of(self.wanted)


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What is asked of a detector of objects or faces; None is the family's own choice.

    Attributes:
        min_confidence: what is less sure is not reported.
        max_found: of more, the most confident are kept.
        long_side_px: pictures are searched at this size, where the model takes more than one.
    """

    min_confidence: float | None = None
    max_found: int | None = None
    long_side_px: int | None = None


@dataclass(frozen=True, slots=True)
class Family(Generic[Built, Wish]):
    """How models of one family are made ready.

    Attributes:
        build: model and wishes in, what `vision` offers for them out; ModelError, naming what does not
            fit, where the model is of another family.
        usual_input: how a model of the family is fed unless something says otherwise, from its own
            inputs and outputs.
    """

    build: Callable[[ModelParts, Wish], Built]
    usual_input: Callable[[InferenceSession], InputSpec]


def _yolo(parts: ModelParts, search: SearchOptions) -> Detector:
    wanted = parts.wanted
    options = replace(
        _yolo_options(search, YoloOptions()),
        long_side_px=search.long_side_px or 0,
        padding_value=wanted.padding_value,
        multiple_of_px=wanted.multiple_of_px,
    )
    return Yolo(parts.session, parts.model_input, parts.labels, options)


def _yolox(parts: ModelParts, search: SearchOptions) -> Detector:
    options = _yolo_options(search, YoloOptions(min_confidence=0.3))
    return Yolox(parts.session, parts.model_input, parts.labels, options)


def _ultralytics(parts: ModelParts, search: SearchOptions) -> Detector:
    options = replace(
        _yolo_options(search, ULTRALYTICS_OPTIONS),
        long_side_px=search.long_side_px or 0,
        multiple_of_px=parts.wanted.multiple_of_px,
    )
    return Ultralytics(parts.session, parts.model_input, parts.labels, options)


def _detr(parts: ModelParts, search: SearchOptions) -> Detector:
    usual = DetrOptions()
    options = DetrOptions(
        _chosen(search.min_confidence, usual.min_confidence), _chosen(search.max_found, usual.max_detections)
    )
    return Detr(parts.session, parts.model_input, parts.labels, options)


def _yolo_options(search: SearchOptions, usual: YoloOptions) -> YoloOptions:
    return replace(
        usual,
        min_confidence=_chosen(search.min_confidence, usual.min_confidence),
        max_detections=_chosen(search.max_found, usual.max_detections),
    )


def _centerface(parts: ModelParts, search: SearchOptions) -> FaceDetector:
    return CenterFace(parts.session, parts.model_input, _face_options(search, CenterFaceOptions()))


def _yunet(parts: ModelParts, search: SearchOptions) -> FaceDetector:
    return Yunet(parts.session, parts.model_input, _face_options(search, YunetOptions()))


def _scrfd(parts: ModelParts, search: SearchOptions) -> FaceDetector:
    return Scrfd(parts.session, parts.model_input, _face_options(search, ScrfdOptions()))


def _face_options(search: SearchOptions, usual: FaceOptions) -> FaceOptions:
    return replace(
        usual,
        min_confidence=_chosen(search.min_confidence, usual.min_confidence),
        max_faces=_chosen(search.max_found, usual.max_faces),
        max_long_side_px=_chosen(search.long_side_px, usual.max_long_side_px),
    )


def _embedding(parts: ModelParts, options: EmbedderOptions) -> Embedder:
    template = parts.wanted.landmarks_template
    if template is None:
        raise ModelError(
            "an embedder needs to be told where the five landmarks go: landmarks_template is missing"
        )
    return FaceEmbedder(parts.session, parts.model_input, template, options)


def _yolo_input(session: InferenceSession) -> InputSpec:
    fixed = _fixed_size_wh(session)
    multiple = 0 if fixed else 32
    return InputSpec(fixed or (416, 416), "rgb", scale=_BYTE, multiple_of_px=multiple, padding_value=127)


def _yolox_input(session: InferenceSession) -> InputSpec:
    return InputSpec(_fixed_size_wh(session) or (640, 640), "bgr", padding_value=114)


def _ultralytics_input(session: InferenceSession) -> InputSpec:
    fixed = _fixed_size_wh(session)
    multiple = 0 if fixed else 32
    return InputSpec(fixed or (640, 640), "rgb", scale=_BYTE, multiple_of_px=multiple, padding_value=114)


def _detr_input(session: InferenceSession) -> InputSpec:
    """An RF-DETR that leaves its size open gets none: each of its sizes is another model, blind at the others'."""
    fixed = _fixed_size_wh(session)
    if is_rf_detr(session):
        return InputSpec(fixed or (0, 0), "rgb", _IMAGENET_MEAN, _IMAGENET_SCALE)
    return InputSpec(fixed or (640, 640), "rgb", scale=_BYTE)


def _centerface_input(_: InferenceSession) -> InputSpec:
    return InputSpec((0, 0), "rgb", multiple_of_px=32)


def _yunet_input(_: InferenceSession) -> InputSpec:
    return InputSpec((0, 0), "bgr", multiple_of_px=32)


def _scrfd_input(_: InferenceSession) -> InputSpec:
    return InputSpec((0, 0), "rgb", (127.5,) * 3, (1 / 128,) * 3, multiple_of_px=32)


def _embedding_input(session: InferenceSession) -> InputSpec:
    half = (1 / 127.5,) * 3
    size_wh = _fixed_size_wh(session) or (112, 112)
    left_eye, right_eye, nose, left_mouth, right_mouth = (
        (x * size_wh[0] / 112, y * size_wh[1] / 112) for x, y in _ARCFACE_POINTS
    )
    points = (left_eye, right_eye, nose, left_mouth, right_mouth)
    return InputSpec(size_wh, "rgb", (127.5,) * 3, half, landmarks_template=points)


DETECTORS: Mapping[str, Family[Detector, SearchOptions]] = MappingProxyType(
    {
        "yolo": Family(_yolo, _yolo_input),
        "yolox": Family(_yolox, _yolox_input),
        "ultralytics": Family(_ultralytics, _ultralytics_input),
        "detr": Family(_detr, _detr_input),
    }
)
"""Task `detect`."""

FACE_DETECTORS: Mapping[str, Family[FaceDetector, SearchOptions]] = MappingProxyType(
    {
        "centerface": Family(_centerface, _centerface_input),
        "yunet": Family(_yunet, _yunet_input),
        "scrfd": Family(_scrfd, _scrfd_input),
    }
)
"""Task `face`."""

EMBEDDERS: Mapping[str, Family[Embedder, EmbedderOptions]] = MappingProxyType(
    {
        "embedding": Family(_embedding, _embedding_input),
    }
)
"""Task `embed`."""


def family_of(
    families: Mapping[str, Family[Built, Wish]], name: str, what: str = "the model"
) -> Family[Built, Wish]:
    """The family of that name.

    Args:
        families: one of the tables above.
        name: of the family.
        what: whose family it is, for the message.

    Raises:
        ConfigError: none of that table; the message names those there are.
    """
    if name not in families:
        raise ConfigError(f"{what} is of the family {name!r}; for its task there are: {', '.join(families)}")
    return families[name]


def model_input_of(wanted: InputSpec) -> ModelInput:
    """The catalogue's words for `vision`."""
    return ModelInput(wanted.size_wh, wanted.colour, wanted.mean, wanted.scale)


def _fixed_size_wh(session: InferenceSession) -> tuple[int, int] | None:
    """Width and height a model declares for the first of its inputs that is a picture; None where it takes any."""
    for info in session.inputs:
        if len(info.shape) == 4:
            height, width = info.shape[2:]
            return (width, height) if width and height else None
    return None


_Value = TypeVar("_Value", int, float)


def _chosen(wish: _Value | None, usual: _Value) -> _Value:
    return usual if wish is None else wish
