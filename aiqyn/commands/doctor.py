"""`aiqyn doctor`: what this machine has and lacks, with the fix for each."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import SOME_FAILED

if TYPE_CHECKING:
    from aiqyn.doctor.report import Check

_COLOURS = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("doctor")(doctor)


def doctor(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here, else the defaults."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Tells what this machine has and lacks for Aiqyn, and the fix for each; exits 1 where something fails."""
    from aiqyn.doctor.examine import examine
    from pipelines.config import default_config_path

    checks = examine(config or default_config_path())
    counts = Counter(check.status for check in checks)
    if as_json:
        typer.echo(json.dumps({"checks": [asdict(check) for check in checks], "counts": counts}, indent=2))
    else:
        _print(checks)
        typer.echo(f"{counts['ok']} ok, {counts['warn']} to know, {counts['fail']} to mend")
    if counts["fail"]:
        raise typer.Exit(SOME_FAILED)


def _print(checks: tuple[Check, ...]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        status = typer.style(f"{check.status:4}", fg=_COLOURS[check.status])
        typer.echo(f"{status}  {check.name:{width}}  {check.found}")
        if check.fix:
            typer.echo(f"{'':{width + 6}}  fix: {check.fix}")
