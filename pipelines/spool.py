"""A queue on disk in front of Redis: what is in it survives this process, the machine's restart and Redis.

One file per entry, named by its number, written to a hidden name, forced to disk and only then given its own. An
entry goes when Redis has replied. One process writes to a spool at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from pipelines.errors import SealingError, SpoolError
from pipelines.key_files import make_private_folder, sync_folder

SUFFIX = ".json"
DEFAULT_LIMIT_BYTES = 256 * 1024 * 1024
"""About 50,000 candidates; a worker cut off for a day at one alert every two seconds."""


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """One event that Redis has not acknowledged.

    Attributes:
        number: grows by one with each entry of a spool, over restarts too.
        schema: of the event.
        event: UTF-8 JSON, exactly as it will be sent.
    """

    number: int
    schema: str
    event: str


class Spool:
    """Entries in order; safe to use from several threads of one process; a context manager."""

    def __init__(self, folder: Path, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        """
        Args:
            folder: made where missing, its owner's alone.
            limit_bytes: what all entries may take together.

        Raises:
            SpoolError: the folder cannot be used, or another process uses it.
        """
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._mutex = threading.Lock()
        try:
            make_private_folder(folder)
            self._lock = _locked(folder)
            self._sizes = self._recover()
        except (OSError, SealingError) as error:
            raise SpoolError(f"{folder}: cannot be used as a spool: {error}") from error
        self._next = max(self._sizes, default=0) + 1
        self._refused = 0
        self._damaged = 0

    @property
    def refused_count(self) -> int:
        """Events that found no room, since this process began; they are lost, and said to be."""
        return self._refused

    @property
    def damaged_count(self) -> int:
        """Entries found damaged and set aside, since this process began."""
        return self._damaged

    @property
    def size_bytes(self) -> int:
        """What all entries take together."""
        with self._mutex:
            return sum(self._sizes.values())

    def __len__(self) -> int:
        with self._mutex:
            return len(self._sizes)

    def append(self, schema: str, event: str) -> SpoolEntry:
        """Adds an event at the end; it is on disk when this returns.

        Raises:
            SpoolError: no room within the limit, or the disk refuses; the event is counted as refused.
        """
        content = json.dumps({"schema": schema, "event": event}, ensure_ascii=False).encode()
        with self._mutex:
            entry = SpoolEntry(self._next, schema, event)
            if sum(self._sizes.values()) + len(content) > self._limit_bytes:
                self._refused += 1
                raise SpoolError(
                    f"{self._folder}: full ({len(self._sizes)} entries, limit {self._limit_bytes} bytes): an event "
                    f"is lost, {self._refused} since the start; is Redis away?"
                )
            try:
                self._write(entry.number, content)
            except OSError as error:
                self._refused += 1
                raise SpoolError(
                    f"{self._folder}: cannot be written ({error.strerror}): an event is lost, {self._refused} "
                    "since the start"
                ) from error
            self._sizes[entry.number] = len(content)
            self._next += 1
        return entry

    def first(self) -> SpoolEntry | None:
        """The oldest entry; None where there is none.

        A damaged one is renamed to `.damaged`, counted and passed over.

        Raises:
            SpoolError: the disk does not give it.
        """
        while True:
            with self._mutex:
                number = min(self._sizes, default=None)
            if number is None:
                return None
            try:
                return self._read(number)
            except FileNotFoundError:
                self._forget(number)  # somebody removed it; there is nothing left to send
            except OSError as error:
                raise SpoolError(f"{self._path(number)}: cannot be read: {error.strerror}") from error
            except (ValueError, KeyError, TypeError):
                self._set_aside(number)

    def remove(self, entry: SpoolEntry) -> None:
        """Takes an entry away once Redis has replied; raises SpoolError where the disk refuses."""
        try:
            self._path(entry.number).unlink(missing_ok=True)
        except OSError as error:
            raise SpoolError(f"{self._folder}: an entry cannot be removed: {error.strerror}") from error
        self._forget(entry.number)

    def close(self) -> None:
        """Lets another process use the folder."""
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:020d}{SUFFIX}"

    def _write(self, number: int, content: bytes) -> None:
        part = self._folder / f".{number:020d}.part"
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.rename(self._path(number))
            sync_folder(self._folder)
        except OSError:
            part.unlink(missing_ok=True)
            self._path(number).unlink(missing_ok=True)
            raise

    def _read(self, number: int) -> SpoolEntry:
        document = json.loads(self._path(number).read_bytes())
        schema, event = document["schema"], document["event"]
        if not isinstance(schema, str) or not isinstance(event, str):
            raise TypeError("a spool entry holds no text")
        return SpoolEntry(number, schema, event)

    def _set_aside(self, number: int) -> None:
        path = self._path(number)
        try:
            path.replace(path.with_suffix(".damaged"))
        except OSError as error:
            raise SpoolError(f"{path}: is damaged and cannot be set aside: {error.strerror}") from error
        self._damaged += 1
        self._forget(number)

    def _forget(self, number: int) -> None:
        with self._mutex:
            self._sizes.pop(number, None)

    def _recover(self) -> dict[int, int]:
        for part in self._folder.glob(".*.part"):
            part.unlink()
        return {
            int(path.stem): path.stat().st_size
            for path in sorted(self._folder.glob(f"*{SUFFIX}"))
            if path.stem.isdigit()
        }


def _locked(folder: Path) -> IO[bytes]:
    handle = os.open(folder / ".lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    lock = os.fdopen(handle, "wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise SpoolError(f"{folder}: another process uses this spool") from error
    return lock
