"""Painted people as a real video file, without a colour lost, for the fakes of `tests.fake_engine`."""

from __future__ import annotations

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
