"""One file or address, opened and read packet by packet: what FFmpeg's demuxers and devices get wrong ends here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from vision.errors import SourceDecodeError, SourceOpenError
from vision.hardware import Hardware, find_hardware
from vision.locations import SCHEMES, scheme_of
from vision.media_options import (
    DAMAGE,
    DAMAGED,
    MULTIPART,
    REFUSALS,
    UNTIMED_FORMATS,
    Opening,
    opening_of_address,
    opening_of_file,
    reason_of,
    why_address_not_opened,
    why_not_media,
)
from vision.sources import SourceOptions
from vision.timestamps import PacketTimes

_MAX_READ_FAILURES = 10


class MediaReader:
    """The packets of one file's or address's video, their times put on one line.

    Attributes:
        stream: what is read; another one after a camera's part headers did not hold.
        is_address: whether it lies on a network.
    """

    def __init__(
        self, location: str, shown: str, options: SourceOptions, tell: Callable[[str], None]
    ) -> None:
        """Opens it.

        Args:
            location: absolute path or address, with its secrets.
            shown: what errors call it, free of credentials.
            options: as for `vision.video.open_source`.
            tell: takes each problem that does not end the reading, without the location.

        Raises:
            SourceOpenError: as for `open_source`.
        """
        self.is_address = scheme_of(location) is not None
        self._location = location
        self._shown = shown
        self._options = options
        self._tell = tell
        self._hardware = find_hardware(options.hardware_decode)
        if self._hardware.problem:
            tell(self._hardware.problem)
        self._rebased_before = 0
        self._open()

    @property
    def decoding(self) -> str:
        """What decodes, as in `FrameSource`."""
        return self._hardware.decoding(self.stream.codec_context)

    @property
    def is_untimed(self) -> bool:
        """Whether its packets say nothing about time."""
        return self.is_address and self._container.format.name in UNTIMED_FORMATS

    @property
    def start_seconds(self) -> float:
        """The container's start time."""
        start = self._container.start_time
        return start / 1_000_000 if start else 0.0

    @property
    def announced_count(self) -> int:
        """Pictures the container's index promises; 0 where it has none to go by."""
        if self._container.format.name.startswith("mov"):
            # The index knows edit lists; the header's count includes pictures an edit has cut away.
            return len(self.stream.index_entries)
        return self.stream.frames

    @property
    def rebased_count(self) -> int:
        """As in `FrameSource`."""
        return self._rebased_before + self._times.rebased_count

    def close(self) -> None:
        """Closes the container."""
        self._container.close()

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Every packet in the order in which it came; at the end an empty one, for what the decoder still holds.

        Raises:
            SourceDecodeError: the connection broke, or too much is damaged.
        """
        failures = 0
        while True:
            try:
                for packet in self._container.demux(self.stream):
                    failures = 0
                    self._set_times(packet)
                    yield packet
            except DAMAGE as error:
                reason = reason_of(error)
            else:
                return
            failures += 1
            if reason == DAMAGED and self.is_address and self._container.format.name == MULTIPART:
                self._tell("the headers between its pictures do not hold; read without them")
                self._reopen_bare()
            elif self.is_address or failures >= _MAX_READ_FAILURES:
                raise SourceDecodeError(self._shown, reason)
            else:
                self._tell(reason)

    def flush(self) -> Packet[VideoStream]:
        """The empty packet that makes a decoder give what it holds."""
        packet = Packet()
        packet.stream = self.stream
        if self.stream.time_base:
            packet.time_base = self.stream.time_base
        return cast("Packet[VideoStream]", packet)

    def _set_times(self, packet: Packet[VideoStream]) -> None:
        jumped = self._times.set(packet) if packet.size else None
        if jumped:
            self._tell(jumped)

    def _open(self, *, bare_jpegs: bool = False) -> None:
        self._container = self._opened(self._opening(bare_jpegs))
        try:
            self.stream = _prepared(self._shown, self._container, self._options)
            if self.is_address:
                _discard_others(self._container, self.stream)
        except SourceOpenError:
            self._container.close()
            raise
        self._times = PacketTimes(
            self.stream,
            read_timeout_seconds=self._options.read_timeout_seconds if self.is_address else None,
            untimed=self.is_untimed,
            clock=self._options.clock,
        )

    def _opening(self, bare_jpegs: bool) -> Opening:
        scheme = scheme_of(self._location)
        if scheme is None:
            return opening_of_file(self._location, self._options)
        if scheme not in SCHEMES:
            raise SourceOpenError(self._shown, f"addresses start with one of {', '.join(SCHEMES)}")
        return opening_of_address(self._location, self._options, bare_jpegs=bare_jpegs)

    def _opened(self, opening: Opening) -> InputContainer:
        try:
            return _open_container(self._shown, opening, self._hardware)
        except SourceOpenError:
            if self._hardware.device is None:
                raise
            # Perhaps the device could not be had any more, which FFmpeg's error does not tell from the rest.
            self._hardware = find_hardware(self._hardware.device)
            if self._hardware.problem is None:
                raise
        self._tell(self._hardware.problem)
        return _open_container(self._shown, opening, self._hardware)

    def _reopen_bare(self) -> None:
        """Goes on with an MJPEG camera whose part headers are wrong, by the pictures' own marks.

        Raises:
            SourceDecodeError: it does not open again.
        """
        self._rebased_before = self.rebased_count
        self._container.close()
        try:
            self._open(bare_jpegs=True)
        except SourceOpenError as error:
            reason = error.reason
        else:
            return
        raise SourceDecodeError(self._shown, reason)


def _open_container(shown: str, opening: Opening, hardware: Hardware) -> InputContainer:
    # Raised below, outside the handler: the library's own error carries the address with its password.
    try:
        return av.open(
            opening.location,
            mode="r",
            format=opening.container,
            options=opening.choices,
            timeout=opening.timeout,
            metadata_errors="replace",
            hwaccel=hardware.accelerator,
        )
    except DAMAGE as error:
        reason = why_address_not_opened(error) if opening.is_address else reason_of(error)
        refused = isinstance(error, REFUSALS)
    if not opening.is_address:
        reason = why_not_media(Path(opening.location), reason)
    raise SourceOpenError(shown, reason, refused=refused)


def _discard_others(container: InputContainer, wanted: VideoStream) -> None:
    """Other streams are passed over where they are read, so that the read time-out is for the video's packets."""
    for stream in container.streams:
        if stream is not wanted:
            stream.discard = Discard.all


def _prepared(shown: str, container: InputContainer, options: SourceOptions) -> VideoStream:
    """The stream to decode, its decoder told its limits."""
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise SourceOpenError(shown, f"holds no video, only {kinds}")
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise SourceOpenError(shown, "holds video in a format this machine cannot decode")
    if context.width * context.height > options.max_pixels:
        raise SourceOpenError(
            shown,
            f"pictures of {context.width}×{context.height} are too large: at most {options.max_pixels} pixels "
            "are decoded (max_pixels)",
        )
    context.options = {"max_pixels": str(options.max_pixels)}
    if options.multi_threaded:
        context.thread_type = "AUTO"
    else:
        context.thread_count = 1
    return stream
