"""A model under test as its family reads it: pictures in, what it found in words and its raw outputs out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.families import DETECTORS, EMBEDDERS, FACE_DETECTORS, ModelParts, SearchOptions
from pipelines.model_pictures import flat, noise, painted_face, street
from vision.errors import ModelError
from vision.face.embed import EmbedderOptions
from vision.runtime import InferenceSession, RuntimeOptions, Tensor
from vision.types import Image
from weights.spec import Task

PICTURE_SIZES_WH = ((640, 480), (352, 288))
"""Two, so that a model which claims to take any size is tried on more than one."""


class RecordingSession(InferenceSession):
    """A session that remembers its last call.

    Attributes:
        given: inputs of the last call.
        found: its outputs.
    """

    def __init__(self, model: bytes) -> None:
        """As `InferenceSession`, on the processor: the limits of a test would not fit a graphics card."""
        super().__init__(model, RuntimeOptions(("CPUExecutionProvider",)))
        self.given: Mapping[str, Tensor] = {}
        self.found: list[Tensor] = []

    def run(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """As `InferenceSession.run`; values that are not finite are refused.

        Raises:
            ModelError: also for outputs that are not finite.
        """
        outputs = super().run(inputs)
        self.given, self.found = inputs, outputs
        for info, output in zip(self.outputs, outputs, strict=True):
            if output.dtype.kind == "f" and not np.isfinite(output).all():
                raise ModelError(
                    f"the output {info.name!r} holds values that are not finite (NaN or infinity)"
                )
        return outputs


@dataclass(frozen=True, slots=True)
class Examinee:
    """What the tests need of any model.

    Attributes:
        session: the model.
        see: shows it one picture; returns what it found, in words, and how many.
        pictures: by name; the last one is the painted one.
        dimension: length of an embedding; 0 otherwise.
    """

    session: RecordingSession
    see: Callable[[Image], Mapping[str, int]]
    pictures: Mapping[str, Image]
    dimension: int


def examinee_of(task: Task, family: str, parts: ModelParts, session: RecordingSession) -> Examinee:
    """The model read as its family.

    Raises:
        ModelError: it is of another family; the message says what does not fit.
    """
    if task == "embed":
        return _embedder(family, parts, session)
    return _detector(family, parts, session) if task == "detect" else _face_detector(family, parts, session)


def _detector(family: str, parts: ModelParts, session: RecordingSession) -> Examinee:
    detector = DETECTORS[family].build(parts, SearchOptions())

    def see(image: Image) -> Mapping[str, int]:
        found = detector.detect(image)
        return Counter(detector.labels[index] for index in found.class_id)

    return Examinee(session, see, _pictures(), 0)


def _face_detector(family: str, parts: ModelParts, session: RecordingSession) -> Examinee:
    detector = FACE_DETECTORS[family].build(parts, SearchOptions())

    def see(image: Image) -> Mapping[str, int]:
        return {"face": len(detector.detect(image))}

    return Examinee(session, see, _pictures(), 0)


def _embedder(family: str, parts: ModelParts, session: RecordingSession) -> Examinee:
    embedder = EMBEDDERS[family].build(parts, EmbedderOptions())
    landmarks = np.array([parts.wanted.landmarks_template], np.float32)

    def see(image: Image) -> Mapping[str, int]:
        embedder.embed(image, landmarks)
        return {}

    side = parts.wanted.size_wh[0]
    pictures = {
        "noise": noise((side, side)),
        "black": flat((side, side), 0),
        "white": flat((side, side), 255),
        "a painted face": painted_face(side, 1),
        "another painted face": painted_face(side, 2),
    }
    return Examinee(session, see, pictures, embedder.dimension)


def _pictures() -> Mapping[str, Image]:
    first, second = PICTURE_SIZES_WH
    return {
        "noise": noise(first),
        "black": flat(first, 0),
        "white": flat(first, 255),
        "a smaller painted street": street(second),
        "a painted street": street(first),
    }
