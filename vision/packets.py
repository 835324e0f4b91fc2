"""The last seconds of a camera as it sent them: encoded packets, and clips of them by stream copy.

Nothing is decoded or encoded anew, so a clip is what the camera said, bit for bit, beginning at a key frame.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av
import av.error
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

_IN_MP4 = frozenset({"h264", "hevc", "mpeg4", "av1"})
"""Codecs that players expect in MP4; the others go into Matroska, which carries any."""

_JUMP_SECONDS = 10.0
"""Between neighbouring packets: time that cannot have passed, so that no clip goes across it."""

_START_CODE = re.compile(rb"\x00\x00\x01")
"""Between the NAL units of a byte stream (ITU-T H.264 and H.265, annex B)."""

_PARAMETER_SETS = {"h264": (0x1F, 0, frozenset({7, 8})), "hevc": (0x7E, 1, frozenset({32, 33, 34}))}
"""Of a codec: mask and shift of the type in a NAL unit's first byte, and the types that say how to decode."""

_USUAL_SECONDS = 0.04
"""A packet's length where nothing says it."""


@dataclass(frozen=True, slots=True)
class EncodedClip:
    """A piece of a camera's stream in a container of its own.

    Attributes:
        content: the file's bytes.
        container: `mp4` or `mkv`.
        codec: FFmpeg's name of the codec.
        began_pts_seconds: time of its first picture on the source's clock, a key frame.
        ended_pts_seconds: time of its last picture.
        packets: pictures in it.
        whole_beginning: whether it begins at or before the time asked for.
    """

    content: bytes
    container: Literal["mp4", "mkv"]
    codec: str
    began_pts_seconds: float
    ended_pts_seconds: float
    packets: int
    whole_beginning: bool

    def __repr__(self) -> str:
        return (
            f"EncodedClip({self.codec} in {self.container}, {len(self.content)} bytes, "
            f"{self.began_pts_seconds:.3f} to {self.ended_pts_seconds:.3f})"
        )


@dataclass(frozen=True, slots=True, repr=False)
class _Kept:
    """One packet, free of FFmpeg's own memory, so that it outlives its connection."""

    data: bytes
    pts: int
    dts: int
    duration: int
    key_frame: bool
    seconds: float


class _Group:
    """A group of pictures: a key frame and what refers to it."""

    __slots__ = ("byte_count", "packets")

    def __init__(self) -> None:
        self.packets: list[_Kept] = []
        self.byte_count = 0

    def add(self, packet: _Kept) -> None:
        self.packets.append(packet)
        self.byte_count += len(packet.data)


