"""What crosses the control sockets of a camera's processes: frozen dataclasses, one JSON document each.

A control socket is a `SOCK_SEQPACKET` pair, so that a message is one packet; descriptors travel beside it
(`SCM_RIGHTS`). What a decoder says was written by a process that parses hostile bytes: `receive` takes nothing
that is not exactly one of these types, within its bounds.
"""

from __future__ import annotations

import json
import math
import os
import socket
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from pipelines.errors import PipelineError
from pipelines.live.clip_messages import ClipMade, ClipWanted
from vision.polygons import Polygon

MOST_BYTES = 128 * 1024
"""Of one message; a packet must fit the socket's buffer as a whole."""

MOST_DESCRIPTORS = 8
LONGEST_TEXT = 4096

Phase: TypeAlias = Literal["waiting", "opening", "running", "retrying", "failed", "ended", "stopped"]
GapReason: TypeAlias = Literal[
    "unreachable",
    "refused",
    "stalled",
    "frozen",
    "undecodable",
    "decoder_died",
    "matcher_away",
    "not_searched",
    "settings_changed",
]


class MessageError(PipelineError):
    """A message on a control socket that is none, or is too large."""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How a camera is opened; as `vision.sources.SourceOptions`, and when its pictures count as frozen.

    Attributes:
        transport: how RTSP travels.
        open_timeout_seconds: how long an address may take to answer.
        read_timeout_seconds: no picture for so long is a stall: the camera is opened anew.
        hardware_decode: FFmpeg's name of a device (`cuda`, `vaapi`, …), or `auto`; None: software.
        allow_local: lets addresses of this machine and its neighbourhood be opened.
        max_pixels: larger pictures are refused; sizes the ring, too.
        frozen_seconds: identical pictures for so long are told as a gap; None: never.
    """

    transport: Literal["tcp", "udp"] = "tcp"
    open_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 10.0
    hardware_decode: str | None = None
    allow_local: bool = False
    max_pixels: int = 8_847_360
    frozen_seconds: float | None = 10.0


@dataclass(frozen=True, slots=True)
class GateSettings:
    """As `motion_gate` of a camera's settings; `vision.detect.gate.GateOptions` says what each means."""

    enabled: bool = True
    min_moving_share: float = 0.0001
    heartbeat_seconds: float = 10.0
    linger_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class DecoderJob:
    """Supervisor → decoder, first of all; beside it `RingDescriptors.sent()`.

    Attributes:
        address: of the source, with its secrets; in no log and no repr.
        live: a camera: opened again whenever it is lost, the newest frame wins. Otherwise a recording.
        inference_fps: frames a second the ring is to carry; None: all.
        privacy_masks: burnt in before a picture leaves the process.
        detection_masks: where nothing is looked for; the gate takes no motion there.
        clip_seconds_before: of packets kept for a clip; 0: none.
        clip_seconds_after: how long a clip goes on.
    """

    camera_id: str
    address: str = field(repr=False)
    live: bool
    inference_fps: float | None = None
    options: SourceSettings = field(default_factory=SourceSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    privacy_masks: tuple[Polygon, ...] = ()
    detection_masks: tuple[Polygon, ...] = ()
    clip_seconds_before: float = 0.0
    clip_seconds_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Stop:
    """Supervisor → decoder: end soon, and count what is under way."""


@dataclass(frozen=True, slots=True)
class MasksChanged:
    """Supervisor → decoder: other masks from the next picture on."""

    privacy_masks: tuple[Polygon, ...]
    detection_masks: tuple[Polygon, ...]


@dataclass(frozen=True, slots=True)
class DecoderState:
    """Decoder → supervisor → matcher: what the camera is doing, at every change.

    Attributes:
        phase: `opening`, `running`, `retrying`, `failed`, `ended` or `stopped`.
        detail: why, in words free of credentials.
        size_wh: upright pixels; None before the first picture.
        fps: as the source states it; None where it does not.
        codec: FFmpeg's name; None before the source is open.
        decoding: `software`, or the device that decodes.
        reconnects: how often a running camera was lost and came back since the process began.
        rebased: how often its clock jumped or wrapped, so that `pts_seconds` were shifted to go on.
    """

    camera_id: str
    phase: Phase
    detail: str = ""
    size_wh: tuple[int, int] | None = None
    fps: float | None = None
    codec: str | None = None
    decoding: str = "software"
    reconnects: int = 0
    rebased: int = 0


@dataclass(frozen=True, slots=True)
class GapEnded:
    """Decoder → supervisor → matcher: a stretch without anything to look at; sent when it begins and when it ends.

    Attributes:
        began_at: UTC; when the last good picture came.
        ended_at: UTC; when the next one came; None while it lasts.
    """

    camera_id: str
    began_at: datetime
    ended_at: datetime | None
    reason: GapReason


Message: TypeAlias = DecoderJob | Stop | MasksChanged | DecoderState | GapEnded | ClipWanted | ClipMade
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Message)}


