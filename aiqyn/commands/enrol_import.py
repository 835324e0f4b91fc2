"""`aiqyn import FILE.csv --images DIR --watchlist NAME`: many entries at once, all of them or none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiqyn.commands.exits import NOTHING_DONE, fail, report

if TYPE_CHECKING:
    from aiqyn.roster.run import CheckedRoster, RosterModels
    from api.services import Services
    from pipelines.config import Config

SHOWN = 200
"""Problems printed one by one; `--json` has all of them."""

group = typer.Typer()
"""Added to the program by `enrol`: a module cannot be called as the command is."""


@group.command("import")
def import_roster(
    table: Annotated[Path, typer.Argument(metavar="FILE.csv", help="One row per person, in UTF-8.")],
    images: Annotated[Path, typer.Option("--images", help="The only folder pictures are taken from.")],
    watchlist: Annotated[str, typer.Option("--watchlist", help="Name of the list; it must be there.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, file nothing.")] = False,
    threads: Annotated[
        int, typer.Option("--threads", min=1, max=16, help="Pictures that are read at once.")
    ] = 2,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Files a request for every row, or none where anything is wrong with any; authorisers decide them.

    An interrupted run leaves nothing behind but what it has read of the pictures, sealed: run it again.
    """
    from aiqyn.commands.enrol_report import EnrolBars
    from aiqyn.roster.journal import ReadJournal, destroy_old_journals
    from aiqyn.roster.run import RosterSource, check_roster, only_import
    from pipelines.events import utc_now

    loaded = _settings(config)
    with _opened(loaded, threads) as (services, models):
        data_dir = loaded.paths.data_dir
        source = RosterSource(table, images, watchlist, data_dir)
        with only_import(data_dir):
            services.lists.imports.clear_abandoned()
            destroy_old_journals(data_dir, services.keys, utc_now())
            watchlist_id = services.records.find_watchlist(watchlist) or ""
            with ReadJournal(data_dir, services.keys, models.recipe, watchlist_id) as journal:
                with ExitStack() as shown:
                    checked = check_roster(
                        services,
                        source,
                        models,
                        journal,
                        lambda total: shown.enter_context(EnrolBars("pictures", total)).step,
                    )
                import_id = None
                if not dry_run and not checked.errors:
                    import_id = services.lists.imports.file(checked.plan, checked.entries)
                    journal.destroy()
    _tell(checked, import_id, dry_run=dry_run, as_json=as_json)


def _settings(path: Path | None) -> Config:
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError

    try:
        return load_config(path or default_config_path())
    except PipelineError as error:
        fail(str(error))


@contextmanager
def _opened(loaded: Config, threads: int) -> Iterator[tuple[Services, RosterModels]]:
    """Services and readers for the length of the command; what goes wrong is one line."""
    from dataclasses import replace

    from aiqyn.roster.run import RosterModels
    from api.errors import ApiError
    from api.review.errors import ReviewError
    from api.services import build_services
    from api.settings import settings_from
    from pipelines.errors import PipelineError
    from pipelines.reference_reader import ReaderOptions, ReferenceReader
    from vision.errors import VisionError
    from weights.errors import WeightsError

    try:
        options = ReaderOptions.of(loaded)
        known = ReferenceReader(options)
        models = RosterModels(lambda: ReferenceReader(options), known.recipe, known.calibration, threads)
        services = build_services(replace(settings_from(loaded), redis_url=None, run_background=False))
        try:
            yield services, models
        finally:
            services.close()
    except (ApiError, PipelineError, ReviewError, WeightsError, VisionError) as error:
        fail(str(error))


def _tell(checked: CheckedRoster, import_id: str | None, *, dry_run: bool, as_json: bool) -> None:
    errors = checked.errors
    if as_json:
        typer.echo(json.dumps(_document(checked, import_id, dry_run=dry_run), ensure_ascii=False))
    else:
        _tell_rows(checked)
        typer.echo(_summary(checked, import_id))
    if errors:
        raise typer.Exit(NOTHING_DONE)


def _document(checked: CheckedRoster, import_id: str | None, *, dry_run: bool) -> dict[str, Any]:
    return {
        "schema": "aiqyn.import_report/1",
        "rows": checked.rows,
        "pictures": checked.pictures,
        "dry_run": dry_run,
        "import_id": import_id,
        "filed": len(checked.entries) if import_id else 0,
        "errors": len(checked.errors),
        "warnings": len(checked.problems) - len(checked.errors),
        "pairs_not_told": checked.pairs_not_told,
        "problems": [
            {
                "row": one.row,
                "column": one.column,
                "code": one.code,
                "severity": "error" if one.is_error else "warning",
                "message": one.message,
                "advice": one.advice,
            }
            for one in checked.problems
        ],
    }


def _tell_rows(checked: CheckedRoster) -> None:
    ordered = sorted(checked.problems, key=lambda one: not one.is_error)
    for one in ordered[:SHOWN]:
        place = f"row {one.row}" if one.row else "the file"
        column = f", {one.column}" if one.column else ""
        line = f"{place}{column}: {one.message} [{one.code}]; {one.advice}"
        if one.is_error:
            report(line)
        else:
            typer.echo(f"note: {line}", err=True)
    if len(ordered) > SHOWN:
        typer.echo(f"note: {len(ordered) - SHOWN} more; --json has all of them", err=True)


def _summary(checked: CheckedRoster, import_id: str | None) -> str:
    if checked.errors:
        return f"{len(checked.errors)} errors in {checked.rows} rows; nothing was filed"
    if import_id is None:
        return f"dry run: {len(checked.entries)} requests could be filed; nothing was"
    return f"{len(checked.entries)} requests filed as import {import_id}; authorisers decide them"
