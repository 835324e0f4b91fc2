"""Pictures of listed people → templates and portraits, and for each picture what became of it.

The perception half of enrolment: no database, no keys. Whoever calls it encrypts what it gives.

A folder of references has one sub-folder per subject, named by the subject's id, with any number of
pictures in it. A picture that lies directly in the folder is a subject of its own, named by the file
without its suffix. Hidden files and files with other suffixes than pictures have are passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from pipelines.errors import EnrolError
from pipelines.stages import Engines
from vision.errors import VisionError
from vision.face.align import PORTRAIT_EYES, portrait
from vision.face.quality import FaceQuality
from vision.folder import list_images, natural_key
from vision.identify.gallery import Gallery
from vision.images import decode_image, encode_jpeg
from vision.types import Faces, Float32, Image

PORTRAIT_SIZE_PX = 320

Outcome = Literal[
    "ok",
    "no_face",
    "several_faces",
    "unreadable",
    "duplicate",
    "shared_picture",
    "outlier",
    "conflict",
]
"""The last four say what the references of a list are to each other: see `pipelines.reference_check`."""

OTHER_FACES = "other_faces"
"""Note on a picture that shows somebody else as well, clearly smaller: see `_main_face`."""

_BACKGROUND_SIDE = 0.5
"""A face less than half as wide as the main one stands behind it and is nobody's reference."""

_SMALLER_SIDE = 0.75
"""A face less than three quarters as wide covers about half the area: clearly the smaller of two."""

_BACKGROUND_SIDE_AT_EDGE = 0.8
"""A face that the picture's edge cuts off is no subject either, unless it is nearly as large."""

_EDGE_SHARE = 0.02

_PORTRAIT_TOLERANCE = 0.125
"""Share of a portrait's side by which its eyes may seem to lie elsewhere to another detector: half their distance."""


@dataclass(frozen=True, slots=True, repr=False)
class Reference:
    """One enrolled picture.

    Attributes:
        subject_id: whose it is.
        name: the picture, relative to the folder it came from.
        embedding: (D,) float32, of unit length: biometric data, never printed.
        portrait_jpeg: the face upright, `PORTRAIT_SIZE_PX` square, encoded anew, without metadata.
        quality: of the face in the picture.
        picture_sha256: of the file, to know it again; empty where it came without one.
        other_faces: whether somebody else is in the picture, clearly smaller and aside.
    """

    subject_id: str
    name: str
    embedding: Float32
    portrait_jpeg: bytes
    quality: FaceQuality
    picture_sha256: str = ""
    other_faces: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not so good about it."""
        return self.quality.reasons + ((OTHER_FACES,) if self.other_faces else ())

    def __repr__(self) -> str:
        return f"Reference(dimension={len(self.embedding)})"


@dataclass(frozen=True, slots=True)
class PictureReport:
    """What became of one picture.

    Attributes:
        path: the file.
        subject_id: whose it was to be.
        outcome: `ok`, or why it was refused.
        message: one line that names the file and the reason; empty where all is well.
        notes: what is not so good about an accepted one.
    """

    path: Path
    subject_id: str
    outcome: Outcome
    message: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a folder gave.

    Attributes:
        references: the accepted pictures, by subject.
        reports: one per picture, in the order they were read.
        missing: subjects of whom no picture could be used, or whose folder holds none.
    """

    references: tuple[Reference, ...]
    reports: tuple[PictureReport, ...]
    missing: tuple[str, ...]

    @property
    def refused(self) -> tuple[PictureReport, ...]:
        """The reports of pictures that could not be used; copies of one that was are none of them."""
        return tuple(report for report in self.reports if report.outcome not in ("ok", "duplicate"))

    def gallery(self, dimension: int) -> Gallery:
        """The references as a list to search; empty where none was accepted."""
        if not self.references:
            return Gallery.empty(dimension)
        rows = np.stack([reference.embedding for reference in self.references])
        return Gallery(rows, [reference.subject_id for reference in self.references])


class _RefusedError(EnrolError):
    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome


def enrol_folder(
    folder: Path,
    engines: Engines,
    on_picture: Callable[[PictureReport], None] = lambda _: None,
    *,
    pass_over: Collection[str] = (),
) -> Enrolment:
    """Every picture of a folder of references.

    Args:
        folder: see the module's head.
        engines: the models the templates will be compared with.
        on_picture: told of each picture as it is done.
        pass_over: subjects whose pictures are not looked at.

    Returns:
        Templates, portraits and reports; one bad picture costs the others nothing.

    Raises:
        EnrolError: no such folder, or no picture in it.
    """
    pictures = [one for one in reference_pictures(folder) if one[0] not in pass_over]
    references: list[Reference] = []
    reports: list[PictureReport] = []
    for subject_id, path in pictures:
        report, reference = _enrol_file(subject_id, path, folder, engines)
        reports.append(report)
        if reference is not None:
            references.append(reference)
        on_picture(report)
    wanted = {subject_id for subject_id, _ in pictures} | set(_subject_folders(folder))
    missing = sorted(wanted - {reference.subject_id for reference in references} - set(pass_over))
    return Enrolment(tuple(references), tuple(reports), tuple(missing))


