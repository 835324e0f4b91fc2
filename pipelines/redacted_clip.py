"""A clip anybody may judge by: the probe's face, following it, and everything else in coarse blocks.

Between two looks the box goes from one to the other in a straight line. A picture of which it is not known where the
probe is shows nobody. VP9 in WebM, which browsers play; by libvpx, which every build of PyAV has.
"""

from __future__ import annotations

import bisect
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from pipelines.errors import EvidenceError
from pipelines.evidence_clip import Clip
from pipelines.live.clip_messages import ClipLook, RelativeXyxy
from vision.errors import ImageError
from vision.redact import pixelate, pixelate_except
from vision.types import Image

MAX_SIDE_PX = 1280
"""Longer sides are shrunk: the probe in full resolution is a picture of its own."""

MAX_FPS = 15.0
MAX_GAP_SECONDS = 1.2
"""Between two looks, for cameras looked at once a second; after longer it is not known where the probe was."""

REACH_SECONDS = 0.2
"""Beyond the first and the last look the box is taken to stay: half of what lies between looks at 2.5 a second."""

_TIME_BASE = Fraction(1, 1000)
_OPTIONS = {"deadline": "realtime", "cpu-used": "8", "crf": "32", "b": "0", "row-mt": "0"}
"""Encoded beside a running camera: speed first. Constant quality, as most of the picture is flat."""


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """A picture on its way into a clip.

    Attributes:
        pts_seconds: on the source's clock.
        image: (H, W, 3) uint8 BGR, privacy masks burnt in.
    """

    pts_seconds: float
    image: Image


@dataclass(frozen=True, slots=True)
class ProbePath:
    """Where the probe was.

    Args:
        looks: in the order of their time.
    """

    looks: Sequence[ClipLook]

    def at(self, pts_seconds: float) -> ClipLook | None:
        """Where it was at a time, and who was near; None where that is not known."""
        times = [look.pts_seconds for look in self.looks]
        after = bisect.bisect_left(times, pts_seconds)
        near = [
            look
            for look in self.looks[max(0, after - 1) : after + 1]
            if _reaches(look.pts_seconds, pts_seconds)
        ]
        if 0 < after < len(times):
            before, behind = self.looks[after - 1], self.looks[after]
            if behind.pts_seconds - before.pts_seconds <= MAX_GAP_SECONDS:
                return _between(before, behind, pts_seconds)
        return min(near, key=lambda look: abs(look.pts_seconds - pts_seconds), default=None)


def redact_frame(frame: ClipFrame, path: ProbePath) -> Image:
    """The picture with the probe's enlarged box as it is and all else in blocks; all of it where there is none.

    Returns:
        (H, W, 3) uint8 BGR of the same size.
    """
    look = path.at(frame.pts_seconds)
    if look is None:
        return pixelate(frame.image)
    height, width = frame.image.shape[:2]
    scale = np.array([width, height, width, height], np.float64)
    others = np.array(look.others_xyxy, np.float64).reshape(-1, 4) * scale
    try:
        return pixelate_except(frame.image, np.array(look.xyxy) * scale, others_xyxy=others)
    except ImageError:  # the probe has left the picture
        return pixelate(frame.image)


def redacted_clip(frames: Iterable[ClipFrame], path: ProbePath) -> Clip | None:
    """The pictures redacted and encoded; none of them is on disk at any time.

    Args:
        frames: in the order of their time; those beyond `MAX_FPS` are left out.
        path: where the probe was.

    Returns:
        VP9 in WebM; None where there is no picture.

    Raises:
        EvidenceError: the encoder refuses.
    """
    sampled = _sampled(frames)
    first = next(sampled, None)
    if first is None:
        return None
    size_wh = _fitted(first.image)
    target, last_seconds = io.BytesIO(), first.pts_seconds
    try:
        with av.open(target, "w", format="webm") as output:
            stream = _stream(output, size_wh)
            for frame in _chained(first, sampled):
                shown = redact_frame(ClipFrame(frame.pts_seconds, _shrunk(frame.image, size_wh)), path)
                _encode(output, stream, shown, frame.pts_seconds - first.pts_seconds)
                last_seconds = frame.pts_seconds
            output.mux(stream.encode(None))
    except (av.error.FFmpegError, ValueError) as error:
        raise EvidenceError(f"a redacted clip cannot be encoded: {type(error).__name__}") from error
    duration_seconds = last_seconds - first.pts_seconds + 1 / MAX_FPS
    return Clip(target.getvalue(), "video/webm", *size_wh, first.pts_seconds, duration_seconds)


def _reaches(look_seconds: float, pts_seconds: float) -> bool:
    return abs(look_seconds - pts_seconds) <= REACH_SECONDS


def _between(before: ClipLook, behind: ClipLook, pts_seconds: float) -> ClipLook:
    span = behind.pts_seconds - before.pts_seconds
    share = (pts_seconds - before.pts_seconds) / span if span > 0 else 0.0
    # Who comes near on either side is kept out on the way, where it is not known which of them is whom.
    others = (*before.others_xyxy, *behind.others_xyxy)
    return ClipLook(pts_seconds, _mixed(before.xyxy, behind.xyxy, share), others)


def _mixed(one: RelativeXyxy, other: RelativeXyxy, share: float) -> RelativeXyxy:
    left, top, right, bottom = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return left, top, right, bottom


def _sampled(frames: Iterable[ClipFrame]) -> Iterator[ClipFrame]:
    """In rising order of time, and no more of them than `MAX_FPS`."""
    due_seconds = float("-inf")
    for frame in frames:
        if frame.pts_seconds >= due_seconds:
            due_seconds = frame.pts_seconds + 0.9 / MAX_FPS
            yield frame


def _chained(first: ClipFrame, rest: Iterator[ClipFrame]) -> Iterator[ClipFrame]:
    yield first
    yield from rest


def _fitted(image: Image) -> tuple[int, int]:
    """Even sides, as the encoder's colours are halved."""
    height, width = image.shape[:2]
    ratio = min(1.0, MAX_SIDE_PX / max(width, height))
    return max(2, int(width * ratio) // 2 * 2), max(2, int(height * ratio) // 2 * 2)


def _shrunk(image: Image, size_wh: tuple[int, int]) -> Image:
    if (image.shape[1], image.shape[0]) == size_wh:
        return image
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _stream(output: OutputContainer, size_wh: tuple[int, int]) -> VideoStream:
    stream = output.add_stream("libvpx-vp9", rate=round(MAX_FPS), options=_OPTIONS)
    stream.width, stream.height = size_wh
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = _TIME_BASE
    stream.codec_context.thread_count = 1
    return stream


def _encode(output: OutputContainer, stream: VideoStream, image: Image, seconds: float) -> None:
    picture = av.VideoFrame.from_ndarray(image, format="bgr24")
    picture.pts = round(seconds / _TIME_BASE)
    picture.time_base = _TIME_BASE
    output.mux(stream.encode(picture))
