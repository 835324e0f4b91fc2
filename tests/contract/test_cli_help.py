"""Every command explains itself, with every argument and option, and stands in the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

import pytest
import typer

from aiqyn.cli import COMMANDS, app
from tests.contract.project import ROOT


@dataclass(frozen=True, slots=True)
class Command:
    """What this page needs of a command; Typer carries its own Click, whose types are not public."""

    help: str
    parameters: Mapping[str, str | None] = field(default_factory=dict)
    is_group: bool = False


@cache
def commands() -> dict[str, Command]:
    """Every command by what is typed, e.g. `aiqyn config check`."""
    if not app.registered_commands and not app.registered_groups:
        for name in COMMANDS:
            import_module(f"aiqyn.commands.{name}").register(app)
    return dict(_walk("aiqyn", typer.main.get_command(app)))


def _walk(name: str, command: Any) -> Iterator[tuple[str, Command]]:
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    parameters = {parameter.name: getattr(parameter, "help", None) for parameter in command.params}
    yield name, Command(command.help or "", parameters, is_group=bool(inner))
    for part, child in inner.items():
        yield from _walk(f"{name} {part}", child)


def faults(name: str, command: Command) -> Sequence[str]:
    """What a command leaves unsaid."""
    found = [] if command.help.strip() else [f"{name}: no help"]
    return found + [f"{name}: {key} is not explained" for key, text in command.parameters.items() if not text]


def test_every_command_is_found() -> None:
    assert set(commands()) >= {"aiqyn", "aiqyn config", "aiqyn config check", "aiqyn config schema"}
    assert {name.split()[1] for name in commands() if " " in name} >= set(COMMANDS)


def test_every_command_and_option_has_help() -> None:
    assert [fault for name, command in commands().items() for fault in faults(name, command)] == []


def test_a_command_without_help_is_caught() -> None:
    assert faults("aiqyn bare", Command("", {"loud": None})) == [
        "aiqyn bare: no help",
        "aiqyn bare: loud is not explained",
    ]


def test_every_command_stands_in_the_documentation() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert [name for name, command in commands().items() if not command.is_group and name not in text] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_module_has_a_docstring(name: str) -> None:
    assert import_module(f"aiqyn.commands.{name}").__doc__
