"""Pictures of listed people → templates and portraits, and for each picture what became of it.

The perception half of enrolment: no database, no keys. Whoever calls it encrypts what it gives.

A folder of references has one sub-folder per subject, named by the subject's id, with any number of
pictures in it. A picture that lies directly in the folder is a subject of its own, named by the file
without its suffix. Hidden files and files with other suffixes than pictures have are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pipelines.errors import EnrolError
from pipelines.stages import Engines
from vision.errors import VisionError
from vision.face.align import portrait
from vision.face.quality import FaceQuality
from vision.folder import list_images, natural_key
from vision.identify.gallery import Gallery
from vision.images import decode_image, encode_jpeg, read_image
from vision.types import Faces, Float32, Image

PORTRAIT_SIZE_PX = 320

Outcome = Literal["ok", "no_face", "several_faces", "unreadable"]

_BACKGROUND_SIDE = 0.5
"""A face less than half as wide as the main one stands behind it and is nobody's reference."""

_BACKGROUND_SIDE_AT_EDGE = 0.8
"""A face that the picture's edge cuts off is no subject either, unless it is nearly as large."""

_EDGE_SHARE = 0.02


@dataclass(frozen=True, slots=True, repr=False)
class Reference:
    """One enrolled picture.

    Attributes:
        subject_id: whose it is.
        name: the picture, relative to the folder it came from.
        embedding: (D,) float32, of unit length: biometric data, never printed.
        portrait_jpeg: the face upright, `PORTRAIT_SIZE_PX` square, encoded anew, without metadata.
        quality: of the face in the picture.
    """

    subject_id: str
    name: str
    embedding: Float32
    portrait_jpeg: bytes
    quality: FaceQuality

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
        """The reports of pictures that could not be used."""
        return tuple(report for report in self.reports if report.outcome != "ok")

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
    folder: Path, engines: Engines, on_picture: Callable[[PictureReport], None] = lambda _: None
) -> Enrolment:
    """Every picture of a folder of references.

    Args:
        folder: see the module's head.
        engines: the models the templates will be compared with.
        on_picture: told of each picture as it is done.

    Returns:
        Templates, portraits and reports; one bad picture costs the others nothing.

    Raises:
        EnrolError: no such folder, or no picture in it.
    """
    pictures = list(reference_pictures(folder))
    references: list[Reference] = []
    reports: list[PictureReport] = []
    for subject_id, path in pictures:
        report, reference = _enrol_file(subject_id, path, folder, engines)
        reports.append(report)
        if reference is not None:
            references.append(reference)
        on_picture(report)
    wanted = {subject_id for subject_id, _ in pictures} | set(_subject_folders(folder))
    missing = sorted(wanted - {reference.subject_id for reference in references})
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
    return enrol_image(image, subject_id, name, engines)


def enrol_image(image: Image, subject_id: str, name: str, engines: Engines) -> Reference:
    """One decoded picture; as `enrol_picture`.

    Args:
        image: (H, W, 3) uint8 BGR.
        subject_id: whose it is.
        name: what the message calls it.
        engines: the models the template will be compared with.
    """
    faces = engines.face_detector.detect(image)
    main = _main_face(faces, image, name)
    (quality,) = engines.measure_quality(image, main)
    (embedding,) = engines.embedder.embed(image, main.landmarks)
    picture = portrait(image, main.landmarks[0], PORTRAIT_SIZE_PX)
    return Reference(subject_id, name, embedding, encode_jpeg(picture), quality)


def _enrol_file(
    subject_id: str, path: Path, folder: Path, engines: Engines
) -> tuple[PictureReport, Reference | None]:
    try:
        image = read_image(path)
    except VisionError as error:
        return PictureReport(path, subject_id, "unreadable", str(error)), None
    try:
        reference = enrol_image(image, subject_id, str(path), engines)
    except _RefusedError as error:
        return PictureReport(path, subject_id, error.outcome, str(error)), None
    except VisionError as error:
        return PictureReport(path, subject_id, "unreadable", f"{path}: {error}"), None
    relative = Reference(
        subject_id,
        str(path.relative_to(folder)),
        reference.embedding,
        reference.portrait_jpeg,
        reference.quality,
    )
    return PictureReport(path, subject_id, "ok", notes=reference.quality.reasons), relative


def _main_face(faces: Faces, image: Image, name: str) -> Faces:
    """The one face a picture shows, one row; bystanders far behind or cut off at the edge aside."""
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
    subjects = int(np.count_nonzero(sides >= limit * sides[main]))
    if subjects > 1:
        raise _RefusedError(
            "several_faces", f"{name}: {subjects} faces found; crop it to the one person it stands for"
        )
    return faces[np.array([main], np.int64)]


def _subject_folders(folder: Path) -> list[str]:
    names = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(names, key=lambda name: (natural_key(name), name))
