"""`aiqyn backup` and `aiqyn restore`: records and evidence; keys go apart (`aiqyn keys backup`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import fail

if TYPE_CHECKING:
    from api.backup.making import Sources
    from api.backup.manifest import Say

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Adds both commands to the program."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    target: Annotated[Path, typer.Argument(help="A new folder; it appears once it is whole.")],
    evidence: Annotated[
        str | None,
        typer.Option(
            "--evidence", help="`copy` the sealed blobs, or only `refer` to them; copied unless on a server."
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Backs up database and sealed evidence while the service runs. Keys are not in it."""
    from api.backup.errors import BackupError
    from api.backup.making import make_backup
    from api.backup.manifest import summary
    from pipelines.errors import PipelineError
    from pipelines.events import utc_now

    if evidence not in (None, "copy", "refer"):
        fail(f"--evidence {evidence}: choose `copy` or `refer`")
    chosen = {"copy": True, "refer": False}.get(evidence or "")
    try:
        with _bars() as say:
            made = make_backup(target.absolute(), _sources(config, copy_evidence=chosen), utc_now(), say)
    except (BackupError, PipelineError) as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps(summary(made, path=str(target.absolute()))))
        return
    typer.echo(
        f"{target}: {made.database}, ledger to entry {made.ledger_sequence}, {made.blobs} blobs {made.evidence}"
    )
    if made.missing:
        typer.echo(f"{made.missing} blobs that the records name were not in their store", err=True)
    typer.echo("The keys are not in it: `aiqyn keys backup` writes them, encrypted, to be kept elsewhere.")


def restore(
    source: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of a database that holds something.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restores database and evidence, once the whole backup has been checked. No service may run."""
    from api.backup.errors import BackupError
    from api.backup.restoring import restore_backup
    from pipelines.errors import PipelineError

    try:
        with _bars() as say:
            found = restore_backup(source.absolute(), _sources(config), say, replace=replace)
    except (BackupError, PipelineError) as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    typer.echo(
        f"restored as of {found.manifest.made_at}: ledger to entry {found.manifest.ledger_sequence}, "
        f"{found.blobs_written} blobs written, {found.blobs_there} were there"
    )
    if found.blobs_absent:
        typer.echo(f"{found.blobs_absent} blobs are neither in the backup nor in their store", err=True)


def _sources(config_path: Path | None, *, copy_evidence: bool | None = None) -> Sources:
    from api.backup.making import Sources
    from api.keys.store import KeyStore
    from pipelines.config import default_config_path, load_config
    from pipelines.evidence_access import access_of
    from pipelines.evidence_place import open_place

    config = load_config(config_path or default_config_path())
    return Sources(
        config.database_address(),
        open_place(config.evidence_address(), access_of(config.evidence)),
        KeyStore.open(config.paths.keys_dir),
        copy_evidence,
    )


@contextmanager
def _bars() -> Iterator[Say]:
    """Bars on a terminal, nothing elsewhere; always on standard error."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def say(step: str, done: int, total: int) -> None:
            progress.update(task, description=step, completed=done, total=total or None)

        yield say
