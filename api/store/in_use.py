"""Whether somebody works with an SQLite database: everybody who opens it holds a shared lock beside it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InUse:
    """A shared hold on a database file; let go of by `close`, or with the process."""

    def __init__(self, database: Path) -> None:
        self._handle = os.open(_lock_file(database), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def close(self) -> None:
        """Lets go."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


@contextmanager
def alone(database: Path) -> Iterator[bool]:
    """Whether nobody else works with the database; while this lasts, nobody begins to."""
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(_lock_file(database), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _lock_file(database: Path) -> Path:
    return database.with_name(f"{database.name}.in-use")
