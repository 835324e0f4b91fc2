"""Video files, image folders and camera addresses as sources of frames. The one place that opens media.

Time is the stream's own: pts × time_base, never a count divided by a rate. Failures are counted and
reported; retrying a camera is the business of whoever opened it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vision.decoded import DecodedPicture, PictureConverter
from vision.errors import SourceDecodeError, SourceOpenError
from vision.folder import FolderSource
from vision.hardware import find_hardware
from vision.images import IMAGE_SUFFIXES
from vision.locations import SCHEMES, redact_url, scheme_of
from vision.media import OpenMedia, open_media
from vision.media_options import (
    DAMAGE,
    DAMAGED,
    MULTIPART,
    UNTIMED_FORMATS,
    opening_of_address,
    opening_of_file,
    reason_of,
)
from vision.sources import FrameSource, Picture, SourceOptions
from vision.timestamps import PacketTimes, PictureTimes

__all__ = ["FrameSource", "MediaSource", "Picture", "SourceOptions", "open_source", "redact_url"]

_NOT_ONE_PICTURE_A_PACKET = frozenset({"vp8", "vp9", "av1"})
"""Codecs with packets that are never shown, so that a packet without a picture is no loss."""

_MAX_READ_FAILURES = 10


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
        self._location = location
        self._is_address = scheme_of(location) is not None
        self._options = options
        self._converter = PictureConverter(self.location)
        self._hardware = find_hardware(options.hardware_decode)
        if self._hardware.problem:
            self._note(f"{self.location}: {self._hardware.problem}")
        self._rotation = 0
        self._times = PictureTimes()
        self._packets = self._discarded = self._delivered = 0
        self._interlaced = False
        self._waits_for_key_frame = self._is_address
        self._overtake_until_seconds: float | None = None
        self._bare_jpegs = False
        self._media = self._opened()
        self._packet_times = self._new_packet_times()

    @property
    def fps_nominal(self) -> float | None:
        """The container's average rate, else its guess; None where it states neither."""
        if self._is_untimed:
            return None
        rate = self._media.stream.average_rate or self._media.stream.guessed_rate
        return float(rate) if rate else None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Upright from the first picture on; before it a rotation mark in the stream is not known yet."""
        context = self._media.stream.codec_context
        width, height = context.width, context.height
        return (height, width) if self._rotation in (90, -90) else (width, height)

    @property
    def codec(self) -> str | None:
        """As in `FrameSource`."""
        return self._media.stream.codec_context.codec.canonical_name

    @property
    def decoding(self) -> str:
        """As in `FrameSource`."""
        return self._hardware.decoding(self._media.stream.codec_context)

    @property
    def start_seconds(self) -> float:
        """The container's start time; recorders that run for days count from far beyond zero."""
        start = self._media.container.start_time
        return start / 1_000_000 if start else 0.0

    def close(self) -> None:
        """Closes the container."""
        self._media.container.close()

    def overtake(self, until_pts_seconds: float) -> None:
        """As in `FrameSource`; goes on at a key frame."""
        self._overtake_until_seconds = until_pts_seconds

    @property
    def _is_untimed(self) -> bool:
        return self._is_address and self._media.container.format.name in UNTIMED_FORMATS

    def _opened(self) -> OpenMedia:
        scheme = scheme_of(self._location)
        if scheme and scheme not in SCHEMES:
            raise SourceOpenError(self.location, f"addresses start with one of {', '.join(SCHEMES)}")
        opening = (
            opening_of_address(self._location, self._options, bare_jpegs=self._bare_jpegs)
            if scheme
            else opening_of_file(self._location, self._options)
        )
        try:
            return open_media(self.location, opening, self._hardware, self._options)
        except SourceOpenError:
            if self._hardware.device is None:
                raise
            # Perhaps the device could not be had any more, which FFmpeg's error does not tell from the rest.
            self._hardware = find_hardware(self._hardware.device)
            if self._hardware.device is not None:
                raise
        self._note(f"{self.location}: {self._hardware.problem}")
        return open_media(self.location, opening, self._hardware, self._options)

    def _new_packet_times(self) -> PacketTimes:
        return PacketTimes(
            self._media.stream,
            read_timeout_seconds=self._options.read_timeout_seconds if self._is_address else None,
            untimed=self._is_untimed,
            clock=self._options.clock,
        )

    def _pictures(self) -> Iterator[Picture]:
        broken = None
        try:
            for packet in self._demuxed():
                for decoded in self._decoded_of(packet):
                    yield self._picture(decoded)
        except SourceDecodeError as error:
            broken = error.reason
        if broken is None:
            self._settle()
            return
        for decoded in self._decode(self._flushing()):  # what the decoder still holds came whole
            yield self._picture(decoded)
        self._count_swallowed()
        raise SourceDecodeError(self.location, f"{broken}, after {self.read_count} pictures")

    def _demuxed(self) -> Iterator[Packet[VideoStream]]:
        failures = 0
        while True:
            try:
                for packet in self._media.container.demux(self._media.stream):
                    failures = 0
                    yield packet
            except DAMAGE as error:
                reason = reason_of(error)
            else:
                return
            failures += 1
            if reason == DAMAGED and self._is_address and self._media.container.format.name == MULTIPART:
                self._note(
                    f"{self.location}: the headers between its pictures do not hold; read without them"
                )
                self._reopen_bare()
            elif self._is_address or failures >= _MAX_READ_FAILURES:
                raise SourceDecodeError(self.location, reason)
            else:
                self._note(f"{self.location}: {reason}, after {self.read_count} pictures")

    def _reopen_bare(self) -> None:
        """Goes on with an MJPEG camera whose part headers are wrong, by the pictures' own marks.

        Raises:
            SourceDecodeError: it does not open again.
        """
        self._bare_jpegs = True
        self._media.container.close()
        try:
            self._media = self._opened()
        except SourceOpenError as error:
            reason = error.reason
        else:
            self._packet_times = self._new_packet_times()
            return
        raise SourceDecodeError(self.location, reason)

    def _decoded_of(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        """The pictures a packet brings: none where it is passed over."""
        if not packet.size:
            return self._decode(packet)
        jumped = self._packet_times.set(packet)
        if jumped:
            self._note(f"{self.location}: {jumped}, after {self.read_count} pictures")
        self.rebased_count = self._packet_times.rebased_count
        if self._options.packet_tap:
            self._options.packet_tap(packet)
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
        if self._is_address and not self._delivered:
            # The key frame itself: what refers to it would be grey where it is missing.
            self._waits_for_key_frame = True

    def _flushing(self) -> Packet[VideoStream]:
        """The empty packet that makes a decoder give what it holds."""
        packet = Packet()
        packet.stream = self._media.stream
        if self._media.stream.time_base:
            packet.time_base = self._media.stream.time_base
        return cast("Packet[VideoStream]", packet)

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
        announced = self._media.announced()
        missing = max(0, announced - self._packets - self.overtaken_count)
        self._count_swallowed()
        if missing:
            reason = f"cut off: {self._delivered} of {announced} announced pictures could be read"
            self._lost(f"{self.location}: {reason}", missing)
            raise SourceDecodeError(self.location, reason)
        if not self._delivered:
            lost = self.undecodable_count
            raise SourceDecodeError(self.location, f"no picture could be decoded ({lost} undecodable)")
