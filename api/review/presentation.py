"""What a judge is shown: one object, the same for every judge, real candidate or control.

Nothing in it depends on name, list, score, priority, on another's answer, or on whether it is a control.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

PictureKind = Literal["frame", "probe", "reference", "clip"]


@dataclass(frozen=True, slots=True)
class PictureSource:
    """Where a picture really lies; never leaves the server.

    Attributes:
        kind: what it shows: the redacted frame, the probe's portrait, a reference portrait, or the redacted clip.
        width: pixels.
        height: pixels.
        sealed: the evidence item of a frame, probe or clip, as JSON values.
        reference_id: of a reference portrait.
    """

    kind: PictureKind
    width: int
    height: int
    sealed: dict[str, Any] | None = None
    reference_id: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture or clip under the address it has in one review alone.

    Attributes:
        evidence_id: the address.
        source: where it really lies.
        shown_from: of a clip: who claims the review before this is not shown it, and nobody after her; None: always.
    """

    evidence_id: str
    source: PictureSource
    shown_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class LaterClip:
    """A clip that joins a review when it comes, or, of a control, when one would have come."""

    source: PictureSource
    shown_from: datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is shown about where and when, the same for a real candidate and a control.

    Attributes:
        camera_id: the camera.
        observed_at: aware, UTC; None when a file's start is unknown.
        pts_seconds: on the source's own clock.
        face_xyxy: the probe's box, pixels of the frame shown.
        face_size_px: square root of the face box's area, pixels.
        frame_accounting: what became of the source's frames so far, JSON values.
    """

    camera_id: str
    observed_at: datetime | None
    pts_seconds: float
    face_xyxy: tuple[float, float, float, float]
    face_size_px: float
    frame_accounting: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Presentation:
    """One review as every judge of it sees it."""

    review_id: str
    queued_at: datetime
    sighting: Sighting
    frame: Picture
    probe: Picture
    references: tuple[Picture, ...]
    clip: Picture | None = None

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All there is: frame, probe, references in order, and the clip."""
        return (self.frame, self.probe, *self.references, *((self.clip,) if self.clip else ()))


def present(
    review_id: str,
    queued_at: datetime,
    sighting: Sighting,
    sources: Sequence[PictureSource],
    new_id: Callable[[], str],
    clip: LaterClip | None = None,
) -> Presentation:
    """A presentation whose pictures have fresh random addresses.

    Args:
        review_id: random; tells nothing.
        queued_at: aware, UTC.
        sighting: where and when.
        sources: exactly one frame, one probe, and the references in order.
        new_id: gives an unguessable id at every call.
        clip: the redacted clip, where there is one that judges may see.

    Raises:
        ValueError: frame, probe or references are missing.
    """
    pictures = [Picture(new_id(), source) for source in sources]
    frames = [item for item in pictures if item.source.kind == "frame"]
    probes = [item for item in pictures if item.source.kind == "probe"]
    references = tuple(item for item in pictures if item.source.kind == "reference")
    if len(frames) != 1 or len(probes) != 1 or not references:
        raise ValueError("a review shows one frame, one probe and at least one reference")
    shown_clip = None if clip is None else Picture(new_id(), clip.source, clip.shown_from)
    return Presentation(review_id, queued_at, sighting, frames[0], probes[0], references, shown_clip)
