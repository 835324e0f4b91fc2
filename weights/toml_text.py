"""Writes what `weights.entries` reads: dataclasses as TOML 1.0, whatever equals its default left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

Table = Mapping[str, Any]


def toml_text(table: Table) -> str:
    """A document of that table, ending in a line break.

    Args:
        table: of strings, booleans, whole numbers, finite floats, lists, mappings and dataclasses.

    Raises:
        TypeError: a value of another type.
    """
    return "\n".join(_lines(_plain(table), ())).strip("\n") + "\n"


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        value = {
            each.name: getattr(value, each.name) for each in fields(value) if not _is_default(value, each)
        }
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _is_default(owner: Any, each: Field[Any]) -> bool:
    return each.default is not MISSING and getattr(owner, each.name) == each.default


def _lines(table: Table, path: tuple[str, ...]) -> Iterator[str]:
    """Plain values first: after the head of a table, everything belongs to that table."""
    for key, value in table.items():
        if not _is_table(value) and not _is_tables(value):
            yield f"{_string(key)} = {_value(value)}"
    for key, value in table.items():
        inner = (*path, key)
        name = ".".join(_string(part) for part in inner)
        if _is_table(value):
            yield from ["", f"[{name}]", *_lines(value, inner)]
        elif _is_tables(value):
            for part in value:
                yield from ["", f"[[{name}]]", *_lines(part, inner)]


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_table, value))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(_value(part) for part in value)}]"
    raise TypeError(f"TOML has no way to write {type(value).__name__}")


def _string(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else _quoted(key)


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string but for DEL, which TOML wants escaped, and lone surrogates, which neither
    # can hold.
    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")
