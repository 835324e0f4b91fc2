"""H.264 as a recorder would write it: constant quality, one key frame every two seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import av.error

from aiqyn.demo.footage.errors import FootageError
from vision.types import Image

_OPTIONS = {"crf": "27", "preset": "veryfast", "profile": "main"}


class Sink(Protocol):
    """Takes the pictures of a clip, in order."""

    def __call__(self, image: Image) -> None:
        """Adds one (H, W, 3) uint8 BGR picture."""


@contextmanager
def clip_writer(path: Path, size_wh: tuple[int, int], fps: Fraction) -> Iterator[Sink]:
    """A sink for the pictures of an MP4 file, which is complete when the context ends.

    Raises:
        FootageError: the file cannot be written, or this FFmpeg has no H.264 encoder.
    """
    try:
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("libx264", rate=fps, options=dict(_OPTIONS))
            stream.width, stream.height = size_wh
            stream.pix_fmt = "yuv420p"
            stream.gop_size = round(2 * fps)

            def add(image: Image) -> None:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))

            yield add
            container.mux(stream.encode(None))
    except (av.error.FFmpegError, OSError) as error:
        raise FootageError(f"{path}: the clip cannot be written ({error.strerror or error})") from error
