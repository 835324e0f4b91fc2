"""What crosses the socket between supervisor and matching process, beside what decoders say (`messages`).

Both sides are ours and parse nothing hostile; what came from a decoder was checked by the supervisor before. A
message too large for a packet travels in anonymous memory beside it.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any, Literal, TypeAlias, get_args

from pydantic import TypeAdapter

from pipelines.live import messages
from pipelines.live.messages import MessageError
from vision.polygons import Polygon

INLINE_BYTES = 64 * 1024
MOST_MEMORY_BYTES = 64 * 1024 * 1024

DeathKind: TypeAlias = Literal["signal", "limit", "exit", "hung", "gallery_changed"]


@dataclass(frozen=True, slots=True)
class MatcherJob:
    """Supervisor → matcher, first of all.

    Attributes:
        config: the settings, as a JSON document; addresses in it name their secrets only.
        redis_address: with its secrets; None: there is none.
        redis_username: of the settings; None: the worker's own.
        redis_password: of the settings; None: that of the worker's keys.
        exit_when_done: whether to end once every recording is over and all is sent.
        note: as in `CamerasChanged`.
    """

    config: dict[str, Any]
    redis_address: str | None = field(repr=False)
    redis_username: str | None
    redis_password: str | None = field(repr=False)
    exit_when_done: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """Matcher → supervisor: the models are loaded."""


@dataclass(frozen=True, slots=True)
class Go:
    """Supervisor → matcher: no other one runs; open keys, spool and galleries, and watch the cameras."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Matcher → supervisor: still alive; once a second."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Supervisor → matcher: end in order."""


@dataclass(frozen=True, slots=True)
class CamerasChanged:
    """Supervisor → matcher, also before `Go`: the settings were read again.

    Attributes:
        cameras: all there are from now on, as JSON documents by id; addresses in them name their secrets only.
        note: what stands in the settings file and is not in force, in a line; empty: nothing.
        refused: why cameras that the service gives are not watched, by id.
    """

    cameras: dict[str, Any]
    note: str
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CamerasGiven:
    """Matcher → supervisor: all cameras the service gives this worker, as JSON documents of `GivenCamera` by id."""

    cameras: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CameraWanted:
    """Matcher → supervisor: open a camera, or say where the one that is open has its ring.

    Attributes:
        opening: a number of the asker's, which the answers repeat.
    """

    camera_id: str
    opening: int
    privacy_masks: tuple[Polygon, ...] = ()
    detection_masks: tuple[Polygon, ...] = ()


@dataclass(frozen=True, slots=True)
class CameraMasks:
    """Matcher → supervisor: other masks for an open camera, from its next picture on."""

    camera_id: str
    privacy_masks: tuple[Polygon, ...]
    detection_masks: tuple[Polygon, ...]


@dataclass(frozen=True, slots=True)
class CameraLeft:
    """Matcher → supervisor: a camera is not read any more; its decoder is to end."""

    camera_id: str


@dataclass(frozen=True, slots=True)
class CameraOpened:
    """Supervisor → matcher; beside it `RingDescriptors.sent()`. Whether pictures come, `DecoderState` says."""

    camera_id: str
    opening: int


@dataclass(frozen=True, slots=True)
class CameraRefused:
    """Supervisor → matcher: nothing can be opened, and why."""

    camera_id: str
    opening: int
    reason: str


@dataclass(frozen=True, slots=True)
class CameraClosed:
    """Supervisor → matcher, after `CameraLeft`: the decoder is gone, and what it had in its hands is counted."""

    camera_id: str
    opening: int


@dataclass(frozen=True, slots=True)
class ChildDied:
    """Supervisor → matcher: a process was lost and is replaced.

    Attributes:
        process: which.
        camera_id: of a decoder; empty otherwise.
        kind: why, in one word.
        detail: why, in one line.
    """

    process: Literal["decoder", "matcher"]
    camera_id: str
    kind: DeathKind
    detail: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Matcher → supervisor: it cannot begin, and what to do about it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Matcher → supervisor, last of all: `WorkerReport` as a JSON document."""

    report: dict[str, Any]


ControlMessage: TypeAlias = (
    MatcherJob
    | Ready
    | Go
    | Beat
    | Leave
    | CamerasChanged
    | CamerasGiven
    | CameraWanted
    | CameraMasks
    | CameraLeft
    | CameraOpened
    | CameraRefused
    | CameraClosed
    | ChildDied
    | Refused
    | Ended
)
AnyMessage: TypeAlias = ControlMessage | messages.Message

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(ControlMessage)}
_IN_MEMORY = b'{"type":"InMemory"}'


def send(control: socket.socket, message: AnyMessage, descriptors: tuple[int, ...] = ()) -> None:
    """Sends one message; the descriptors stay the sender's to close.

    Raises:
        MessageError: too large.
        OSError: nobody is at the other end any more; or a non-blocking socket is full.
    """
    data = encode(message)
    if len(data) <= INLINE_BYTES:
        socket.send_fds(control, [data], descriptors)
        return
    if len(data) > MOST_MEMORY_BYTES:
        raise MessageError(f"{type(message).__name__} is too large for a control socket ({len(data)} bytes)")
    memory = os.memfd_create("aiqyn-message", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(memory), "wb") as file:
            file.write(data)
        socket.send_fds(control, [_IN_MEMORY], (memory, *descriptors))
    finally:
        os.close(memory)


def receive(control: socket.socket) -> tuple[AnyMessage, tuple[int, ...]] | None:
    """The next message and the descriptors beside it, which are the receiver's to close; None at the end.

    Raises:
        MessageError: not one of the messages; its descriptors are closed.
        OSError: the connection broke; or nothing is there on a non-blocking socket.
    """
    most = messages.MOST_DESCRIPTORS + 1
    data, received, flags, _ = socket.recv_fds(control, messages.MOST_BYTES, most)
    descriptors = tuple(received)
    if not data:
        close_all(descriptors)
        return None
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise MessageError("a message on a control socket was cut off")
        if data != _IN_MEMORY:
            return decode(data), descriptors
        message = decode(_read_memory(descriptors))
    except MessageError:
        close_all(descriptors)
        raise
    os.close(descriptors[0])
    return message, descriptors[1:]


def encode(message: AnyMessage) -> bytes:
    """One JSON document: the fields, and `type`."""
    if type(message).__name__ not in _KINDS:
        return messages.encode(message)  # type: ignore[arg-type]
    document = {"type": type(message).__name__, **asdict(message)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def decode(data: bytes) -> AnyMessage:
    """The message of one JSON document.

    Raises:
        MessageError: not a message of this socket.
    """
    try:
        document = json.loads(data)
        name = document["type"]
        if name not in _KINDS:
            return messages.decode(data)
        del document["type"]
        if not document.keys() <= {each.name for each in fields(_KINDS[name])}:
            raise ValueError
        built: ControlMessage = _adapter(name).validate_python(document)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        # Nothing of it is repeated: some of them carry secrets.
        raise MessageError(f"a message on a control socket cannot be read ({type(error).__name__})") from None
    return built


def close_all(descriptors: tuple[int, ...]) -> None:
    """Closes descriptors that came with a message nobody wants."""
    for descriptor in descriptors:
        os.close(descriptor)


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_KINDS[name])


def _read_memory(descriptors: tuple[int, ...]) -> bytes:
    if not descriptors:
        raise MessageError("a message on a control socket lacks its memory")
    size = os.fstat(descriptors[0]).st_size
    if size > MOST_MEMORY_BYTES:
        raise MessageError(f"a message on a control socket is too large ({size} bytes)")
    return os.pread(descriptors[0], size, 0)
