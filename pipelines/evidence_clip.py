"""A clip as it passes from whoever encodes it to whoever seals it; decoders load this, and nothing that seals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

MediaType: TypeAlias = Literal["video/mp4", "video/x-matroska", "video/webm"]


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of video, encoded.

    Attributes:
        content: a whole file.
        media_type: of that file.
        width: pixels.
        height: pixels.
        began_pts_seconds: its first picture's, on the source's clock.
        duration_seconds: from its first picture to the end of its last.
    """

    content: bytes = field(repr=False)
    media_type: MediaType
    width: int
    height: int
    began_pts_seconds: float
    duration_seconds: float
