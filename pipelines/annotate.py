"""An annotated video of a run: candidate numbers, nameless objects, and nobody else's face.

It shows the frames the models saw, at their own times. Everything but the faces of candidates is
coarse, whether a face was found there or not: a detector that misses a quarter of the bystanders must
not decide who stays recognisable. Names are never drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipelines.errors import EvidenceError
from pipelines.findings import FrameResult, Xyxy
from vision.boxes import enlarge, to_pixels
from vision.redact import DEFAULT_MARGIN, pixelate, pixelate_except
from vision.types import Image

CODECS = ("libx264", "mpeg4")
"""Tried in order: builds of FFmpeg without GPL parts lack the first."""

_TIME_BASE = Fraction(1, 90_000)
_CANDIDATE_BGR = (0, 215, 255)
_OBJECT_BGR = (160, 160, 160)
_MAX_RATE = Fraction(30)


class AnnotatedVideo:
    """Writes one video file; a context manager.

    Args:
        path: an .mp4 that does not exist yet or may be overwritten.

    Raises:
        EvidenceError: no codec works, or the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._first_seconds = 0.0
        self._last_pts = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, result: FrameResult, candidates: Mapping[int, int]) -> None:
        """Adds one frame.

        Args:
            result: the frame and what was seen in it.
            candidates: number of the candidate by face track; of tracks not in it no face is shown.
        """
        picture = draw(result, candidates)
        try:
            if self._container is None:
                self._open(picture, result.frame.pts_seconds)
            self._encode(picture, result.frame.pts_seconds)
        except (av.error.FFmpegError, OSError) as error:
            raise EvidenceError(f"{self._path}: cannot be written ({error})") from error

    def close(self) -> None:
        """Finishes the file; twice is once."""
        container, self._container = self._container, None
        if container is None or self._stream is None:
            return
        for packet in self._stream.encode(None):
            container.mux(packet)
        container.close()

    def _open(self, picture: Image, pts_seconds: float) -> None:
        self._first_seconds = pts_seconds
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self._path), "w", format="mp4")
        codec = next((name for name in CODECS if name in av.codecs_available), None)
        if codec is None:
            raise EvidenceError(f"{self._path}: this FFmpeg has none of the codecs {', '.join(CODECS)}")
        stream = self._container.add_stream(codec, rate=_MAX_RATE)
        if not isinstance(stream, VideoStream):
            raise EvidenceError(f"{self._path}: {codec} is no video codec in this FFmpeg")
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        if codec == "libx264":
            stream.options = {"preset": "veryfast", "crf": "24"}
        self._stream = stream

    def _encode(self, picture: Image, pts_seconds: float) -> None:
        if self._container is None or self._stream is None:
            return
        size = (self._stream.width, self._stream.height)
        if (picture.shape[1], picture.shape[0]) != size:  # cameras may change their size midway
            picture = np.asarray(cv2.resize(picture, size), np.uint8)
        frame = VideoFrame.from_ndarray(picture, format="bgr24")
        self._last_pts = max(self._last_pts + 1, round((pts_seconds - self._first_seconds) / _TIME_BASE))
        frame.pts, frame.time_base = self._last_pts, _TIME_BASE
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


def draw(result: FrameResult, candidates: Mapping[int, int]) -> Image:
    """One frame as it may be shown.

    Args:
        result: the frame and what was seen in it.
        candidates: number of the candidate by face track.

    Returns:
        (H, W, 3) uint8 BGR with even sides, as video codecs want them.
    """
    shown = {
        face: candidates[face.track_id]
        for face in result.faces
        if face.track_id is not None and face.track_id in candidates
    }
    hidden = [face.xyxy for face in result.faces if face not in shown]
    picture = pixelate(result.frame.image)
    for face in shown:
        _uncover(picture, result.frame.image, face.xyxy, hidden)
    for seen in result.objects:
        _box(picture, seen.xyxy, seen.label, _OBJECT_BGR)
    for face, number in shown.items():
        _box(picture, face.xyxy, f"candidate {number}", _CANDIDATE_BGR)
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture[: max(height // 2 * 2, 2), : max(width // 2 * 2, 2)])


def _uncover(picture: Image, image: Image, xyxy: Xyxy, hidden: list[Xyxy]) -> None:
    """Copies one face and its margin into the coarse picture, without the faces of others in it."""
    others = np.array(hidden, np.float64).reshape(-1, 4)
    clear = pixelate_except(image, xyxy, others_xyxy=others)
    around = enlarge(np.array([xyxy], np.float64), DEFAULT_MARGIN)
    left, top, right, bottom = to_pixels(around, (image.shape[1], image.shape[0]))[0]
    picture[top:bottom, left:right] = clear[top:bottom, left:right]


def _box(picture: Image, xyxy: Xyxy, text: str, colour_bgr: tuple[int, int, int]) -> None:
    left, top, right, bottom = (round(value) for value in xyxy)
    cv2.rectangle(picture, (left, top), (right, bottom), colour_bgr, 1)
    baseline = (left, max(top - 5, 12))
    cv2.putText(picture, text, baseline, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, text, baseline, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour_bgr, 1, cv2.LINE_AA)
