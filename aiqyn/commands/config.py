"""`aiqyn config check|schema`: the settings file, checked as the program reads it, and its schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from aiqyn.commands.exits import fail, report

group = typer.Typer(
    name="config", help="Check the settings file, or print its JSON Schema.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    app.add_typer(group)


@group.command("check")
def check(
    file: Annotated[
        Path | None,
        typer.Argument(help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here, else the defaults."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Reads the settings and says what is wrong with them, a line per problem with file and line number."""
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import ConfigError

    path = file or default_config_path()
    name = str(path) if path else "the defaults and the environment"
    try:
        config = load_config(path)
    except ConfigError as error:
        problems = str(error).splitlines()
        if as_json:
            typer.echo(
                json.dumps({"file": str(path) if path else None, "valid": False, "problems": problems})
            )
        for problem in problems[:-1]:
            report(problem)
        fail(problems[-1])
    if as_json:
        settings = config.model_dump(mode="json")
        place = str(path) if path else None
        typer.echo(json.dumps({"file": place, "valid": True, "problems": [], "settings": settings}, indent=2))
    else:
        typer.echo(f"{name}: valid; cameras: {len(config.cameras)}")


@group.command("schema")
def schema() -> None:
    """Prints the JSON Schema of the settings file, for editors that complete and check while typing."""
    from pipelines.config import config_schema

    typer.echo(json.dumps(config_schema(), indent=2))
