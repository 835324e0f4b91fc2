"""Video files, image folders and camera addresses as sources of frames. The one place that opens media.

Time is the stream's own: pts × time_base, never a count divided by a rate. Failures are counted and
reported; retrying a camera is the business of whoever opened it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error
import cv2
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from vision.errors import SourceDecodeError, SourceOpenError
from vision.folder import FolderSource
from vision.images import IMAGE_SUFFIXES
from vision.locations import SCHEMES, redact_url, scheme_of
from vision.luma import Grey, small_grey
from vision.sources import FrameSource, Picture, SourceOptions
from vision.types import Frame, Image

__all__ = ["FrameSource", "MediaSource", "Picture", "SourceOptions", "open_source", "redact_url"]

_FILE_FORMATS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,asf,mjpeg,ogg,mxf,dhav,"
    "rm,gif,nut,wtv,mjpeg_2000,yuv4mpegpipe,dv"
)
"""Containers read from disk. Playlists and scripts (concat, hls, …) are left out: a file that only claims to
be a video would otherwise make FFmpeg open other files and addresses."""

_ADDRESS_PROTOCOLS = "rtsp,rtsps,rtp,rtcp,srtp,tcp,udp,tls,http,https,httpproxy"
_NOT_ONE_PICTURE_A_PACKET = frozenset({"vp8", "vp9", "av1"})
"""Codecs with packets that are never shown, so that a packet without a picture is no loss."""

_DAMAGE = (av.error.FFmpegError, ValueError, IndexError)
"""What the library raises on damaged media; the last two where damage reaches its own tables."""

_DAMAGED = "damaged or unknown data"
_MAX_READ_FAILURES = 10
_UPRIGHT = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    -90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    -180: cv2.ROTATE_180,
}
_FALLBACK_FPS = 25.0


def open_source(location: str | Path, options: SourceOptions | None = None) -> FrameSource:
    """The frames of a file, image folder or camera.

    Args:
        location: a path; or an address starting with rtsp, rtsps, http or https.
        options: how to read it; None for the defaults.

    Returns:
        An open source, to be used as a context manager.

    Raises:
        SourceOpenError: missing, empty, not media, without video, cut off before its index, refused, or
            not answering in time. The message never holds a user name or password.
    """
    options = options or SourceOptions()
    if scheme_of(str(location)) is not None:
        return MediaSource(str(location), options)
    path = Path(location)
    problem = _path_problem(path)
    if problem:
        raise SourceOpenError(redact_url(str(location)), problem)
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return FolderSource(path, options)
    return MediaSource(str(path.absolute()), options, shown_as=str(location))


def _path_problem(path: Path) -> str | None:
    try:
        if path.is_dir():
            return None
        if not path.is_file():
            return "is neither a file nor a folder" if path.exists() else "no such file or folder"
        return "is empty (0 bytes)" if path.stat().st_size == 0 else None
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or "cannot be opened"


class _DecodedPicture:
    """A decoded video frame and the means to convert it."""

    __slots__ = ("_decoded", "_source", "frame_index", "pts_seconds")

    def __init__(
        self, decoded: VideoFrame, source: MediaSource, frame_index: int, pts_seconds: float
    ) -> None:
        self._decoded = decoded
        self._source = source
        self.frame_index = frame_index
        self.pts_seconds = pts_seconds

    @property
    def key_frame(self) -> bool:
        return self._decoded.key_frame

    @property
    def still(self) -> bool:
        return False

    def to_grey(self, max_width: int) -> Grey:
        """The picture's brightness, small and upright: `vision.luma.small_grey`.

        Raises:
            SourceDecodeError: a pixel format that cannot be converted.
        """
        return self._source.to_grey(self._decoded, max_width)

    def to_frame(self) -> Frame:
        decoded = self._decoded
        image = self._source.to_image(decoded)
        has_pts = decoded.pts is not None
        time_base = decoded.time_base if has_pts else None
        return Frame(image, self.pts_seconds, self.frame_index, decoded.pts, time_base, decoded.key_frame)


class MediaSource(FrameSource):
    """A video file or camera stream, through FFmpeg.

    A broken packet costs its own picture; reading goes on behind it. A file cut short gives all it holds
    and ends with `SourceDecodeError`, the announced rest counted as undecodable.
    """

    def __init__(self, location: str, options: SourceOptions, *, shown_as: str | None = None) -> None:
        """Opens the media; see `open_source`."""
        super().__init__(redact_url(shown_as or location))
        self._is_address = scheme_of(location) is not None
        self._options = options
        self._reformatter = VideoReformatter()
        self._small_reformatter = VideoReformatter()
        self._rotation = 0
        self._last_seconds: float | None = None
        self._packets = self._discarded = self._delivered = 0
        self._interlaced = False
        self._overtake_until_seconds: float | None = None
        self._container = self._open(location)
        try:
            self._stream = self._choose_stream()
        except SourceOpenError:
            self._container.close()
            raise

    @property
    def fps_nominal(self) -> float | None:
        """The container's average rate, else its guess; None where it states neither."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        return float(rate) if rate else None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Upright from the first picture on; before it a rotation mark in the stream is not known yet."""
        width, height = self._stream.codec_context.width, self._stream.codec_context.height
        return (height, width) if self._rotation in (90, -90) else (width, height)

    @property
    def start_seconds(self) -> float:
        """The container's start time; recorders that run for days count from far beyond zero."""
        start = self._container.start_time
        return start / 1_000_000 if start else 0.0

    def close(self) -> None:
        """Closes the container."""
        self._container.close()

    def to_image(self, decoded: VideoFrame) -> Image:
        """One decoded frame as upright BGR pixels.

        Raises:
            SourceDecodeError: a pixel format that cannot be converted.
        """
        reason = None
        try:
            # One thread here: FFmpeg's own choice starts one per core for every single conversion.
            converted = self._reformatter.reformat(decoded, format="bgr24", threads=1)
            image = np.asarray(converted.to_ndarray(), dtype=np.uint8)
        except _DAMAGE as error:
            reason = _reason(error)
        if reason:
            raise SourceDecodeError(
                self.location, f"picture in {decoded.format.name} not converted: {reason}"
            )
        turn = _UPRIGHT.get(decoded.rotation)
        upright = image if turn is None else np.asarray(cv2.rotate(image, turn), dtype=np.uint8)
        return np.ascontiguousarray(upright)

    def to_grey(self, decoded: VideoFrame, max_width: int) -> Grey:
        """As `_DecodedPicture.to_grey`."""
        try:
            return small_grey(decoded, max_width, self._small_reformatter)
        except _DAMAGE as error:
            reason = _reason(error)
        raise SourceDecodeError(self.location, f"picture in {decoded.format.name} not converted: {reason}")

    def _open(self, location: str) -> av.container.InputContainer:
        timeout = (self._options.open_timeout_seconds, self._options.read_timeout_seconds)
        scheme = scheme_of(location)
        if scheme and scheme not in SCHEMES:
            raise SourceOpenError(self.location, f"addresses start with one of {', '.join(SCHEMES)}")
        if scheme:
            choices = {
                "rtsp_transport": self._options.rtsp_transport,
                "protocol_whitelist": _ADDRESS_PROTOCOLS,
            }
        else:
            choices = {"protocol_whitelist": "file", "format_whitelist": _FILE_FORMATS}
        # Raised below, outside the handler: the library's own error carries the address with its password.
        try:
            return av.open(location, mode="r", options=choices, timeout=timeout, metadata_errors="replace")
        except _DAMAGE as error:
            reason = _reason(error)
        if self._is_address:
            # Silence reaches us as damage: the RTSP client does not say that its time was up.
            unclear = "no answer in time, or nothing that is media" if reason == _DAMAGED else reason
            raise SourceOpenError(self.location, unclear)
        raise SourceOpenError(self.location, _why_not_media(Path(location), reason))

    def _choose_stream(self) -> VideoStream:
        cover = av.stream.Disposition.attached_pic
        streams = [stream for stream in self._container.streams.video if not stream.disposition & cover]
        if not streams:
            kinds = ", ".join(sorted({stream.type for stream in self._container.streams})) or "nothing"
            raise SourceOpenError(self.location, f"holds no video, only {kinds}")
        stream = streams[0]
        context = stream.codec_context
        if context is None:
            raise SourceOpenError(self.location, "holds video in a format this machine cannot decode")
        if context.width * context.height > self._options.max_pixels:
            raise SourceOpenError(
                self.location, f"pictures of {context.width}×{context.height} are too large"
            )
        context.options = {"max_pixels": str(self._options.max_pixels)}
        if self._options.multi_threaded:
            context.thread_type = "AUTO"
        else:
            context.thread_count = 1
        return stream

    def _pictures(self) -> Iterator[Picture]:
        tap = self._options.packet_tap
        for packet in self._demuxed():
            if tap and packet.size:
                tap(packet)
            if self._overtakes(packet):
                continue
            if packet.size:
                self._packets += 1
                self._discarded += packet.is_discard
            for decoded in self._decode(packet):
                yield self._picture(decoded)
        self._settle()

    def overtake(self, until_pts_seconds: float) -> None:
        """As in `FrameSource`; goes on at a key frame."""
        self._overtake_until_seconds = until_pts_seconds

    def _overtakes(self, packet: Packet[VideoStream]) -> bool:
        until = self._overtake_until_seconds
        if until is None or not packet.size:
            return False
        before = packet.pts is not None and float(packet.pts * packet.time_base) < until
        if packet.is_keyframe and not before:
            self._overtake_until_seconds = None
            return False
        self.read_count += 1
        self.overtaken_count += 1
        return True

    def _demuxed(self) -> Iterator[Packet[VideoStream]]:
        failures = 0
        while True:
            try:
                for packet in self._container.demux(self._stream):
                    failures = 0
                    yield packet
            except _DAMAGE as error:
                reason = _reason(error)
            else:
                return
            failures += 1
            if self._is_address or failures >= _MAX_READ_FAILURES:
                raise SourceDecodeError(self.location, f"{reason}, after {self.read_count} pictures")
            self._note(f"{self.location}: {reason}, after {self.read_count} pictures")

    def _decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        try:
            return packet.decode()
        except _DAMAGE as error:
            self._lost(f"{self.location}: picture {self.read_count} could not be decoded ({_reason(error)})")
            return []

    def _picture(self, decoded: VideoFrame) -> _DecodedPicture:
        self._interlaced |= decoded.interlaced_frame
        self._rotation = decoded.rotation
        picture = _DecodedPicture(decoded, self, self.read_count, self._seconds_of(decoded))
        self._last_seconds = picture.pts_seconds
        self._delivered += 1
        self.read_count += 1
        return picture

    def _seconds_of(self, decoded: VideoFrame) -> float:
        if decoded.pts is not None and decoded.time_base:
            return float(Fraction(decoded.pts) * decoded.time_base)
        self.estimated_pts_count += 1
        if self._last_seconds is None:
            return 0.0
        return self._last_seconds + 1 / (self.fps_nominal or _FALLBACK_FPS)

    def _settle(self) -> None:
        """Counts at the end what was announced and never came.

        Raises:
            SourceDecodeError: cut off, or nothing decodable.
        """
        missing = max(0, self._announced() - self._packets)
        swallowed = self._packets - self._discarded - self._delivered - self.undecodable_count
        one_each = self._stream.codec_context.name not in _NOT_ONE_PICTURE_A_PACKET and not self._interlaced
        if swallowed > 0 and one_each:
            self._lost(f"{self.location}: {swallowed} packets gave no picture", swallowed)
        if missing:
            reason = f"cut off: {self._delivered} of {self._announced()} announced pictures could be read"
            self._lost(f"{self.location}: {reason}", missing)
            raise SourceDecodeError(self.location, reason)
        if not self._delivered:
            lost = self.undecodable_count
            raise SourceDecodeError(self.location, f"no picture could be decoded ({lost} undecodable)")

    def _announced(self) -> int:
        """Pictures the container's index promises; 0 where it has none to go by."""
        if self._container.format.name.startswith("mov"):
            # The index knows edit lists; the header's count includes pictures an edit has cut away.
            return len(self._stream.index_entries)
        return self._stream.frames


def _reason(error: Exception) -> str:
    """What FFmpeg said, in words for whoever sent the source, and without its address."""
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return "refused the user name or password"
    if isinstance(error, av.error.HTTPNotFoundError):
        return "nothing at this address (404)"
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return "no answer in time"
    if isinstance(error, av.error.InvalidDataError):
        return _DAMAGED
    return getattr(error, "strerror", None) or type(error).__name__


def _why_not_media(path: Path, reason: str) -> str:
    """A closer look at a file FFmpeg would not open."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        return error.strerror or reason
    if head[4:8] == b"ftyp":
        return "cut off or damaged: the index (moov) without which an MP4 cannot be read is missing"
    return f"not a video file that can be read ({reason})"
