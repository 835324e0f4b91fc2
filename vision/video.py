"""Video files, image folders and camera addresses as sources of frames. The one place that opens media.

Time is the stream's own: pts × time_base, never a count divided by a rate. Failures are counted and
reported; retrying a camera is the business of whoever opened it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vision.decoded import DecodedPicture, PictureConverter
from vision.errors import SourceDecodeError, SourceOpenError
from vision.folder import FolderSource
from vision.images import IMAGE_SUFFIXES
from vision.locations import redact_url, scheme_of
from vision.media import MediaReader
from vision.media_options import DAMAGE, reason_of
from vision.sources import FrameSource, Picture, SourceOptions
from vision.timestamps import PictureTimes

__all__ = ["FrameSource", "MediaSource", "Picture", "SourceOptions", "open_source", "redact_url"]

_NOT_ONE_PICTURE_A_PACKET = frozenset({"vp8", "vp9", "av1"})
"""Codecs with packets that are never shown, so that a packet without a picture is no loss."""


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


class MediaSource(FrameSource):
    """A video file or camera stream, through FFmpeg.

    A broken packet costs its own picture, and so does one the decoder says is damaged; reading goes on behind
    it. A camera is shown from its first whole key frame on. A file cut short gives all it holds and ends with
    `SourceDecodeError`, the announced rest counted as undecodable.
    """

    def __init__(self, location: str, options: SourceOptions, *, shown_as: str | None = None) -> None:
        """Opens the media; see `open_source`."""
        super().__init__(redact_url(shown_as or location))
        self._tap = options.packet_tap
        self._converter = PictureConverter(self.location)
        self._rotation = 0
        self._times = PictureTimes()
        self._packets = self._discarded = self._delivered = 0
        self._interlaced = False
        self._overtake_until_seconds: float | None = None
        self._reader = MediaReader(location, self.location, options, self._told)
        self._waits_for_key_frame = self._reader.is_address

    @property
    def fps_nominal(self) -> float | None:
        """The container's average rate, else its guess; None where it states neither."""
        if self._reader.is_untimed:
            return None
        rate = self._reader.stream.average_rate or self._reader.stream.guessed_rate
        return float(rate) if rate else None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Upright from the first picture on; before it a rotation mark in the stream is not known yet."""
        context = self._reader.stream.codec_context
        width, height = context.width, context.height
        return (height, width) if self._rotation in (90, -90) else (width, height)

    @property
    def codec(self) -> str | None:
        """As in `FrameSource`."""
        return self._reader.stream.codec_context.codec.canonical_name

    @property
    def decoding(self) -> str:
        """As in `FrameSource`."""
        return self._reader.decoding

    @property
    def start_seconds(self) -> float:
        """The container's start time; recorders that run for days count from far beyond zero."""
        return self._reader.start_seconds

    def close(self) -> None:
        """Closes the container."""
        self._reader.close()

    def overtake(self, until_pts_seconds: float) -> None:
        """As in `FrameSource`; goes on at a key frame."""
        self._overtake_until_seconds = until_pts_seconds

    def _told(self, problem: str) -> None:
        """Of what is read, while it is read or opened."""
        after = f", after {self.read_count} pictures" if self.read_count else ""
        self._note(f"{self.location}: {problem}{after}")

    def _pictures(self) -> Iterator[Picture]:
        broken = None
        try:
            for packet in self._reader.packets():
                for decoded in self._decoded_of(packet):
                    yield self._picture(decoded)
        except SourceDecodeError as error:
            broken = error.reason
        if broken is None:
            self._settle()
            return
        for decoded in self._decode(self._reader.flush()):  # what the decoder still holds came whole
            yield self._picture(decoded)
        self._count_swallowed()
        raise SourceDecodeError(self.location, f"{broken}, after {self.read_count} pictures")

    def _decoded_of(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        """The pictures a packet brings: none where it is passed over."""
        if not packet.size:
            return self._decode(packet)
        self.rebased_count = self._reader.rebased_count
        if self._tap:
            self._tap(packet)
        if self._overtakes(packet):
            return []
        self._packets += 1
        self._discarded += packet.is_discard
        if self._waits_for_key_frame and not packet.is_keyframe:
            self._lost_before_key_frame()
            return []
        self._waits_for_key_frame = False
        return self._decode(packet)

    def _overtakes(self, packet: Packet[VideoStream]) -> bool:
        until = self._overtake_until_seconds
        if until is None:
            return False
        before = packet.pts is not None and float(packet.pts * packet.time_base) < until
        if packet.is_keyframe and not before:
            self._overtake_until_seconds = None
            return False
        self.read_count += 1
        self.overtaken_count += 1
        return True

    def _lost_before_key_frame(self) -> None:
        if not self._delivered and not self.undecodable_count:
            self._note(f"{self.location}: nothing is shown before the first key frame")
        self.read_count += 1
        self.undecodable_count += 1

    def _decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        try:
            decoded = packet.decode()
        except DAMAGE as error:
            self._damaged(f"could not be decoded ({reason_of(error)})")
            return []
        whole = []
        for frame in decoded:
            if frame.is_corrupt:
                self._damaged("is damaged")
            else:
                whole.append(frame)
        return whole

    def _damaged(self, how: str) -> None:
        self._lost(f"{self.location}: picture {self.read_count} {how}")
        if self._reader.is_address and not self._delivered:
            # The key frame itself: what refers to it would be grey where it is missing.
            self._waits_for_key_frame = True

    def _picture(self, decoded: VideoFrame) -> DecodedPicture:
        self._interlaced |= decoded.interlaced_frame
        self._rotation = decoded.rotation
        pts, time_base = decoded.pts, decoded.time_base
        own_seconds = None if pts is None or not time_base else float(Fraction(pts) * time_base)
        seconds = self._times.seconds_of(own_seconds, self.fps_nominal)
        self.estimated_pts_count = self._times.estimated_count
        self.repeated_pts_count = self._times.repeated_count
        picture = DecodedPicture(decoded, self._converter, self.read_count, seconds)
        self._delivered += 1
        self.read_count += 1
        return picture

    def _count_swallowed(self) -> None:
        """Counts packets that were decoded and gave nothing."""
        swallowed = self._packets - self._discarded - self._delivered - self.undecodable_count
        one_each = self.codec not in _NOT_ONE_PICTURE_A_PACKET and not self._interlaced
        if swallowed > 0 and one_each:
            self._lost(f"{self.location}: {swallowed} packets gave no picture", swallowed)

    def _settle(self) -> None:
        """Counts at the end what was announced and never came.

        Raises:
            SourceDecodeError: cut off, or nothing decodable.
        """
        announced = self._reader.announced_count
        missing = max(0, announced - self._packets - self.overtaken_count)
        self._count_swallowed()
        if missing:
            reason = f"cut off: {self._delivered} of {announced} announced pictures could be read"
            self._lost(f"{self.location}: {reason}", missing)
            raise SourceDecodeError(self.location, reason)
        if not self._delivered:
            lost = self.undecodable_count
            raise SourceDecodeError(self.location, f"no picture could be decoded ({lost} undecodable)")
