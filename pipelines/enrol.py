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

import numpy as np

from pipelines.errors import EnrolError
from pipelines.read_face import OTHER_FACES, Outcome, ReadFace, RefusedPictureError, read_face
from pipelines.stages import Engines
from vision.errors import VisionError
from vision.face.align import PORTRAIT_EYES
from vision.face.quality import FaceQuality
from vision.folder import list_images, natural_key
from vision.identify.gallery import Gallery
from vision.images import decode_image, encode_jpeg
from vision.types import Float32, Image

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
        raise RefusedPictureError("unreadable", str(error)) from error
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
    return reference_of(read_face(image, engines, name), subject_id, name)


def reference_of(face: ReadFace, subject_id: str, name: str, picture_sha256: str = "") -> Reference:
    """A face that was read as somebody's reference.

    Args:
        face: as it was read.
        subject_id: whose it is.
        name: what messages call the picture.
        picture_sha256: of the file; empty where it came without one.
    """
    jpeg = encode_jpeg(face.portrait)
    return Reference(
        subject_id, name, face.embedding, jpeg, face.quality, picture_sha256, other_faces=face.other_faces
    )


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
    except RefusedPictureError as error:
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
        raise RefusedPictureError("unreadable", f"{path}: {reason}") from error


def _subject_folders(folder: Path) -> list[str]:
    names = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(names, key=lambda name: (natural_key(name), name))
