"""Encoded video as bytes, whole and mutilated."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from tests.builders import plain
from vision.types import Image

Fate = Callable[[int, bytes], bytes | None]
"""What becomes of a packet's bytes, by its number; None: it is lost."""


def filmed(
    images: Sequence[Image],
    *,
    codec: str = "libx264",
    container: str = "mpegts",
    group: int = 10,
    b_frames: int = 0,
    pixel_format: str = "yuv420p",
) -> bytes:
    """A video of these pictures, 25 a second, a key frame every `group`."""
    options = {"g": str(group)}
    if codec == "libx264":
        options |= {
            "bf": str(b_frames),
            "sc_threshold": "0",
            "preset": "veryfast" if b_frames else "ultrafast",
        }
    options |= {"x265-params": f"log-level=none:bframes=0:keyint={group}"} if codec == "libx265" else {}
    target = io.BytesIO()
    with av.open(target, "w", format=container) as output:
        stream = output.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = images[0].shape[1], images[0].shape[0], pixel_format
        if codec not in ("libx264", "libx265"):
            stream.bit_rate = 8_000_000
        for image in images:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        output.mux(stream.encode())
    return target.getvalue()


def with_fates(video: bytes, fate: Fate, *, container: str = "mpegts") -> bytes:
    """The video with its packets changed or left out."""
    target = io.BytesIO()
    with av.open(io.BytesIO(video), "r") as source, av.open(target, "w", format=container) as output:
        stream = source.streams.video[0]
        copy = output.add_stream_from_template(stream, opaque=True)
        for number, packet in enumerate(source.demux(stream)):
            data = fate(number, bytes(packet)) if packet.size else None
            if data is None:
                continue
            changed = Packet(data)
            changed.stream, changed.time_base = copy, packet.time_base
            changed.pts, changed.dts, changed.is_keyframe = packet.pts, packet.dts, packet.is_keyframe
            output.mux(changed)
    return target.getvalue()


def moving(count: int, size_wh: tuple[int, int] = (160, 120)) -> list[Image]:
    """A square that moves over a textured wall: what a decoder that lost something gets visibly wrong."""
    random = np.random.default_rng(0)
    wall = random.integers(40, 200, (size_wh[1] // 8, size_wh[0] // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    images = []
    for index in range(count):
        image = wall.copy()
        left = 3 * index % (size_wh[0] - 40)
        image[20:60, left : left + 40] = (0, 0, 255)
        images.append(image)
    return images


def shades(count: int, size_wh: tuple[int, int] = (96, 64)) -> list[Image]:
    """Plain pictures, each lighter than the one before."""
    return [plain(size_wh, (10 + 4 * index,) * 3) for index in range(count)]


def sound(seconds: int = 1, images: Sequence[Image] = ()) -> bytes:
    """Silence in a transport stream; these pictures beside it at its beginning, where there are any."""
    target = io.BytesIO()
    with av.open(target, "w", format="mpegts") as output:
        video = output.add_stream("mpeg2video", rate=25) if images else None
        audio = output.add_stream("aac", rate=44_100)
        if isinstance(video, VideoStream):
            video.width, video.height, video.pix_fmt = images[0].shape[1], images[0].shape[0], "yuv420p"
            for image in images:
                output.mux(video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            output.mux(video.encode())
        for index in range(43 * seconds):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((2, 1024), np.float32), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts = 44_100, 1024 * index
            output.mux(audio.encode(frame))
        output.mux(audio.encode())
    return target.getvalue()
