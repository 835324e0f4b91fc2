"""Footage for cameras that never end: a clip encoded once as H.264, its packets repeated for as long as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

KEY_FRAME_SECONDS = 1.0
"""What many cameras are set to; a viewer that comes late waits no longer for its first picture."""


def encoded(
    clip: Path, into: Path, *, size_wh: tuple[int, int], fps: int, begin_seconds: float = 0.0, seconds: float
) -> Path:
    """A stretch of a clip as a camera would send it: H.264 without B-frames, a key frame a second.

    Args:
        clip: footage of any kind.
        into: the MP4 to be written.
        size_wh: width and height it is scaled to.
        fps: pictures a second it is resampled to, by their time.
        begin_seconds: where the stretch begins, from the clip's first picture.
        seconds: how long it is.
    """
    with av.open(str(clip)) as source, av.open(str(into), "w") as target:
        stream = _camera_stream(target, size_wh, fps)
        first = None
        written = 0
        for frame in source.decode(video=0):
            first = frame.time if first is None else first
            at_seconds = (frame.time or 0.0) - (first or 0.0) - begin_seconds
            if at_seconds < 0:
                continue
            if at_seconds > seconds:
                break
            while written <= at_seconds * fps:
                shown = frame.reformat(*size_wh, format="yuv420p")
                shown.pts, shown.time_base = written, Fraction(1, fps)
                target.mux(stream.encode(shown))
                written += 1
        target.mux(stream.encode())
    return into


def _camera_stream(target: OutputContainer, size_wh: tuple[int, int], fps: int) -> VideoStream:
    stream = target.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "tune": "zerolatency"})
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = size_wh
    stream.pix_fmt = "yuv420p"
    stream.gop_size = max(1, round(KEY_FRAME_SECONDS * fps))
    return stream


def compiled(
    clip: Path, into: Path, stretches: Sequence[tuple[float, float]], *, size_wh: tuple[int, int], fps: int
) -> Path:
    """Stretches of a clip one after another, in any order and as often as wanted, as a camera would send them.

    Args:
        clip: footage of any kind; the pictures of its stretches are held in memory, once each.
        into: the MP4 to be written.
        stretches: begin and end of each, seconds from the clip's first picture.
        size_wh: width and height they are scaled to.
        fps: pictures a second they are resampled to, by their time.
    """
    pictures = _pictures(
        clip, {each for begin, end in stretches for each in _grid(begin, end, fps)}, size_wh, fps
    )
    with av.open(str(into), "w") as target:
        stream = _camera_stream(target, size_wh, fps)
        written = 0
        for begin, end in stretches:
            for number in _grid(begin, end, fps):
                shown = pictures[min(number, max(pictures))]
                shown.pts, shown.time_base = written, Fraction(1, fps)
                target.mux(stream.encode(shown))
                written += 1
        target.mux(stream.encode())
    return into


def _grid(begin_seconds: float, end_seconds: float, fps: int) -> range:
    return range(round(begin_seconds * fps), round(end_seconds * fps))


def _pictures(clip: Path, wanted: set[int], size_wh: tuple[int, int], fps: int) -> dict[int, av.VideoFrame]:
    """The wanted pictures by their number at this rate."""
    pictures: dict[int, av.VideoFrame] = {}
    with av.open(str(clip)) as source:
        first, number = None, 0
        for frame in source.decode(video=0):
            first = frame.time if first is None else first
            at_seconds = (frame.time or 0.0) - (first or 0.0)
            while number <= at_seconds * fps:
                if number in wanted:
                    pictures[number] = frame.reformat(*size_wh, format="yuv420p")
                number += 1
    return pictures


def looped(clip: Path, into: Path, *, seconds: float) -> Path:
    """The packets of a clip over and over, their times counted on; nothing is encoded anew.

    Args:
        clip: as `encoded` writes it.
        into: the MP4 to be written.
        seconds: how long it is at least.
    """
    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.size]
        times = [(int(packet.pts or 0), int(packet.dts or 0)) for packet in packets]
        assert len(times) > 1
        assert stream.time_base is not None
        length = times[-1][1] - times[0][1] + times[1][1] - times[0][1]
        rounds = int(seconds / float(length * stream.time_base)) + 1
        with av.open(str(into), "w") as target:
            copy = target.add_stream_from_template(stream)
            for turn in range(rounds):
                for packet, (pts, dts) in zip(packets, times, strict=True):
                    packet.pts, packet.dts = pts + turn * length, dts + turn * length
                    packet.stream = copy
                    target.mux(packet)
                    packet.stream = stream
    return into
