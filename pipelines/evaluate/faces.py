"""Pictures and pairs → how well an embedder tells people apart."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.intervals import Interval, clustered_share_interval
from pipelines.evaluate.progress import Progress
from pipelines.evaluate.verification import (
    Float64,
    PairTail,
    Verification,
    compare_all,
    true_accept_rate,
    verify_in_folds,
)
from vision.errors import ImageError
from vision.face.base import Embedder, FaceDetector
from vision.folder import files_below
from vision.images import IMAGE_SUFFIXES, read_image
from vision.types import Bool, Faces, Float32, Image, Int64

FALSE_MATCH_RATES = (1e-2, 1e-3)
_KEPT_SHARE = 0.1
_COLUMNS = ("image_a", "image_b", "same")
_TRUTHS = {"1": True, "0": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class FacePairs:
    """The pairs of a protocol, in its order.

    Attributes:
        images: every picture named, once, relative to the folder of pictures.
        first: (N,) int64, rows of `images`.
        second: (N,) int64, rows of `images`.
        same: (N,) whether a pair shows one person.
    """

    images: tuple[str, ...]
    first: Int64
    second: Int64
    same: Bool

    def __len__(self) -> int:
        return len(self.same)


@dataclass(frozen=True, slots=True, repr=False)
class FaceSet:
    """The central face of each picture.

    Attributes:
        embeddings: (N, D) float32 of unit length; a row of NaN where there is none.
        undetected: pictures without a face.
        problems: one line per picture that could not be read.
        detect_seconds: spent looking for faces.
        embed_seconds: spent on embeddings.
    """

    embeddings: Float32
    undetected: tuple[str, ...]
    problems: tuple[str, ...]
    detect_seconds: float
    embed_seconds: float

    @property
    def found(self) -> Bool:
        """(N,) whether there is a face."""
        return np.asarray(~np.isnan(self.embeddings).any(axis=1), np.bool_)


@dataclass(frozen=True, slots=True)
class FaceScore:
    """The figures of `aiqyn evaluate faces`.

    Attributes:
        verification: accuracy over the folds.
        tar_at_fmr: false match rate → share of the listed pairs of one person that are accepted at the
            similarity which that share of all cross-identity pairs of the pictures exceeds. A pair
            without a face is not accepted. None where there are too few impostor pairs for the rate.
        tar_at_fmr_all_pairs: the same over all pairs of pictures of one person, listed or not.
        threshold_at_fmr: the similarities behind both.
        impostor_pairs: cross-identity pairs compared.
        genuine_pairs: listed pairs of one person.
        undetected_pairs: pairs with a picture that gave no face; all are errors.
        tar_at_fmr_interval_95: of `tar_at_fmr` at that similarity: people drawn again, each with all pairs
            of theirs.
    """

    verification: Verification
    tar_at_fmr: dict[str, float | None]
    tar_at_fmr_all_pairs: dict[str, float | None]
    threshold_at_fmr: dict[str, float | None]
    impostor_pairs: int
    genuine_pairs: int
    undetected_pairs: int
    tar_at_fmr_interval_95: dict[str, Interval | None]


def read_pairs(path: Path) -> FacePairs:
    """The pairs of a CSV file with the columns image_a, image_b and same (1 or 0).

    Raises:
        EvaluationError: not readable, other columns, no rows, or a value that is not one.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "is not a CSV file"
        raise EvaluationError(f"{path}: {reason}") from error
    if not rows:
        raise EvaluationError(f"{path}: holds no pairs")
    if missing := [name for name in _COLUMNS if name not in rows[0]]:
        raise EvaluationError(f"{path}: has no column {', '.join(missing)}; needs {', '.join(_COLUMNS)}")
    index: dict[str, int] = {}
    table = []
    for number, row in enumerate(rows, 2):
        if not row["image_a"] or not row["image_b"] or (row["same"] or "").strip().lower() not in _TRUTHS:
            raise EvaluationError(f"{path}:{number}: needs two pictures and same = 1 or 0")
        names = [row[name].strip() for name in ("image_a", "image_b")]
        table.append([index.setdefault(name, len(index)) for name in names])
    ends = np.array(table, np.int64)
    same = np.array([_TRUTHS[row["same"].strip().lower()] for row in rows])
    return FacePairs(tuple(index), ends[:, 0], ends[:, 1], same)


def list_faces(folder: Path) -> tuple[str, ...]:
    """Every picture in a folder and its sub-folders, relative to it, sorted.

    Raises:
        EvaluationError: no folder, or no pictures in it.
    """
    found = sorted(path.relative_to(folder).as_posix() for path in files_below(folder, IMAGE_SUFFIXES))
    if not found:
        raise EvaluationError(f"{folder}: holds no pictures")
    return tuple(found)


