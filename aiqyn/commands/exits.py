"""The exit codes of every command, and how an error reaches the terminal."""

from __future__ import annotations

from typing import NoReturn

import typer

ALL_DONE = 0
SOME_FAILED = 1
NOTHING_DONE = 2


def fail(message: str, code: int = NOTHING_DONE) -> NoReturn:
    """Ends the command with one line on standard error.

    Args:
        message: what was wrong, where, and what to do; line breaks are folded.
        code: `NOTHING_DONE` or `SOME_FAILED`.

    Raises:
        typer.Exit: always.
    """
    report(message)
    raise typer.Exit(code)


def report(message: str) -> None:
    """One line on standard error about one input that failed; the rest of the run goes on."""
    typer.echo("error: " + " ".join(message.split()), err=True)
