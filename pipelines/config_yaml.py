"""YAML with the line of every key: what `config.py` needs to say where a setting is wrong.

Only what a settings file needs is read: mappings, lists and plain scalars. Aliases are refused (a few
nested ones can stand for billions of values), as are duplicate keys (the last would win silently),
tags that build objects, and files beyond fixed bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from pipelines.errors import ConfigError

MAX_FILE_BYTES = 1_000_000
MAX_DEPTH = 12
MAX_VALUES = 50_000

KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands: keys and list indices from the root, e.g. `("cameras", "gate", "source")`."""


@dataclass(frozen=True, slots=True)
class LocatedYaml:
    """A settings file as plain values, and the place of each.

    Attributes:
        values: the root mapping; empty for an empty file.
        places: `file:line` (lines from 1) of every key and list item.
    """

    values: dict[str, Any]
    places: dict[KeyPath, str] = field(default_factory=dict)


def read_yaml(path: Path) -> LocatedYaml:
    """The settings of a file with the line of each.

    Args:
        path: a YAML 1.1 file in UTF-8, at most `MAX_FILE_BYTES` long.

    Raises:
        ConfigError: the file is missing, unreadable, too large or not such YAML; names file and line.
    """
    return parse_yaml(_read_text(path), path)


def parse_yaml(text: str, path: Path) -> LocatedYaml:
    """As `read_yaml`, of a text; `path` is where it came from, for errors.

    Raises:
        ConfigError: not such YAML; names the line.
    """
    try:
        _check_bounds(text, path)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_syntax_message(path, error)) from None
    except yaml.YAMLError:
        raise ConfigError(
            f"{path}: holds characters that YAML does not allow; save it as UTF-8 text"
        ) from None
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        return LocatedYaml({})
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}:{_line(root)}: expected `section:` lines at the top level")
    reader = _NodeReader(path)
    return LocatedYaml(reader.mapping(root, ()), reader.places)


def parse_scalar(text: str) -> Any:
    """The value a text has as a YAML value: `"8750"` is a number, `"null"` is nothing, `"[a, b]"` a list.

    Raises:
        ConfigError: it is not a plain value or list; the text itself is not repeated.
    """
    try:
        _check_bounds(text, Path("value"))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return None if node is None else _NodeReader(Path("value")).value(node, ())
    except yaml.YAMLError:
        raise ConfigError("is not a plain YAML value") from None


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes; this is no settings file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from None


def _check_bounds(text: str, path: Path) -> None:
    """Refuses what would make composing expensive; the event parser neither recurses nor expands."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        mark = event.start_mark
        place = f"{path}:{mark.line + 1}" if mark else f"{path}"
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(
                f"{place}: aliases (*name) are not read; `camera_defaults` says once what cameras share"
            )
        if getattr(event, "tag", None) is not None:
            raise ConfigError(f"{place}: tags (!name) are not read; write the plain value")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ConfigError(f"{place}: nested deeper than {MAX_DEPTH} levels")
        if count > MAX_VALUES:
            raise ConfigError(f"{place}: more than {MAX_VALUES} values; this is no settings file")


def _syntax_message(path: Path, error: yaml.MarkedYAMLError) -> str:
    # `error.problem` may quote single characters, never a whole value: no secret passes through it.
    mark = error.problem_mark or error.context_mark
    place = f"{path}:{mark.line + 1}" if mark else f"{path}"
    return f"{place}: not valid YAML: {error.problem or error.context}"


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


class _NodeReader:
    """Turns nodes into values and remembers where each stood."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scalars = yaml.SafeLoader("")
        self.places: dict[KeyPath, str] = {}

    def value(self, node: yaml.Node, where: KeyPath) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self._placed(item, (*where, index), item) for index, item in enumerate(node.value)]
        try:
            return self._scalars.construct_object(node)
        except yaml.MarkedYAMLError as error:
            raise ConfigError(_syntax_message(self._path, error)) from None
        except ValueError:
            raise ConfigError(f"{self._path}:{_line(node)}: not a valid YAML value") from None

    def mapping(self, node: yaml.MappingNode, where: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(f"{self._path}:{_line(key_node)}: a key must be a plain word")
            key: str = key_node.value  # as written: a camera may be called `12` or `on`
            if key in values:
                first = self.places[(*where, key)]
                raise ConfigError(
                    f"{self._path}:{_line(key_node)}: {key!r} is given twice (first at {first}); keep one"
                )
            values[key] = self._placed(value_node, (*where, key), key_node)
        return values

    def _placed(self, node: yaml.Node, where: KeyPath, at: yaml.Node) -> Any:
        self.places[where] = f"{self._path}:{_line(at)}"
        return self.value(node, where)