def identities(images: Sequence[str]) -> Int64:
    """(N,) who is in each picture: pictures in one folder are of one person."""
    names = [Path(image).parent.as_posix() for image in images]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def central_face(faces: Faces, image: Image) -> Faces:
    """The one face whose box lies nearest to the middle of the picture; no rows where there is none."""
    if not len(faces):
        return faces
    middle = np.array([image.shape[1], image.shape[0]]) / 2
    centres = (faces.xyxy[:, :2] + faces.xyxy[:, 2:]) / 2
    nearest = int(np.argmin(np.linalg.norm(centres - middle, axis=1)))
    return faces[np.array([nearest])]


@dataclass(slots=True)
class _Gathered:
    rows: list[Float32] = field(default_factory=list)
    undetected: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    detect_seconds: float = 0.0
    embed_seconds: float = 0.0


def embed_images(
    folder: Path,
    images: Iterable[str],
    detector: FaceDetector,
    embedder: Embedder,
    progress: Progress | None = None,
) -> FaceSet:
    """Finds and embeds the central face of every picture.

    Args:
        folder: the names are relative to it.
        images: names of pictures.
        detector: of faces.
        embedder: of faces.
        progress: told of every picture, and of every one that cannot be read.

    Returns:
        One row per picture, in order; broken ones are reported in it, not raised.
    """
    progress = progress or Progress()
    done = _Gathered()
    nothing = np.full(embedder.dimension, np.nan, np.float32)
    for name in images:
        try:
            row = _embed_one(folder / name, name, detector, embedder, done)
        except ImageError as error:
            row = None
            done.problems.append(str(error))
            progress.problem(str(error))
        done.rows.append(nothing if row is None else row)
        progress.advance()
    embeddings = np.stack(done.rows) if done.rows else np.empty((0, embedder.dimension), np.float32)
    return FaceSet(
        embeddings, tuple(done.undetected), tuple(done.problems), done.detect_seconds, done.embed_seconds
    )


def _embed_one(
    path: Path, name: str, detector: FaceDetector, embedder: Embedder, done: _Gathered
) -> Float32 | None:
    image = read_image(path)
    started = time.perf_counter()
    face = central_face(detector.detect(image), image)
    found = time.perf_counter()
    done.detect_seconds += found - started
    if not len(face):
        done.undetected.append(name)
        return None
    row: Float32 = embedder.embed(image, face.landmarks)[0]
    done.embed_seconds += time.perf_counter() - found
    return row


def compare_everyone(faces: FaceSet, images: Sequence[str]) -> PairTail:
    """Every face found against every other; who is who is said by the folders.

    Raises:
        EvaluationError: no face was found at all.
    """
    found = faces.found
    if not found.any():
        raise EvaluationError("not one face was found in these pictures")
    return compare_all(faces.embeddings[found], identities(images)[found], _KEPT_SHARE)


def score_faces(pairs: FacePairs, faces: FaceSet) -> FaceScore:
    """The figures.

    Args:
        pairs: the protocol.
        faces: of `pairs.images`, in that order.

    Returns:
        Accuracy over folds of 600 pairs, and true accepts at two false match rates.

    Raises:
        EvaluationError: no face was found at all.
    """
    tail = compare_everyone(faces, pairs.images)
    similarity = _pair_similarity(pairs, faces)
    thresholds = {f"{rate:g}": tail.threshold_at(rate) for rate in FALSE_MATCH_RATES}
    listed = similarity[pairs.same]
    return FaceScore(
        verification=verify_in_folds(similarity, pairs.same),
        tar_at_fmr={rate: true_accept_rate(listed, at) for rate, at in thresholds.items()},
        tar_at_fmr_all_pairs={rate: true_accept_rate(tail.genuine, at) for rate, at in thresholds.items()},
        threshold_at_fmr=thresholds,
        impostor_pairs=tail.impostor_pairs,
        genuine_pairs=len(listed),
        undetected_pairs=int(np.isnan(similarity).sum()),
        tar_at_fmr_interval_95={
            rate: _true_accept_interval(pairs, similarity, at) for rate, at in thresholds.items()
        },
    )


def _true_accept_interval(pairs: FacePairs, similarity: Float64, threshold: float | None) -> Interval | None:
    if threshold is None:
        return None
    person = identities(pairs.images)[pairs.first[pairs.same]]
    people = int(person.max(initial=-1)) + 1
    accepted = similarity[pairs.same] > threshold
    return clustered_share_interval(
        np.bincount(person[accepted], minlength=people), np.bincount(person, minlength=people)
    )


def _pair_similarity(pairs: FacePairs, faces: FaceSet) -> Float64:
    first, second = faces.embeddings[pairs.first], faces.embeddings[pairs.second]
    return np.asarray((first * second).sum(axis=1, dtype=np.float64))
