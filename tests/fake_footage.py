"""Painted people as a real video file, without a colour lost, for the fakes of `tests.fake_engine`; bad files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tests.fake_engine import Painted, paint, square

Shot = Sequence[Painted]
"""Who is in one frame."""


def write_video(path: Path, shots: Sequence[Shot], fps: int = 10, scenes: Sequence[int] = ()) -> Path:
    """Writes one frame per shot; `scenes` gives each a background, the plain wall where it is shorter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=fps)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "bgr0"
        for index, people in enumerate(shots):
            image = paint(people, scene=scenes[index] if index < len(scenes) else 0)
            frame = VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_reference(folder: Path, subject_id: str, person: int) -> Path:
    """Writes a reference picture of somebody into a folder of references."""
    path = folder / subject_id / "1.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), paint([Painted(person, square(120, 80, 60))]))
    return path


def standing(person: int, x: int = 100, y: int = 60) -> Painted:
    """Somebody who stands still."""
    return Painted(person, square(x, y))


def huge_png() -> bytes:
    """A picture of 20,000 × 20,000 pixels in a few bytes: its header and nothing behind it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