def control_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a control socket; pass one on by its descriptor and close it here."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(control: socket.socket, message: Message, descriptors: tuple[int, ...] = ()) -> None:
    """Sends one message; the descriptors stay the sender's to close.

    Raises:
        MessageError: too large, or with too many descriptors.
        OSError: nobody is at the other end any more; or a non-blocking socket is full.
    """
    data = encode(message)
    if len(data) > MOST_BYTES or len(descriptors) > MOST_DESCRIPTORS:
        raise MessageError(f"{type(message).__name__} is too large for a control socket ({len(data)} bytes)")
    socket.send_fds(control, [data], descriptors)


def receive(control: socket.socket) -> tuple[Message, tuple[int, ...]] | None:
    """The next message and the descriptors beside it, which are the receiver's to close; None at the end.

    Raises:
        MessageError: not one of the messages; its descriptors are closed.
        OSError: the connection broke; or nothing is there on a non-blocking socket.
    """
    data, descriptors, flags, _ = socket.recv_fds(control, MOST_BYTES, MOST_DESCRIPTORS)
    if not data:
        _close(descriptors)
        return None
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise MessageError("a message on a control socket was cut off")
        return decode(data), tuple(descriptors)
    except MessageError:
        _close(descriptors)
        raise


def encode(message: Message) -> bytes:
    """One JSON document: the fields, and `type`."""
    document = {"type": type(message).__name__, **_plain(message)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def decode(data: bytes) -> Message:
    """The message of one JSON document.

    Raises:
        MessageError: not JSON, of no known type, or with fields that are missing, unknown or of other types.
    """
    try:
        document = json.loads(data)
        kind = _KINDS[document.pop("type")]
        message: Message = _built(kind, document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MessageError(f"a message on a control socket cannot be read ({type(error).__name__})") from None
    return message


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


@cache
def _types_of(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _built(wanted: Any, value: Any) -> Any:
    """`value` as the wanted type.

    Raises:
        ValueError, TypeError: it is not.
    """
    if is_dataclass(wanted) and isinstance(wanted, type):
        types = _types_of(wanted)
        if not isinstance(value, dict) or not value.keys() <= types.keys():
            raise ValueError
        return wanted(**{name: _built(types[name], each) for name, each in value.items()})
    origin, choices = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        if value is None and NoneType in choices:
            return None
        (wanted,) = (choice for choice in choices if choice is not NoneType)
        return _built(wanted, value)
    if origin is tuple:
        return _built_tuple(choices, value)
    if origin is Literal:
        if value not in choices:
            raise ValueError
        return value
    return _built_single(wanted, value)


def _built_tuple(choices: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError
    if choices[-1] is Ellipsis:
        return tuple(_built(choices[0], each) for each in value)
    return tuple(_built(choice, each) for choice, each in zip(choices, value, strict=True))


def _built_single(wanted: type[Any], value: Any) -> Any:
    if wanted is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted or (wanted is str and len(value) > LONGEST_TEXT):
        raise TypeError
    if wanted is float and not math.isfinite(value):
        raise ValueError
    return value


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