class PacketRing:
    """Keeps the encoded packets of the last seconds, bounded in time and in bytes.

    `add` is a source's `packet_tap`. What is kept always begins at a key frame, so up to one group of
    pictures more than `seconds` is held, and less where `max_bytes` does not allow them: whole groups go
    from the front, and a single group that is too large goes altogether. Packets of a new connection, and
    those after a jump of the camera's clock, begin it anew.

    Attributes:
        oversized_count: groups of pictures given up as larger than `max_bytes`.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        """Empty.

        Args:
            seconds: how far back it reaches; for clips, the time before and after together.
            max_bytes: encoded bytes held at most.
        """
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._groups: deque[_Group] = deque()
        self._stream: VideoStream | None = None
        self._template: VideoStream | None = None
        self._size_wh = (0, 0)
        self._time_base = Fraction(1, 90_000)
        self.oversized_count = 0

    def __repr__(self) -> str:
        return f"PacketRing({len(self._groups)} groups of pictures, {self.byte_count} bytes)"

    @property
    def byte_count(self) -> int:
        """Encoded bytes held."""
        return sum(group.byte_count for group in self._groups)

    @property
    def newest_pts_seconds(self) -> float | None:
        """Time of the packet added last; None where there is none."""
        return self._groups[-1].packets[-1].seconds if self._groups else None

    def clear(self) -> None:
        """Forgets every packet."""
        self._groups.clear()

    def add(self, packet: Packet[VideoStream]) -> None:
        """Takes a packet, in the order in which it came; its bytes are copied."""
        if not packet.size:
            return
        if packet.stream is not self._stream:
            self._begin(packet)
        kept = self._kept(packet)
        newest = self.newest_pts_seconds
        if newest is not None and abs(kept.seconds - newest) > _JUMP_SECONDS:
            self.clear()
        if kept.key_frame:
            self._groups.append(_Group())
        context = packet.stream.codec_context
        self._size_wh = (context.width, context.height)
        if self._groups:
            self._groups[-1].add(kept)
            self._trim(kept.seconds)

    def clip(self, from_pts_seconds: float, to_pts_seconds: float) -> EncodedClip | None:
        """The packets of a stretch of time as a file.

        Args:
            from_pts_seconds: beginning on the source's clock; the clip begins at the last key frame before
                it, or with what there is.
            to_pts_seconds: end; pictures later than it are left out.

        Returns:
            The clip; None where nothing of that time is held, or where no container takes it.
        """
        packets = self._between(from_pts_seconds, to_pts_seconds)
        if not packets or self._template is None:
            return None
        codec = self._template.codec_context.codec.canonical_name
        container: Literal["mp4", "mkv"] = "mp4" if codec in _IN_MP4 else "mkv"
        content = self._muxed(packets, self._template, container)
        if content is None:
            return None
        times = [packet.seconds for packet in packets]
        whole = min(times) <= from_pts_seconds
        return EncodedClip(content, container, codec, min(times), max(times), len(packets), whole)

    def _muxed(
        self, packets: Sequence[_Kept], template: VideoStream, container: Literal["mp4", "mkv"]
    ) -> bytes | None:
        """The packets in a container of their own; None where it does not take them."""
        target = io.BytesIO()
        try:
            with av.open(target, "w", format="mp4" if container == "mp4" else "matroska") as output:
                stream = output.add_stream_from_template(template, opaque=True)
                if not stream.width:
                    self._describe(stream, packets[0])
                _write(packets, output, stream, self._time_base)
        except (av.error.FFmpegError, ValueError):
            return None
        return target.getvalue()

    def _describe(self, stream: VideoStream, first: _Kept) -> None:
        """Says what a container needs of a camera that tells it only inside its key frames."""
        stream.width, stream.height = self._size_wh
        context = stream.codec_context
        if not context.extradata:
            context.extradata = _parameter_sets(first.data, context.codec.canonical_name)

    def _begin(self, packet: Packet[VideoStream]) -> None:
        """A new connection: its codec parameters are copied, as the stream's own go with its container."""
        self.clear()
        self._stream = packet.stream
        self._time_base = packet.time_base
        holder = av.open(io.BytesIO(), "w", format="matroska")
        self._template = holder.add_stream_from_template(packet.stream, opaque=True)

    def _kept(self, packet: Packet[VideoStream]) -> _Kept:
        before = self._groups[-1].packets[-1] if self._groups else None
        step = packet.duration or round(_USUAL_SECONDS / self._time_base)
        counted_on = before.dts + step if before else 0
        pts = next((time for time in (packet.pts, packet.dts) if time is not None), counted_on)
        dts = pts if packet.dts is None else packet.dts
        return _Kept(bytes(packet), pts, dts, step, packet.is_keyframe, float(pts * self._time_base))

    def _trim(self, newest_seconds: float) -> None:
        """Drops groups from the front: those no longer needed, and those there is no room for."""
        oldest_wanted = newest_seconds - self._seconds
        while len(self._groups) > 1 and self._groups[1].packets[0].seconds <= oldest_wanted:
            self._groups.popleft()
        while self._groups and self.byte_count > self._max_bytes:
            self.oversized_count += len(self._groups) == 1
            self._groups.popleft()

    def _between(self, began: float, ended: float) -> list[_Kept]:
        packets = [packet for group in self._groups for packet in group.packets]
        last = max((index for index, packet in enumerate(packets) if packet.seconds <= ended), default=-1)
        first = max(
            (i for i, packet in enumerate(packets) if packet.key_frame and packet.seconds <= began), default=0
        )
        return packets[first : last + 1]


def _parameter_sets(key_frame: bytes, codec: str) -> bytes | None:
    """The NAL units of a key frame that say how to decode it, as a byte stream."""
    if codec not in _PARAMETER_SETS:
        return None
    mask, shift, wanted = _PARAMETER_SETS[codec]
    units = [unit for unit in _START_CODE.split(key_frame)[1:] if unit]
    sets = [unit.rstrip(b"\x00") for unit in units if (unit[0] & mask) >> shift in wanted]
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in sets) or None


def _write(
    packets: Sequence[_Kept], output: OutputContainer, stream: VideoStream, time_base: Fraction
) -> None:
    for kept, (pts, dts) in zip(packets, _container_times(packets), strict=True):
        packet = Packet(kept.data)
        packet.stream = stream
        packet.time_base = time_base
        packet.pts, packet.dts, packet.duration = pts, dts, kept.duration
        packet.is_keyframe = kept.key_frame
        output.mux(packet)


def _container_times(packets: Sequence[_Kept]) -> Iterator[tuple[int, int]]:
    """Times as a container wants them: from zero, decoded in rising order, shown no earlier than decoded."""
    start = packets[0].dts
    last = -1
    for packet in packets:
        last = max(packet.dts - start, last + 1)
        yield max(packet.pts - start, last), last
