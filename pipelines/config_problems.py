"""Says what is wrong with a settings file, where, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipelines.config_yaml import KeyPath

NAME_PATTERN = r"^[\w.:@-]+$"
"""Of `pipelines.events.Identifier`: told in words."""


def describe_problems(
    error: ValidationError, places: Mapping[KeyPath, str], root: type[BaseModel], *, fallback: str
) -> tuple[str, ...]:
    """One line per problem, none of which repeats a value.

    Args:
        error: what pydantic found.
        places: `file:line` or variable of every key given.
        root: the model that was validated, to suggest keys from.
        fallback: the place to name where none of a problem's keys was given.
    """
    lines = []
    for details in error.errors(include_url=False, include_input=False, include_context=True):
        where = tuple(part for part in details["loc"] if part != "[key]")
        if _comes_from_defaults(where, places):
            continue  # told once, at `camera_defaults`
        lines.append(f"{_place(where, places, fallback)}: {_name(where)}{_complaint(details, where, root)}")
    return tuple(dict.fromkeys(lines))


def _comes_from_defaults(where: KeyPath, places: Mapping[KeyPath, str]) -> bool:
    return (
        len(where) > 2  # ("cameras", id, setting)
        and where[0] == "cameras"
        and where[:3] not in places
        and ("camera_defaults", where[2]) in places
    )


def _place(where: KeyPath, places: Mapping[KeyPath, str], fallback: str) -> str:
    for length in range(len(where), 0, -1):
        if where[:length] in places:
            return places[where[:length]]
    return fallback


def _name(where: KeyPath) -> str:
    return f"{'.'.join(map(str, where))}: " if where else ""


def _complaint(details: ErrorDetails, where: KeyPath, root: type[BaseModel]) -> str:
    if details["type"] == "extra_forbidden":
        known = _settings_at(root, where[:-1])
        close = difflib.get_close_matches(str(where[-1]), known, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(known)}"
        return f"unknown key{meant}"
    if details["type"] == "missing":
        return "is missing"
    if details["type"] == "string_pattern_mismatch" and details["ctx"]["pattern"] == NAME_PATTERN:
        return "a name may hold letters, digits and . _ : @ - only"
    message = details["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return message[:1].lower() + message[1:]


def _settings_at(root: type[BaseModel], where: KeyPath) -> list[str]:
    """The keys known at a place, found by walking the models from the root."""
    model = root
    rest = list(where)
    while rest:
        annotation = model.model_fields[str(rest.pop(0))].annotation
        arguments = get_args(annotation)
        if arguments:  # dict[id, model]: step over the id
            annotation = arguments[-1]
            rest = rest[1:]
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
