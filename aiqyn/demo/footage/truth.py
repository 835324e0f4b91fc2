"""What is really in the clip: the ground truth file, and what `render` hands back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from aiqyn.demo.footage.cast import Box, Landmarks
from aiqyn.demo.footage.errors import FootageError
from vision.types import Image

SCHEMA = "aiqyn.demo-truth/1"


@dataclass(frozen=True, slots=True)
class FaceTruth:
    """One face in one frame.

    Attributes:
        person_id: whose.
        xyxy: pixels of the clip; may reach beyond its edges.
        landmarks: five points, pixels of the clip, in the order of `vision.types.Faces`.
        visible: whether the face lies within the picture and behind nobody.
    """

    person_id: str
    xyxy: Box
    landmarks: Landmarks
    visible: bool


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """The faces of one frame, far to near."""

    frame_index: int
    pts_seconds: float
    faces: tuple[FaceTruth, ...]


@dataclass(frozen=True, slots=True)
class PersonTruth:
    """One depicted person: `subject_id` is None for those on no list."""

    person_id: str
    subject_id: str | None
    appears: bool


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """Who is where in the clip, and who is on the list."""

    width: int
    height: int
    fps: float
    persons: tuple[PersonTruth, ...]
    frames: tuple[FrameTruth, ...]

    def person_at(self, pts_seconds: float, xyxy: Box) -> str | None:
        """Whose face a box on the screen shows, or None where nobody's is.

        Args:
            pts_seconds: of the frame; the nearest frame of the clip is taken.
            xyxy: pixels of the clip.
        """
        frame = min(self.frames, key=lambda candidate: abs(candidate.pts_seconds - pts_seconds))
        best = max(frame.faces, key=lambda face: _iou(face.xyxy, xyxy), default=None)
        return best.person_id if best and _iou(best.xyxy, xyxy) > 0.3 else None

    def subject_of(self, person_id: str) -> str | None:
        """The list's entry for that person, or None."""
        return next((p.subject_id for p in self.persons if p.person_id == person_id), None)

    def write(self, path: Path) -> None:
        """Writes the file `read` reads."""
        document = {"schema": SCHEMA, **asdict(self)}
        path.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> GroundTruth:
        """The ground truth in a file.

        Raises:
            FootageError: it cannot be read, or is of another schema.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FootageError(f"{path}: the ground truth cannot be read: {error}") from error
        if not isinstance(document, dict) or document.pop("schema", None) != SCHEMA:
            raise FootageError(f"{path}: not a ground truth of schema {SCHEMA}")
        persons = tuple(PersonTruth(**person) for person in document.pop("persons"))
        frames = tuple(_frame(frame) for frame in document.pop("frames"))
        return cls(persons=persons, frames=frames, **document)


@dataclass(frozen=True, slots=True, repr=False)
class ControlSample:
    """A known non-match: a bystander's face, to be shown beside a listed person's reference.

    Attributes:
        image: (720, 1280, 3) uint8 BGR, the frame as the clip holds it.
        face_xyxy: pixels of the frame.
        landmarks: five points, pixels of the frame.
        frame_index: in the clip.
        pts_seconds: in the clip.
        person_id: whose face it is.
        subject_id: whom it is paired with.
        truth: what an attentive operator answers.
    """

    image: Image
    face_xyxy: Box
    landmarks: Landmarks
    frame_index: int
    pts_seconds: float
    person_id: str
    subject_id: str
    truth: Literal["different"] = "different"


@dataclass(frozen=True, slots=True, repr=False)
class Footage:
    """A rendered clip and all that belongs to it.

    Attributes:
        video: the clip, H.264 in MP4, 1280×720.
        references: one folder per listed person, named by subject id, with one picture each.
        ground_truth: the file `GroundTruth.read` reads.
        control: the candidate the server mixes in.
    """

    video: Path
    references: Path
    ground_truth: Path
    control: ControlSample


def _frame(document: dict[str, Any]) -> FrameTruth:
    faces = tuple(_face(face) for face in document["faces"])
    return FrameTruth(document["frame_index"], document["pts_seconds"], faces)


def _face(document: dict[str, Any]) -> FaceTruth:
    a, b, c, d, e = ((x, y) for x, y in document["landmarks"])
    x0, y0, x1, y1 = document["xyxy"]
    return FaceTruth(document["person_id"], (x0, y0, x1, y1), (a, b, c, d, e), document["visible"])


def _iou(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    overlap = width * height
    return overlap / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap)
