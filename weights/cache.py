"""The folder on disk: whole files or none, checked at every read, one writer at a time."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from weights.errors import CacheError, HashMismatchError

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder with `files/` (what is used), `sources/` (what was fetched) and `tmp/` (what is unfinished).

    Attributes:
        root: need not exist before the first write.
    """

    root: Path

    def file(self, name: str) -> Path:
        """Where a finished file of that name lies."""
        return self.root / "files" / name

    def source(self, name: str) -> Path:
        """Where a fetched file of that name lies."""
        return self.root / "sources" / name

    def write(self, path: Path, content: bytes, *, executable: bool = False) -> None:
        """Puts `content` at `path`, whole or not at all: a temporary file, fsync, rename, fsync of the folder.

        Raises:
            CacheError: the folder cannot be written, or is full.
        """
        with self._errors("written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._tmp.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._tmp)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fchmod(stream.fileno(), 0o755 if executable else 0o644)
                    os.fsync(stream.fileno())
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            _sync_folder(path.parent)

    def clear(self, paths: Iterable[Path]) -> None:
        """Removes files, for good before it returns; one that is not there is no error.

        Raises:
            CacheError: the folder cannot be written.
        """
        with self._errors("written"):
            for path in paths:
                path.unlink(missing_ok=True)
                _sync_folder(path.parent)

    def read(self, path: Path, sha256: str) -> bytes:
        """The bytes at `path`, when they are the ones meant.

        Raises:
            FileNotFoundError: nothing is there.
            HashMismatchError: something else is there.
            CacheError: it cannot be read.
        """
        with self._errors("read"):
            content = path.read_bytes()
        actual = hashlib.sha256(content).hexdigest()
        if actual != sha256:
            raise HashMismatchError(mismatch(str(path), actual, sha256))
        return content

    def check(self, path: Path, sha256: str) -> None:
        """As `read`, without holding the whole file in memory."""
        digest = hashlib.sha256()
        with self._errors("read"), path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
        if digest.hexdigest() != sha256:
            raise HashMismatchError(mismatch(str(path), digest.hexdigest(), sha256))

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A new empty folder that is gone afterwards."""
        with self._errors("written"):
            self._tmp.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=self._tmp))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def lock(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """The one writer's turn, between processes; the kernel gives it back when its holder dies.

        What earlier writers left unfinished is removed: whoever holds the lock is the only one.

        Args:
            on_wait: called once when somebody else holds it.
        """
        with self._errors("written"):
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(handle, fcntl.LOCK_EX)
            shutil.rmtree(self._tmp, ignore_errors=True)
            yield
        finally:
            os.close(handle)

    @property
    def _tmp(self) -> Path:
        # Inside the root: a rename is atomic only within one file system.
        return self.root / "tmp"

    @contextmanager
    def _errors(self, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if verb == "read" and isinstance(error, FileNotFoundError):
                raise  # not an error of the folder: the file has not been pulled
            raise CacheError(_reason(self.root, verb, error)) from error


def mismatch(what: str, actual: str, wanted: str) -> str:
    """The line that says a hash is wrong."""
    return f"{what}: SHA-256 is {actual}, the catalogue says {wanted}"


def _reason(root: Path, verb: str, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        advice = "free some space there"
    elif verb == "read":
        advice = "check its permissions"
    else:
        advice = "make it writable"
    return (
        f"weights folder {root} cannot be {verb}: {error.strerror or error}; "
        f"{advice}, or name another with AIQYN_WEIGHTS_DIR or --weights-dir"
    )


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some network file systems cannot; the rename has happened all the same
            os.fsync(handle)
    finally:
        os.close(handle)
