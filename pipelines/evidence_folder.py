"""Sealed blobs in a local folder, forced to disk, until the disk's reserve is reached.

fsspec does not force to disk, so it is done here. A blob is whole or not there.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipelines.errors import EvidenceError, EvidenceFullError, EvidenceMissingError
from pipelines.evidence_blobs import MAX_SEALED_BYTES, SUFFIX, Blob, reason_of, whole
from pipelines.key_files import sync_folder

RESUME_SHARE = 1.05
"""Of the reserve that must be free before writing goes on, so that it does not stop and go with every blob."""

LEAST_FREE_BYTES = 4 * 1024 * 1024
"""A disk with less is full, whatever the reserve."""

LEFTOVER_SECONDS = 3600.0
"""A part of a blob that is so old belongs to a process that died."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def free_bytes(folder: Path) -> int:
    """What an ordinary process may still write on the disk of a folder, which need not exist yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class FolderPlace:
    """Blobs as files, forced to disk, until the disk's reserve is reached."""

    remote = False

    def __init__(
        self, root: Path, *, min_free_bytes: int = 0, free: Callable[[Path], int] = free_bytes
    ) -> None:
        """
        Args:
            root: of the store; made when it is first written to.
            min_free_bytes: what stays free; below it nothing is written.
            free: says what is free.
        """
        self._root = root
        self._reserve_bytes = min_free_bytes
        self._free = free
        self._full = False
        self._free_when_refused = 0

    def write(self, ref: str, content: bytes) -> None:
        """See `Place.write`.

        Raises:
            EvidenceFullError: the disk, or the reserve, does not allow it.
            EvidenceError: it cannot be written for another reason.
        """
        try:
            self._check_room(len(content))
            _write_durably(self._root / ref, content)
            self._free_when_refused = 0
        except OSError as error:
            if error.errno in _FULL:
                self._free_when_refused = self._free(self._root)
                raise EvidenceFullError(f"evidence {ref}: no room is left: {reason_of(error)}") from error
            raise EvidenceError(f"evidence {ref}: cannot be written: {reason_of(error)}") from error

    def _check_room(self, size_bytes: int) -> None:
        if not self._reserve_bytes:
            return
        needed = self._reserve_bytes * (RESUME_SHARE if self._full else 1.0) + size_bytes
        free = self._free(self._root)
        self._full = free < needed
        if self._full:
            raise EvidenceFullError(
                f"the disk of evidence has {free // 2**20} MiB left, and evidence.min_free_bytes keeps "
                f"{self._reserve_bytes // 2**20} MiB free: make room, or shorten evidence.retention"
            )

    def has_room(self) -> bool:
        """See `Place.has_room`; with as much to spare as writing needs to go on after it was stopped.

        Where the system refused with room to spare (a quota), more must have become free since.
        """
        try:
            free = self._free(self._root)
        except OSError:
            return False
        needed = max(self._reserve_bytes * RESUME_SHARE, self._free_when_refused + LEAST_FREE_BYTES)
        return free >= needed

    def read(self, ref: str) -> bytes:
        """See `Place.read`."""
        try:
            with (self._root / ref).open("rb") as file:
                return whole(ref, file.read(MAX_SEALED_BYTES + 1))
        except FileNotFoundError as error:
            raise EvidenceMissingError(f"evidence {ref}: is missing from the store") from error
        except OSError as error:
            raise EvidenceError(f"evidence {ref}: cannot be read: {reason_of(error)}") from error

    def delete(self, ref: str) -> bool:
        """See `Place.delete`."""
        path = self._root / ref
        try:
            path.unlink()
            sync_folder(path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise EvidenceError(f"evidence {ref}: cannot be deleted: {reason_of(error)}") from error
        return True

    def blobs(self, shelf: str) -> Iterator[Blob]:
        """See `Place.blobs`. What a process that died left half written is taken away on the way."""
        try:
            entries = sorted(os.scandir(self._root / shelf), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        except OSError as error:
            raise EvidenceError(f"evidence: a folder cannot be listed: {reason_of(error)}") from error
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if entry.name.endswith(SUFFIX) and not entry.name.startswith("."):
                yield Blob(
                    f"{shelf}/{entry.name}", found.st_size, datetime.fromtimestamp(found.st_mtime, UTC)
                )
            elif entry.name.endswith(".part") and time.time() - found.st_mtime > LEFTOVER_SECONDS:
                Path(entry.path).unlink(missing_ok=True)


def _write_durably(path: Path, content: bytes) -> None:
    """Whole or not at all, and on disk on return."""
    folder = path.parent
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)
    part = folder / f".{path.name}.{secrets.token_hex(4)}.part"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(folder)
    except OSError:
        part.unlink(missing_ok=True)
        raise
