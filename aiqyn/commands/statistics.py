"""`aiqyn statistics`: figures on use and error, as they may be published."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from aiqyn.commands.exits import fail


class FileFormat(StrEnum):
    """How figures are written."""

    JSON = "json"
    CSV = "csv"
    SVG = "svg"


class Grouping(StrEnum):
    """What figures are grouped by; by operator they are never published, so the command has it not."""

    NOTHING = "nothing"
    CAMERA = "camera"
    LIST = "list"
    MODEL = "model"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("statistics", help="Writes figures on use and error of a month, for publication.")(statistics)


def statistics(
    since: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day of a month (UTC).")
    ],
    until: Annotated[
        datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The first day of the month after it.")
    ],
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="How they are written.")
    ] = FileFormat.JSON,
    by: Annotated[Grouping, typer.Option("--by", help="What they are grouped by.")] = Grouping.NOTHING,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; else standard output.")
    ] = None,
    internal: Annotated[
        bool,
        typer.Option("--internal", help="Any stretch of time: what is written then must not be published."),
    ] = False,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The settings file.")] = None,
) -> None:
    """Counts candidates, judgements, contacts and complaints of a month."""
    begin, end = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC)
    text = _written(config, begin, end, by, file_format, internal=internal)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        fail(f"--output {output}: {error.strerror}")


def _written(
    config_path: Path | None,
    since: datetime,
    until: datetime,
    by: Grouping,
    file_format: FileFormat,
    *,
    internal: bool,
) -> str:
    from api.errors import ApiError
    from api.statistics import StatisticsService, is_month
    from api.statistics_files import as_csv, as_document, as_svg
    from api.store.open import open_database
    from api.store.statistics import By
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError
    from pipelines.events import utc_now

    if not internal and not (is_month(since, until) and until <= utc_now()):
        fail(
            "--from and --to: figures are published by whole calendar months that are over, as --from 2026-03-01 --to 2026-04-01; "
            "others could be subtracted from each other (--internal writes them all the same)"
        )
    try:
        config = load_config(config_path or default_config_path())
    except PipelineError as error:
        fail(str(error))
    database = open_database(config.database_address())
    try:
        found = StatisticsService(database, utc_now).read("console", since, until, By(by.value))
        if file_format is FileFormat.CSV:
            return as_csv(found)
        if file_format is FileFormat.SVG:
            return as_svg(found)
        return json.dumps(as_document(found), indent=2, ensure_ascii=False) + "\n"
    except ApiError as error:
        fail(error.detail)
    except PipelineError as error:
        fail(str(error))
    finally:
        database.close()
