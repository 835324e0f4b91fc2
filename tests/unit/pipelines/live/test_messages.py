"""Control messages: whole, typed, with their descriptors, and nothing else."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.live.clip_messages import ClipLook, ClipMade, ClipPart, ClipWanted
from pipelines.live.messages import (
    MOST_BYTES,
    DecoderJob,
    DecoderState,
    GapEnded,
    GateSettings,
    MasksChanged,
    Message,
    MessageError,
    SourceSettings,
    Stop,
    control_pair,
    decode,
    encode,
    receive,
    send,
)
from vision.polygons import Polygon

TRIANGLE = Polygon(((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)))
NOW = datetime(2026, 11, 22, 23, 30, 0, 250_000, UTC)
JOB = DecoderJob(
    "gate",
    "rtsp://admin:hunter2@10.0.0.7/main",
    True,
    5.0,
    SourceSettings("udp", hardware_decode="auto", frozen_seconds=None),
    GateSettings(heartbeat_seconds=3),
    (TRIANGLE,),
    (TRIANGLE, TRIANGLE),
    10.0,
    5.0,
)

MESSAGES: list[Message] = [
    JOB,
    DecoderJob("door", "/recordings/door.mp4", False),
    Stop(),
    MasksChanged((), (TRIANGLE,)),
    DecoderState("gate", "running", "", (1920, 1080), 25.0, "h264", "cuda", 3, 1),
    DecoderState("gate", "retrying", "no answer in time"),
    GapEnded("gate", NOW, None, "stalled"),
    GapEnded("gate", NOW, NOW, "frozen"),
    ClipWanted("gate", "c1", 1.0, 2.0, (ClipLook(1.5, (0.1, 0.2, 0.3, 0.4)),)),
    ClipMade("gate", "c1", (ClipPart("clip", "video/mp4", 640, 480, 1.0, 2.0, 12_345),)),
]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = control_pair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(
    pair: tuple[socket.socket, socket.socket], message: Message
) -> None:
    send(pair[0], message)
    assert receive(pair[1]) == (message, ())


def test_descriptors_travel_beside_it(pair: tuple[socket.socket, socket.socket]) -> None:
    memory = os.memfd_create("sent")
    os.write(memory, b"frames")
    send(pair[0], Stop(), (memory, memory))
    os.close(memory)
    received = receive(pair[1])
    assert received is not None
    for descriptor in received[1]:
        assert os.pread(descriptor, 6, 0) == b"frames"
        os.close(descriptor)


def test_the_end_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    assert receive(pair[1]) is None


def test_messages_keep_apart(pair: tuple[socket.socket, socket.socket]) -> None:
    for message in MESSAGES:
        send(pair[0], message)
    assert [received[0] for _ in MESSAGES if (received := receive(pair[1]))] == MESSAGES


def test_secrets_are_in_no_repr() -> None:
    assert "hunter2" not in repr(JOB)
    assert JOB.address in encode(JOB).decode()


def changed(message: Message, **fields: Any) -> bytes:
    return json.dumps({**json.loads(encode(message)), **fields}).encode()


def descriptor_count() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


STATE = MESSAGES[5]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"7", id="a number"),
        pytest.param(b'{"type": "Exec"}', id="unknown"),
        pytest.param(b'{"type": ["Stop"]}', id="no name"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(changed(STATE, more=1), id="a field too many"),
        pytest.param(b'{"type": "DecoderState"}', id="fields missing"),
        pytest.param(changed(STATE, phase="flying"), id="no such phase"),
        pytest.param(changed(STATE, phase=[]), id="no phase at all"),
        pytest.param(changed(STATE, size_wh=[1920]), id="half a size"),
        pytest.param(changed(STATE, size_wh=[1920, 1080, 3]), id="more than a size"),
        pytest.param(changed(STATE, size_wh=7), id="no size"),
        pytest.param(changed(STATE, reconnects="3"), id="a number as text"),
        pytest.param(changed(STATE, reconnects=True), id="a number as truth"),
        pytest.param(changed(STATE, fps=float("inf")), id="not finite"),
        pytest.param(changed(STATE, detail="x" * 5000), id="a long text"),
        pytest.param(changed(MESSAGES[6], began_at="2026-11-22T23:30:00"), id="a time without its offset"),
        pytest.param(changed(MESSAGES[6], began_at=7), id="no time"),
        pytest.param(changed(MESSAGES[6], reason="bored"), id="no such reason"),
        pytest.param(changed(MESSAGES[3], detection_masks=[{"points": [[0, 0], [1, 1]]}]), id="no polygon"),
    ],
)
def test_anything_else_is_refused_without_repeating_it(
    pair: tuple[socket.socket, socket.socket], data: bytes
) -> None:
    if not data:
        with pytest.raises(MessageError):
            decode(data)
        return
    memory = os.memfd_create("sent")
    before = descriptor_count()
    socket.send_fds(pair[0], [data], [memory])
    with pytest.raises(MessageError, match="cannot be read"):
        receive(pair[1])
    assert descriptor_count() == before, "its descriptors are closed"
    os.close(memory)


def test_what_was_cut_off_is_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].send(b" " * (MOST_BYTES + 1))
    with pytest.raises(MessageError, match="cut off"):
        receive(pair[1])


def test_what_is_too_large_is_not_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(MessageError, match="too large"):
        send(pair[0], MasksChanged((TRIANGLE,) * 5000, ()))
