"""The decoder's process: `python -m pipelines.live.decoder DESCRIPTOR`, where DESCRIPTOR is its control socket.

It parses what a camera sends, which may be hostile, so it holds no key and knows no Redis, and takes its limits
before it loads what parses. What to decode comes over the socket, as addresses hold passwords, and arguments and
environment can be read by others. It ends with exit code 0 however its source ends: `DecoderState` says how.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from pipelines.live.clip_memory import to_memory
from pipelines.live.clip_messages import ClipMade, ClipWanted
from pipelines.live.limits import DecoderLimits, end_with_parent, harden, limit_decoder, one_thread_each
from pipelines.live.messages import DecoderJob, MasksChanged, Message, Stop, receive, send

if TYPE_CHECKING:
    from pipelines.live.clip_maker import ClipMaker
    from pipelines.live.decoder_run import DecoderRun

WRONG_USAGE, STUCK = 2, 74
"""Exit codes; `STUCK`: FFmpeg did not come back, and only the end of the process ends that."""

_CHECK_MS = 500
_STOP_SECONDS = 1.5
"""What the source has to come back after it is to stop; the supervisor kills somewhat later."""


class Control:
    """Our end of the control socket; sending is safe from several threads."""

    def __init__(self, control: socket.socket) -> None:
        self._socket = control
        self._sending = threading.Lock()

    def tell(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        """Sends a message. Without anybody to read it, it is lost: `next` says that they are gone."""
        with self._sending, suppress(BrokenPipeError, ConnectionResetError):
            send(self._socket, message, descriptors)

    def deliver(self, made: ClipMade, contents: tuple[bytes, ...]) -> None:
        """Sends a clip, its parts in memory of their own."""
        descriptors = tuple(to_memory(content) for content in contents)
        try:
            self.tell(made, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def next(self) -> tuple[Message, tuple[int, ...]] | None:
        """The next message; None where the supervisor is gone."""
        try:
            return receive(self._socket)
        except ConnectionResetError:
            return None

    def waits(self, timeout_ms: int) -> bool:
        """Whether there is something to read, waiting up to so long."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(timeout_ms))


def main(arguments: list[str]) -> int:
    """Runs the process; returns its exit code."""
    sys.excepthook = _say_places
    one_thread_each(os.environ)
    end_with_parent(os.getppid())
    harden()
    try:
        control = Control(socket.socket(fileno=int(arguments[0])))
    except (IndexError, ValueError, OSError):
        sys.stderr.write("this program is started by `aiqyn work`, with a socket to it\n")
        return WRONG_USAGE
    first = control.next()
    if first is None:
        return 0
    job, descriptors = first
    if not isinstance(job, DecoderJob) or len(descriptors) != 4:
        sys.stderr.write("the first message to a decoder must be its job, with four descriptors\n")
        return WRONG_USAGE
    with_device = job.options.hardware_decode is not None
    ring_bytes = os.fstat(descriptors[0]).st_size
    limit_decoder(DecoderLimits.of(job.options.max_pixels, ring_bytes, with_device=with_device))
    _decode(job, descriptors, control)
    return 0


def _decode(job: DecoderJob, descriptors: tuple[int, ...], control: Control) -> None:
    """Loads what parses, now that the limits hold, and runs it."""
    import cv2

    from pipelines.live.decoder_run import DecoderRun
    from pipelines.live.ring import RingDescriptors

    cv2.setNumThreads(1)
    ring = RingDescriptors(*descriptors)
    clips = _clip_maker(job, control, lambda: run.shift_seconds)
    run = DecoderRun(job, ring, control.tell, clips.tap if clips else None)
    signal.signal(signal.SIGTERM, lambda *_: run.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor gets it as well, and tells us
    threading.Thread(target=_listen, args=(control, run, clips), name="control", daemon=True).start()
    run.run()
    if clips is not None:
        clips.close(_STOP_SECONDS)
    run.close()


def _listen(control: Control, run: DecoderRun, clips: ClipMaker | None) -> None:
    """Does what the supervisor says, and ends the process where its source does not come back."""
    while not run.stopping:
        if control.waits(_CHECK_MS):
            message = control.next()
            if message is None or isinstance(message[0], Stop):
                run.stop()
            elif isinstance(message[0], MasksChanged):
                if clips is not None:
                    clips.masks_changed(message[0].privacy_masks)
                run.set_masks(message[0])
            elif isinstance(message[0], ClipWanted) and clips is not None:
                clips.want(message[0])
        if run.stuck:
            run.give_up()
            os._exit(STUCK)
    time.sleep(_STOP_SECONDS)
    os._exit(0)


def _clip_maker(job: DecoderJob, control: Control, shift_seconds: Callable[[], float]) -> ClipMaker | None:
    seconds = job.clip_seconds_before + job.clip_seconds_after
    if seconds <= 0:
        return None
    from pipelines.live.clip_maker import ClipMaker

    return ClipMaker(seconds, job.privacy_masks, control.deliver, shift_seconds=shift_seconds)


def _say_places(
    kind: type[BaseException],
    error: BaseException,  # noqa: ARG001 what it says is the point
    trace: TracebackType | None,
) -> None:  # pragma: no cover - the process ends
    """Where an unexpected error came from, and not what it said: texts of libraries may hold an address."""
    places = "; ".join(f"{place.filename}:{place.lineno}" for place in traceback.extract_tb(trace))
    sys.stderr.write(f"decoder: unexpected {kind.__name__} at {places}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
