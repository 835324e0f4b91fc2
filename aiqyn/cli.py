"""`aiqyn`: every command of the program, each from its own file in `aiqyn.commands`."""

from __future__ import annotations

from importlib import import_module, metadata

import typer

COMMANDS: tuple[str, ...] = (
    "demo",
    "analyze",
    "doctor",
    "config",
    "weights",
    "serve",
    "work",
    "keys",
    "backup",
    "dead",
    "receipt",
    "users",
    "overlays",
    "cameras",
    "enrol",
    "statistics",
    "evaluate",
    "bench",
)
"""Modules of `aiqyn.commands` in the order of the help page; each has `register(app)`."""

app = typer.Typer(
    name="aiqyn",
    help="Video analytics for CCTV. Candidates are leads: two people judge each, blind, before anyone acts.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aiqyn {metadata.version('aiqyn')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Options that come before the command."""


def main() -> None:
    """Entry point of the console script."""
    for name in COMMANDS:
        import_module(f"aiqyn.commands.{name}").register(app)
    app()