def reference_pictures(folder: Path) -> Iterator[tuple[str, Path]]:
    """Subject and file of every picture in a folder of references, in natural order of both.

    Raises:
        EnrolError: no such folder, or no picture in it.
    """
    if not folder.is_dir():
        reason = "is not a folder" if folder.exists() else "no such folder"
        raise EnrolError(f"{folder}: {reason}; references lie in one sub-folder per subject")
    found = [(path.stem, path) for path in list_images(folder)]
    for subject_id in _subject_folders(folder):
        found += [(subject_id, path) for path in list_images(folder / subject_id)]
    if not found:
        raise EnrolError(f"{folder}: holds no pictures; references lie in one sub-folder per subject")
    yield from found


def enrol_picture(data: bytes, subject_id: str, name: str, engines: Engines) -> Reference:
    """One picture, as a file's bytes.

    Raises:
        EnrolError: not a picture, too large, no face in it, or more than one; the message names it.
    """
    try:
        image = decode_image(data, name=name)
    except VisionError as error:
        raise _RefusedError("unreadable", str(error)) from error
    reference = enrol_image(image, subject_id, name, engines)
    return replace(reference, picture_sha256=hashlib.sha256(data).hexdigest())


def enrol_image(image: Image, subject_id: str, name: str, engines: Engines) -> Reference:
    """One decoded picture; as `enrol_picture`.

    Args:
        image: (H, W, 3) uint8 BGR.
        subject_id: whose it is.
        name: what the message calls it.
        engines: the models the template will be compared with.
    """
    faces = engines.face_detector.detect(image)
    main, other_faces = _main_face(faces, image, name)
    (quality,) = engines.measure_quality(image, main)
    (embedding,) = engines.embedder.embed(image, main.landmarks)
    picture = portrait(image, main.landmarks[0], PORTRAIT_SIZE_PX)
    return Reference(subject_id, name, embedding, encode_jpeg(picture), quality, other_faces=other_faces)


def enrol_portrait(portrait_image: Image, engines: Engines) -> Float32:
    """The template of a stored portrait, by whatever embedder is in use now.

    Args:
        portrait_image: (H, W, 3) uint8 BGR, as `vision.face.align.portrait` made it.
        engines: the models the template will be compared with.

    Returns:
        (D,) float32, of unit length.

    Raises:
        EnrolError: no face where a portrait has it.
        VisionError: a model failed.
    """
    faces = engines.face_detector.detect(portrait_image)
    side_px = portrait_image.shape[0]
    wanted = np.mean(PORTRAIT_EYES, axis=0) * side_px
    between_eyes = faces.landmarks[:, :2].mean(axis=1)
    apart = np.linalg.norm(between_eyes - wanted, axis=1)
    if not len(faces) or apart.min() > _PORTRAIT_TOLERANCE * side_px:
        raise EnrolError("no face found in the stored picture: enrol the entry again from its source")
    main = faces[np.array([int(np.argmin(apart))], np.int64)]
    (embedding,) = engines.embedder.embed(portrait_image, main.landmarks)
    return np.asarray(embedding, np.float32)


def _enrol_file(
    subject_id: str, path: Path, folder: Path, engines: Engines
) -> tuple[PictureReport, Reference | None]:
    try:
        reference = enrol_picture(_content(path), subject_id, str(path), engines)
    except _RefusedError as error:
        return PictureReport(path, subject_id, error.outcome, str(error)), None
    except VisionError as error:
        return PictureReport(path, subject_id, "unreadable", f"{path}: {error}"), None
    reference = replace(reference, name=str(path.relative_to(folder)))
    return PictureReport(path, subject_id, "ok", notes=reference.notes), reference


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise _RefusedError("unreadable", f"{path}: {reason}") from error


def _main_face(faces: Faces, image: Image, name: str) -> tuple[Faces, bool]:
    """The one face a picture shows, one row, and whether another one is to be told of.

    Faces far behind or cut off at the edge are nobody's. Beside those, another face is borne, and told, where
    nobody could mean it: the main face covers the picture's middle and every other covers about half its area or
    less. Any other company refuses the picture: somebody else's reference is worse than one less.
    """
    if not len(faces):
        raise _RefusedError(
            "no_face", f"{name}: no face found; use a picture of one person facing the camera"
        )
    sides = np.sqrt(np.prod(faces.xyxy[:, 2:] - faces.xyxy[:, :2], axis=1))
    main = int(np.argmax(sides))
    height, width = image.shape[:2]
    margin = _EDGE_SHARE * max(height, width)
    at_edge = (faces.xyxy[:, :2] <= margin).any(axis=1)
    at_edge |= (faces.xyxy[:, 2:] >= np.array([width, height]) - margin).any(axis=1)
    limit = np.where(at_edge, _BACKGROUND_SIDE_AT_EDGE, _BACKGROUND_SIDE)
    visible = sides >= limit * sides[main]
    others = visible & (np.arange(len(faces)) != main)
    middle = np.array([width, height]) / 2
    covers = bool((faces.xyxy[main, :2] <= middle).all() and (faces.xyxy[main, 2:] >= middle).all())
    if others.any() and not (covers and (sides[others] < _SMALLER_SIDE * sides[main]).all()):
        found = int(np.count_nonzero(visible))
        raise _RefusedError(
            "several_faces", f"{name}: {found} faces found; crop it to the one person it stands for"
        )
    return faces[np.array([main], np.int64)], bool(others.any())


def _subject_folders(folder: Path) -> list[str]:
    names = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(names, key=lambda name: (natural_key(name), name))
