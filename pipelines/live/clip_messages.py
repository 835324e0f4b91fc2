"""What is asked and answered about clips: where the probe was while it was seen, and what was made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

RelativeXyxy: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the picture's width and height, so that a change of resolution harms nothing."""


@dataclass(frozen=True, slots=True)
class ClipLook:
    """Where the probe was at one moment.

    Attributes:
        pts_seconds: when, on the clock of the frames in the ring.
        xyxy: the probe's face box.
        others_xyxy: boxes of other faces that come near it.
    """

    pts_seconds: float
    xyxy: RelativeXyxy
    others_xyxy: tuple[RelativeXyxy, ...] = ()


@dataclass(frozen=True, slots=True)
class ClipWanted:
    """Matcher → supervisor → decoder: the stretch around a candidate; asked once it is over.

    Attributes:
        clip_id: chosen by whoever asks.
        began_pts_seconds: beginning, on the clock of the frames in the ring.
        ended_pts_seconds: end.
        looks: of the probe in that stretch, in order; between and beside them it is nobody's face.
    """

    camera_id: str
    clip_id: str
    began_pts_seconds: float
    ended_pts_seconds: float
    looks: tuple[ClipLook, ...]


@dataclass(frozen=True, slots=True)
class ClipPart:
    """One file made of the stretch; its bytes lie in a memfd beside the message, in the order of the parts.

    Attributes:
        kind: as the camera sent it, or redacted.
        media_type: of the file.
        width: pixels.
        height: pixels.
        first_pts_seconds: of its first picture, on the clock of the ring.
        seconds: how long it is.
        size_bytes: of the file.
    """

    kind: Literal["clip", "clip_redacted"]
    media_type: Literal["video/mp4", "video/x-matroska", "video/webm"]
    width: int
    height: int
    first_pts_seconds: float
    seconds: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ClipMade:
    """Decoder → supervisor → matcher: what was made; no part where `problem` says why."""

    camera_id: str
    clip_id: str
    parts: tuple[ClipPart, ...] = ()
    problem: str = ""
