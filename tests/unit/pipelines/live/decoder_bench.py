"""A decoder as the supervisor starts it: a real process, its control socket, ring and counters."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.live.counters import SharedCounters
from pipelines.live.messages import (
    DecoderJob,
    DecoderState,
    GapEnded,
    GateSettings,
    Message,
    SourceSettings,
    Stop,
    control_pair,
    receive,
    send,
)
from pipelines.live.ring import FrameRing, RingDescriptors
from pipelines.live.ring_source import RingSource
from tests.waiting import wait_until

MAX_PIXELS = 640 * 480
ROOT = Path(__file__).parents[4]


def job(address: str | Path, **changed: object) -> DecoderJob:
    """A recording's job, every frame of it, without a gate."""
    options = SourceSettings(
        allow_local=True, open_timeout_seconds=5.0, read_timeout_seconds=2.0, max_pixels=MAX_PIXELS
    )
    usual: dict[str, object] = {"live": False, "options": options, "gate": GateSettings(enabled=False)}
    return DecoderJob("gate", str(address), **{**usual, **changed})  # type: ignore[arg-type]


@dataclass(slots=True)
class DecoderBench:
    """One decoder process after another over the same ring.

    Attributes:
        said: every message so far, in order.
    """

    descriptors: RingDescriptors
    said: list[Message] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    control: socket.socket | None = None

    def start(self, given: DecoderJob) -> subprocess.Popen[bytes]:
        """Starts a process on a job."""
        self.end()
        self.control, theirs = control_pair()
        command = [sys.executable, "-m", "pipelines.live.decoder", str(theirs.fileno())]
        self.process = subprocess.Popen(command, pass_fds=(theirs.fileno(),), cwd=ROOT)
        theirs.close()
        send(self.control, given, self.descriptors.sent())
        self.control.setblocking(False)
        return self.process

    def tell(self, message: Message) -> None:
        """Sends a message."""
        assert self.control is not None
        send(self.control, message)

    def listen(self) -> list[Message]:
        """Everything said so far."""
        assert self.control is not None
        while True:
            try:
                received = receive(self.control)
            except (BlockingIOError, ConnectionResetError):
                return self.said
            if received is None:
                return self.said
            message, descriptors = received
            for descriptor in descriptors:
                os.close(descriptor)
            self.said.append(message)

    @property
    def states(self) -> list[DecoderState]:
        """Every state told."""
        return [message for message in self.listen() if isinstance(message, DecoderState)]

    @property
    def gaps(self) -> list[GapEnded]:
        """Every gap told, begins and ends."""
        return [message for message in self.listen() if isinstance(message, GapEnded)]

    def wait_for_phase(self, phase: str, *, seconds: float = 20.0) -> DecoderState:
        """Waits until it is told."""

        def told() -> bool:
            assert self.process is None or not self.process.poll(), "the decoder crashed"
            return any(state.phase == phase for state in self.states)

        wait_until(told, seconds=seconds)
        return next(state for state in self.states if state.phase == phase)

    def counters(self) -> SharedCounters:
        """To be closed."""
        return SharedCounters(self.descriptors.counters)

    def published(self) -> int:
        """Frames in the ring so far."""
        ring = FrameRing(self.descriptors.ring)
        try:
            return ring.published
        finally:
            ring.close()

    def settle(self) -> int:
        """As the supervisor does when a decoder has died."""
        counters = self.counters()
        lost = counters.settle_decoder(self.published())
        counters.close()
        return lost

    def stop(self, *, seconds: float = 10.0) -> int:
        """Asks it to stop; its exit code."""
        assert self.process is not None
        self.tell(Stop())
        return self.process.wait(seconds)

    def end(self) -> None:
        """Kills what runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        if self.control is not None:
            self.control.close()
            self.control = None


@contextmanager
def decoder_bench(max_pixels: int = MAX_PIXELS) -> Iterator[DecoderBench]:
    """A bench whose process, memory and sockets go with it."""
    descriptors = RingDescriptors.create(max_pixels)
    bench = DecoderBench(descriptors)
    try:
        yield bench
    finally:
        bench.end()
        descriptors.close()


@contextmanager
def ring_source(bench: DecoderBench, *, live: bool = False) -> Iterator[RingSource]:
    """A reader of its ring."""
    source = RingSource("gate", bench.descriptors, live=live)
    try:
        yield source
    finally:
        source.close()
