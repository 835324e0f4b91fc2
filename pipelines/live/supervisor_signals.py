"""What signals say to a supervisor: kept for the one thread that waits, as a signal comes between any two steps."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

STOP: Final = b"\0"
RELOAD: Final = b"\1"


class Words:
    """Left from anywhere, a signal handler among that; taken by the thread that waits for `fileno`."""

    def __init__(self) -> None:
        self._taken, self._left = socket.socketpair()
        for one in (self._taken, self._left):
            one.setblocking(False)

    def fileno(self) -> int:
        """Readable while there is something to take."""
        return self._taken.fileno()

    def leave(self, word: bytes) -> None:
        """Leaves one."""
        try:
            self._left.send(word)
        except (BlockingIOError, OSError):
            return  # it is full, or everything has ended

    def taken(self) -> bytes:
        """All that were left since; the same one twice means the same as once."""
        return self._taken.recv(4096)

    def close(self) -> None:
        """Takes and leaves nothing any more."""
        self._taken.close()
        self._left.close()


class Signalled(Protocol):
    """Who does what signals say."""

    def stop(self) -> None:
        """Ends everything in order."""

    def reload(self) -> None:
        """Reads the settings again."""


def _has_terminal() -> bool:
    """Whether this process has a terminal, and that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


class EarlyReload:
    """SIGHUP before there is anybody to read the settings again: remembered, where it would end the process."""

    def __init__(self) -> None:
        self.came = False
        signal.signal(signal.SIGHUP, self._note)

    def _note(self, *_: object) -> None:
        self.came = True


@contextmanager
def ended_by_signals(supervisor: Signalled) -> Iterator[None]:
    """SIGTERM and SIGINT end it in order; SIGHUP has it read its settings again, and ends it with its terminal."""
    began_on_terminal = _has_terminal()

    def end(*_: object) -> None:
        supervisor.stop()

    def reload(*_: object) -> None:
        if began_on_terminal and not _has_terminal():
            supervisor.stop()
        else:
            supervisor.reload()

    wanted = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: reload}
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
