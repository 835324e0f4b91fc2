"""Reads the catalogue: strict, so that a misspelt key is an error and not a silently missing fact."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from weights.errors import CatalogError
from weights.spec import ModelSpec, Task

BUILT_IN = (Path(__file__).with_name("catalog.toml"), Path(__file__).with_name("pictures.toml"))
"""The catalogue that ships: models and programs, and the photographs of the demo."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The entries by id, in the order of the file."""

    entries: Mapping[str, ModelSpec]

    def get(self, entry_id: str) -> ModelSpec:
        """The entry of that id.

        Raises:
            CatalogError: there is none; the message names the nearest.
        """
        try:
            return self.entries[entry_id]
        except KeyError:
            near = get_close_matches(entry_id, self.entries, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ";"
            raise CatalogError(f"unknown id {entry_id!r}{hint} aiqyn weights list shows them all") from None

    def of_task(self, task: Task) -> tuple[ModelSpec, ...]:
        """The entries for one task, in the order of the file; none is an empty tuple."""
        return tuple(spec for spec in self.entries.values() if spec.task == task)

    def default_ids(self) -> tuple[str, ...]:
        """What the default pipeline needs."""
        return tuple(spec.id for spec in self.entries.values() if spec.default)

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)


def load_catalog(*paths: Path) -> Catalog:
    """The catalogue in these files together, or the one that ships.

    Raises:
        CatalogError: not readable, not TOML, an unknown or missing key, a value out of its range, a path
            that leaves its package, or an id twice. The message names file, entry and key.
    """
    entries: dict[str, ModelSpec] = {}
    for path in paths or BUILT_IN:
        for spec in parse_entries(_document(path), path.name):
            if spec.id in entries:
                raise CatalogError(f"{path.name}: two entries have the id {spec.id!r}")
            entries[spec.id] = spec
    return Catalog(MappingProxyType(entries))


def parse_entries(document: Mapping[str, Any], where: str) -> Iterator[ModelSpec]:
    """The entries of one parsed TOML document.

    Args:
        document: `labels` (name → list of class names, shared by entries) and `entry` (list of tables).
        where: name of the file, for messages.

    Raises:
        CatalogError: as `load_catalog`.
    """
    unknown = sorted(document.keys() - {"labels", "entry"})
    if unknown:
        raise CatalogError(f"{where}: unknown key {unknown[0]!r}")
    for number, table in enumerate(document.get("entry", []), start=1):
        yield _entry(table, document.get("labels", {}), f"{where}: entry {table.get('id', number)!r}")


def _document(path: Path) -> dict[str, Any]:
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
        return TypeAdapter(ModelSpec).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "entry"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise CatalogError(f"{where}: {key}: {first['msg']}{more}") from error
