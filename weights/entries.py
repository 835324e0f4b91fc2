"""Parses tables of TOML into `ModelSpec`s: strict, so that a misspelt key is an error, not a missing fact."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from weights.errors import CatalogError
from weights.spec import ModelSpec


def parse_entries(document: Mapping[str, Any], where: str) -> Iterator[ModelSpec]:
    """The entries of one parsed TOML document.

    Args:
        document: `labels` (name → list of class names, shared by entries) and `entry` (list of tables).
        where: name of the file, for messages.

    Raises:
        CatalogError: an unknown or missing key, a value out of its range, a path that leaves its package. The
            message names file, entry and key.
    """
    unknown = sorted(document.keys() - {"labels", "entry"})
    if unknown:
        raise CatalogError(f"{where}: unknown key {unknown[0]!r}")
    for number, table in enumerate(document.get("entry", []), start=1):
        yield _entry(table, document.get("labels", {}), f"{where}: entry {table.get('id', number)!r}")


def read_document(path: Path) -> dict[str, Any]:
    """The parsed TOML of one file.

    Raises:
        CatalogError: not readable, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"{path}: not valid TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: the catalogue cannot be read: {error}") from error


def _entry(table: Mapping[str, Any], labels: Mapping[str, Any], where: str) -> ModelSpec:
    """One table as a spec; a string in its `labels` names a shared list."""
    values = dict(table)
    named = values.get("labels")
    if isinstance(named, str):
        if named not in labels:
            raise CatalogError(f"{where}: no list of labels is called {named!r}")
        values["labels"] = labels[named]
    try:
        spec = TypeAdapter(ModelSpec).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "entry"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise CatalogError(f"{where}: {key}: {first['msg']}{more}") from error
    if spec.is_pinned and spec.no_upstream_hash:
        raise CatalogError(f"{where}: source.files: has both `sha256` and `no_upstream_hash`; which is true?")
    return spec
