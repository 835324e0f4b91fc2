"""Files that rows name: found inside one folder and nowhere else, and read without following a link."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from aiqyn.roster.problems import Problem
from aiqyn.roster.rows import RosterRow
from api.review.requests import MOST_PICTURE_BYTES


@dataclass(frozen=True, slots=True)
class FoundPicture:
    """A file a row names.

    Attributes:
        row: the row's number.
        name: as the row has it.
        path: the file.
        sha256: of its bytes.
    """

    row: int
    name: str
    path: Path
    sha256: str


class _RefusedFileError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def find_pictures(folder: Path, rows: Iterable[RosterRow]) -> tuple[list[FoundPicture], list[Problem]]:
    """The files of all rows, and those that cannot be taken.

    Args:
        folder: the only one files are taken from.
        rows: whose pictures are wanted.
    """
    found: list[FoundPicture] = []
    problems: list[Problem] = []
    for row in rows:
        for name in dict.fromkeys(row.images):
            try:
                data = read_inside(folder, name)
            except _RefusedFileError as error:
                problems.append(Problem(row.number, "images", error.code, f"{name[:80]}: {error}"))
            else:
                digest = hashlib.sha256(data).hexdigest()
                found.append(FoundPicture(row.number, name, folder / name, digest))
    return found, problems


def read_found(folder: Path, picture: FoundPicture) -> bytes:
    """The bytes of a file that was found; empty where it is another one by now."""
    try:
        data = read_inside(folder, picture.name)
    except _RefusedFileError:
        return b""
    return data if hashlib.sha256(data).hexdigest() == picture.sha256 else b""


def read_inside(folder: Path, name: str) -> bytes:
    """The bytes of a file by its name inside a folder. No part of the way may be a link, or lead out.

    Raises:
        _RefusedFileError: not inside, a link, no plain file, empty, or too large.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0]:
        raise _RefusedFileError("image_outside", "leads out of the folder of pictures")
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for place, part in enumerate(parts):
            handle = _step(handle, part, is_last=place == len(parts) - 1)
        status = os.fstat(handle)
        if not status.st_size:
            raise _RefusedFileError("image_empty", "0 bytes")
        if status.st_size > MOST_PICTURE_BYTES:
            raise _RefusedFileError("image_too_large", f"{status.st_size / 1024**2:.1f} MiB")
        with os.fdopen(os.dup(handle), "rb") as file:
            return file.read(MOST_PICTURE_BYTES)
    finally:
        os.close(handle)


def _step(handle: int, part: str, *, is_last: bool) -> int:
    """One step down from an open folder; the folder is closed, or still open where the step fails."""
    try:
        status = os.stat(part, dir_fd=handle, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            raise _RefusedFileError("image_is_link", "is a link")
        wanted = stat.S_ISREG if is_last else stat.S_ISDIR
        if not wanted(status.st_mode):
            raise _RefusedFileError("image_not_a_file", "no plain file")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        below = os.open(part, flags, dir_fd=handle)
    except OSError as error:
        raise _RefusedFileError("image_not_found", error.strerror or "cannot be read") from error
    os.close(handle)
    return below
