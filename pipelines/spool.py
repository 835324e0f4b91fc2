"""A queue on disk in front of Redis: what is in it survives this process, the machine's restart and Redis.

One file per entry, named by its number, written to a hidden name, forced to disk and only then given its own. An
entry goes when Redis has replied. One process writes to a spool at a time. Nothing in here reads a clock: order is
the numbers', over restarts too.

A disk that fails costs as little as it can: what cannot be written is refused and counted; what cannot be removed
after Redis has it is not sent again by this process; what cannot be read is passed over, left for the next start,
and counted.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Self

import structlog

from pipelines.errors import SealingError, SpoolError
from pipelines.key_files import make_private_folder, sync_folder

SUFFIX = ".json"
DEFAULT_LIMIT_BYTES = 256 * 1024 * 1024
"""About 50,000 candidates; a worker cut off for a day at one alert every two seconds."""

_NUMBER_DIGITS = 20
_REFUSED_FILE = ".refused"
_SECTOR_ERRORS = frozenset({errno.EIO, errno.EBADMSG, errno.EUCLEAN})
"""The entry itself is gone or unsure; any other error may be of the moment, and the entry is tried again."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """One event that Redis has not acknowledged.

    Attributes:
        number: grows by one with each entry of a spool, over restarts too.
        schema: of the event.
        event: UTF-8 JSON, exactly as it will be sent.
        traceparent: of the trace it belongs to; empty where nobody traces it. Sent beside the event, no part of it.
    """

    number: int
    schema: str
    event: str
    traceparent: str = ""


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
        except (OSError, SealingError) as error:
            raise SpoolError(f"{folder}: cannot be used as a spool: {error}") from error
        try:
            self._sizes = self._recover()
            self._refused_file = _RefusedFile(folder / _REFUSED_FILE)
        except OSError as error:
            self._lock.close()
            raise SpoolError(f"{folder}: cannot be used as a spool: {error}") from error
        self._size_bytes = sum(self._sizes.values())
        self._next = next(reversed(self._sizes), 0) + 1
        self._refused = self._damaged = self._unreadable = 0
        self._unremoved: set[int] = set()
        self._refusing = False

    @property
    def refused_count(self) -> int:
        """Events that found no room, since this process began; they are lost, and said to be."""
        return self._refused

    @property
    def refused_total(self) -> int:
        """Events that found no room since the spool was made, as far as the disk still took the number down."""
        return self._refused_file.total

    @property
    def refusing(self) -> bool:
        """Whether the last event found no room."""
        return self._refusing

    @property
    def damaged_count(self) -> int:
        """Entries found damaged and set aside, since this process began."""
        return self._damaged

    @property
    def unreadable_count(self) -> int:
        """Entries the disk did not give back, since this process began; the next start tries them again."""
        return self._unreadable

    @property
    def unremoved_count(self) -> int:
        """Entries Redis has that the disk did not let go of; the next start would send them once more."""
        return len(self._unremoved)

    @property
    def size_bytes(self) -> int:
        """What all entries take together."""
        return self._size_bytes

    @property
    def limit_bytes(self) -> int:
        """What they may take together."""
        return self._limit_bytes

    def __len__(self) -> int:
        with self._mutex:
            return len(self._sizes)

    def append(self, schema: str, event: str, traceparent: str = "") -> SpoolEntry:
        """Adds an event at the end; it is on disk when this returns.

        Raises:
            SpoolError: no room within the limit, or the disk refuses; the event is counted as refused.
        """
        document = {"schema": schema, "event": event}
        if traceparent:
            document["traceparent"] = traceparent
        content = json.dumps(document, ensure_ascii=False).encode()
        with self._mutex:
            entry = SpoolEntry(self._next, schema, event, traceparent)
            if self._size_bytes + len(content) > self._limit_bytes:
                full = f"full ({len(self._sizes)} entries, limit {self._limit_bytes} bytes)"
                raise self._refuse(full, "is Redis away?")
            try:
                self._write(entry.number, content)
            except OSError as error:
                raise self._refuse(
                    f"cannot be written ({error.strerror})", "mend or empty the disk"
                ) from error
            self._sizes[entry.number] = len(content)
            self._size_bytes += len(content)
            self._next += 1
            if self._refusing:
                self._refusing = False
                _log.info("spool_has_room", folder=str(self._folder), lost=self._refused)
        return entry

    def first(self) -> SpoolEntry | None:
        """The oldest entry; None where there is none. Raises as `oldest` does."""
        return next(iter(self.oldest(1)), None)

    def oldest(self, count: int, *, limit_bytes: int | None = None) -> list[SpoolEntry]:
        """The oldest entries, in order.

        A damaged one is renamed to `.damaged`, counted and passed over; so is one the disk does not give back,
        which stays as it is.

        Args:
            count: at most so many.
            limit_bytes: no further one once so much was read.

        Raises:
            SpoolError: they cannot be read for now.
        """
        found: list[SpoolEntry] = []
        read_bytes = 0
        while not found and (numbers := self._head(count)):  # all of them may be damaged: then look further
            for number, size in numbers:
                if found and limit_bytes is not None and read_bytes + size > limit_bytes:
                    break
                entry = self._read(number)
                if entry is not None:
                    found.append(entry)
                    read_bytes += size
        return found

    def remove(self, *entries: SpoolEntry) -> None:
        """Takes entries away once Redis has replied; what the disk keeps all the same is not given out again."""
        with self._mutex:
            before = bool(self._unremoved)
            for number in [*self._unremoved, *(entry.number for entry in entries)]:
                self._forget(number)
                try:
                    self._path(number).unlink(missing_ok=True)
                    self._unremoved.discard(number)
                except OSError:
                    self._unremoved.add(number)
            if bool(self._unremoved) != before:
                tell = _log.info if before else _log.error
                tell("spool_keeps_what_was_sent", folder=str(self._folder), entries=len(self._unremoved))

    def close(self) -> None:
        """Lets another process use the folder."""
        self._refused_file.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refuse(self, why: str, fix: str) -> SpoolError:
        self._refused += 1
        self._refused_file.add()
        if not self._refusing:
            self._refusing = True
            _log.error("spool_refuses", folder=str(self._folder), reason=why, entries=len(self._sizes))
        return SpoolError(f"{self._folder}: {why}: an event is lost, {self._refused} since the start; {fix}")

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:0{_NUMBER_DIGITS}d}{SUFFIX}"

    def _write(self, number: int, content: bytes) -> None:
        part = self._folder / f".{number:0{_NUMBER_DIGITS}d}.part"
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.rename(self._path(number))
            sync_folder(self._folder)
        except OSError:
            # What cannot be taken back either is sent by a later start: then more arrives than was promised.
            for path in (part, self._path(number)):
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            raise

    def _head(self, count: int) -> list[tuple[int, int]]:
        with self._mutex:
            return list(islice(self._sizes.items(), count))

    def _read(self, number: int) -> SpoolEntry | None:
        """The entry; None where it is not to be had, which is counted and told, and it is not looked at again."""
        path = self._path(number)
        try:
            document = json.loads(path.read_bytes())
            schema, event = document["schema"], document["event"]
            if isinstance(schema, str) and isinstance(event, str):
                return SpoolEntry(number, schema, event, str(document.get("traceparent", "")))
            self._set_aside(number, "holds no text")
        except FileNotFoundError:
            self._pass_over(number)  # somebody removed it: nothing is left to send
        except OSError as error:
            if error.errno not in _SECTOR_ERRORS:
                raise SpoolError(f"{path}: cannot be read: {error.strerror}") from error
            self._unreadable += 1
            self._pass_over(number)
            _log.error("spool_entry_unreadable", path=str(path), reason=error.strerror)
        except (ValueError, KeyError, TypeError) as error:
            self._set_aside(number, type(error).__name__)
        return None

    def _set_aside(self, number: int, reason: str) -> None:
        path = self._path(number)
        self._damaged += 1
        self._pass_over(number)
        _log.error("spool_entry_damaged", path=str(path), reason=reason)
        with suppress(OSError):  # a disk that cannot rename gives it again at the next start
            path.replace(path.with_suffix(".damaged"))

    def _pass_over(self, number: int) -> None:
        with self._mutex:
            self._forget(number)

    def _forget(self, number: int) -> None:
        """To be called with the lock held."""
        self._size_bytes -= self._sizes.pop(number, 0)

    def _recover(self) -> OrderedDict[int, int]:
        """What an earlier process left: the sizes of whole entries, by number; half-written ones go."""
        found: dict[int, int] = {}
        with os.scandir(self._folder) as items:
            for item in items:
                stem, dot, suffix = item.name.rpartition(".")
                if dot + suffix == ".part":
                    Path(item.path).unlink()
                elif dot + suffix == SUFFIX and _is_number(stem):
                    found[int(stem)] = _size_of(item)
        return OrderedDict(sorted(found.items()))


class _RefusedFile:
    """How many events found no room, in a file written in place: a full disk takes that, too."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        text = os.pread(self._handle, _NUMBER_DIGITS, 0)
        self.total = int(text) if text.isdigit() else 0
        if not text:
            self._write()

    def add(self) -> None:
        self.total += 1
        with suppress(OSError):  # the number is told by other ways as well
            self._write()

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1

    def _write(self) -> None:
        os.pwrite(self._handle, b"%0*d" % (_NUMBER_DIGITS, self.total), 0)


def _is_number(stem: str) -> bool:
    return len(stem) == _NUMBER_DIGITS and stem.isascii() and stem.isdecimal()


def _size_of(item: os.DirEntry[str]) -> int:
    """Of a file; nothing where the disk does not say: reading it will."""
    try:
        return item.stat().st_size
    except OSError:
        return 0


def _locked(folder: Path) -> IO[bytes]:
    handle = os.open(folder / ".lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    lock = os.fdopen(handle, "wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise SpoolError(f"{folder}: another process uses this spool") from error
    return lock
