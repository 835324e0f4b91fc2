"""Pictures of an identification run → the central face's template, from the photograph or made like CCTV."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipelines.evaluate.degrade import Degradation, degrade, seed_of
from pipelines.evaluate.faces import central_face
from pipelines.evaluate.progress import Progress
from vision.errors import ImageError
from vision.face.base import Embedder, FaceDetector
from vision.images import read_image
from vision.types import Float32, Image


@dataclass(frozen=True, slots=True)
class FaceModels:
    """What finds and compares faces."""

    detector: FaceDetector
    embedder: Embedder


@dataclass(frozen=True, slots=True, repr=False)
class Looks:
    """The central face of each picture, by the picture's name. Held in memory, never written.

    Attributes:
        embeddings: (D,) float32 of unit length; pictures without a face are not in it.
        boxes: (4,) float32 xyxy pixels of the picture looked at.
        without_face: pictures in which none was found.
        detect_seconds: spent looking for faces.
        embed_seconds: spent on templates.
    """

    dimension: int
    embeddings: dict[str, Float32] = field(default_factory=dict)
    boxes: dict[str, Float32] = field(default_factory=dict)
    without_face: list[str] = field(default_factory=list)
    seconds: list[tuple[float, float]] = field(default_factory=list)

    @property
    def detect_seconds(self) -> float:
        """Spent looking for faces, all pictures together."""
        return sum(detect for detect, _ in self.seconds)

    @property
    def embed_seconds(self) -> float:
        """Spent on templates, all faces together."""
        return sum(embed for _, embed in self.seconds)

    def rows(self, names: Sequence[str]) -> Float32:
        """(N, D) templates in the order of the names; a row of NaN where there is none."""
        nothing = np.full(self.dimension, np.nan, np.float32)
        rows = [self.embeddings.get(name, nothing) for name in names]
        return np.stack(rows) if rows else np.empty((0, self.dimension), np.float32)

    def missing(self, names: Iterable[str]) -> int:
        """How many of the names gave no face."""
        return sum(name not in self.embeddings for name in names)


def readable(folder: Path, names: Sequence[str], progress: Progress) -> tuple[str, ...]:
    """The pictures that decode; the others are told of, one line each."""
    progress.begin("reading", len(names))
    good = []
    for name in names:
        try:
            read_image(folder / name)
        except ImageError as error:
            progress.problem(str(error))
        else:
            good.append(name)
        progress.advance()
    return tuple(good)


def look_at_photographs(folder: Path, names: Sequence[str], models: FaceModels, progress: Progress) -> Looks:
    """Finds and embeds the central face of every picture.

    Raises:
        ImageError: a picture that could be read a moment ago cannot be any more.
        ModelError: a model failed.
    """
    progress.begin("faces", len(names))
    looks = Looks(models.embedder.dimension)
    for name in names:
        _look(read_image(folder / name), name, models, looks)
        progress.advance()
    return looks


def look_at_cctv(
    folder: Path, photographs: Looks, how: Degradation, models: FaceModels, request: CctvRequest
) -> Looks:
    """The same for pictures degraded first; a photograph without a face has none here either.

    Args:
        folder: of the pictures.
        photographs: where each face was found.
        how: the pictures are degraded.
        models: of faces.
        request: which pictures, the seed, and who is told.
    """
    request.progress.begin(how.name, len(request.names))
    looks = Looks(models.embedder.dimension)
    for name in request.names:
        box = photographs.boxes.get(name)
        if box is None:
            looks.without_face.append(name)
        else:
            image = degrade(read_image(folder / name), box, how, seed_of(request.seed, name))
            _look(image, name, models, looks)
        request.progress.advance()
    return looks


@dataclass(frozen=True, slots=True)
class CctvRequest:
    """Which pictures are degraded, from which seed, and who is told."""

    names: tuple[str, ...]
    seed: int
    progress: Progress


def _look(image: Image, name: str, models: FaceModels, looks: Looks) -> None:
    started = time.perf_counter()
    face = central_face(models.detector.detect(image), image)
    found = time.perf_counter()
    if len(face):
        looks.embeddings[name] = models.embedder.embed(image, face.landmarks)[0]
        looks.boxes[name] = face.xyxy[0]
    else:
        looks.without_face.append(name)
    looks.seconds.append((found - started, time.perf_counter() - found if len(face) else 0.0))
