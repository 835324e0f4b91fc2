"""Files that hold keys: readable by their owner alone, written whole or not at all, destroyed on purpose."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipelines.errors import SealingError

FOLDER_MODE = 0o700
FILE_MODE = 0o600


_PART = ".part"


def make_private_folder(folder: Path) -> None:
    """Makes the folder and what is missing above it; each new one is its owner's alone.

    Raises:
        SealingError: it cannot be made, or exists and is open to others.
    """
    try:
        missing = [folder, *folder.parents]
        for path in reversed([path for path in missing if not path.exists()]):
            path.mkdir(mode=FOLDER_MODE)
            sync_folder(path.parent)
    except OSError as error:
        raise SealingError(f"{folder}: cannot be made: {error.strerror}") from error
    check_private_folder(folder)


def check_private_folder(folder: Path) -> None:
    """Raises SealingError unless it is a folder that nobody but its owner (this user or root) can enter."""
    try:
        status = folder.lstat()
    except OSError as error:
        raise SealingError(f"{folder}: {error.strerror}; `aiqyn keys init` makes the key store") from error
    if not stat.S_ISDIR(status.st_mode):
        raise SealingError(f"{folder}: is no folder")
    _check_access(folder, status, FOLDER_MODE)


def read_private(path: Path) -> bytes:
    """The bytes of a key file.

    Raises:
        SealingError: missing, a link, no plain file, or readable by others than its owner.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise SealingError(f"{path}: {error.strerror}; `aiqyn keys init` makes the key store") from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise SealingError(f"{path}: is no plain file")
        _check_access(path, status, FILE_MODE)
        return file.read()


def write_private(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Writes a key file whole or not at all, on disk when this returns.

    Args:
        path: in a folder that exists.
        content: what it will hold.
        replace: whether a file of that name may be replaced.

    Raises:
        SealingError: it exists and may not be replaced, or cannot be written.
    """
    part = path.with_name(f"{_part_prefix(path.name)}{secrets.token_hex(6)}{_PART}")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            part.replace(path)
        else:
            os.link(part, path)  # unlike a rename, this never takes the place of another file
            part.unlink()
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):  # where it could not even be begun, there is nothing to remove
            part.unlink()
        raise SealingError(f"{path}: cannot be written: {error.strerror}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a key file; raises SealingError where there is none."""
    try:
        document = json.loads(read_private(path))
    except ValueError as error:
        raise SealingError(f"{path}: is not JSON; restore it from the backup of the keys") from error
    if not isinstance(document, dict):
        raise SealingError(f"{path}: is not a JSON object; restore it from the backup of the keys")
    return document


def write_json(path: Path, document: dict[str, Any], *, replace: bool = False) -> None:
    """Writes a JSON object as `write_private` does."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    write_private(path, text.encode(), replace=replace)


def destroy_all(folder: Path, names: Collection[str]) -> int:
    """Destroys key files and what writers of them that were killed left beside them; returns how many keys there were.

    Args:
        folder: theirs.
        names: of the files, whether or not they are there.

    Raises:
        SealingError: one cannot be destroyed; the others may be there still.
    """
    prefixes = {_part_prefix(name) for name in names}
    try:
        there = [entry.name for entry in os.scandir(folder) if entry.name.endswith(_PART)]
    except OSError as error:
        raise SealingError(f"{folder}: cannot be read: {error.strerror}") from error
    for part in there:
        if part[: -len(_PART)].rpartition(".")[0] + "." in prefixes:
            destroy(folder / part)
    return sum(destroy(folder / name) for name in names)


def _part_prefix(name: str) -> str:
    return f".{name[:100]}."


def destroy(path: Path) -> bool:
    """Overwrites a key file, then removes it; False where there was none.

    Overwriting in place is all a program can do: a disk that moves blocks about, a snapshot or a backup of
    the keys may hold older copies (docs/keys.md).

    Raises:
        SealingError: it exists and cannot be destroyed.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SealingError(f"{path}: cannot be destroyed: {error.strerror}") from error
    try:
        with os.fdopen(handle, "r+b") as file:
            size = os.fstat(file.fileno()).st_size
            for filling in (os.urandom(size), bytes(size)):
                file.seek(0)
                file.write(filling)
                file.flush()
                os.fsync(file.fileno())
        path.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise SealingError(f"{path}: cannot be destroyed: {error.strerror}") from error
    return True


def sync_folder(folder: Path) -> None:
    """Makes the folder's list of names durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_access(path: Path, status: os.stat_result, widest: int) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if mode & ~widest:
        raise SealingError(f"{path}: is open to others (mode {mode:04o}); run: chmod {widest:o} '{path}'")
    if status.st_uid not in (os.geteuid(), 0):
        raise SealingError(f"{path}: belongs to another user (uid {status.st_uid}); run: chown it to yours")
