"""`aiqyn cameras list|export|import`: cameras the service gives to workers, straight from and into the database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import fail
from aiqyn.commands.overlays import ByOption, ConfigOption, JsonOption, administrator_of

if TYPE_CHECKING:
    from api.given_cameras import GivenCameraService
    from api.store.engine import Database

group = typer.Typer(
    name="cameras", help="List, export and import cameras the service gives to workers.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    app.add_typer(group)


@group.command("list")
def list_cameras(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Lists the newest version of every camera that was given, removals among them."""
    with _opened(config) as (_, cameras):
        versions = cameras.current()
    if as_json:
        rows = [
            {
                "camera_id": one.camera_id,
                "version": one.version,
                "worker_id": one.worker_id,
                "active": one.active,
                "source": None if one.settings is None else one.settings.source,
                "changed_by": one.changed_by,
                "changed_at": one.changed_at.isoformat(),
                "reason": one.reason,
            }
            for one in versions
        ]
        typer.echo(json.dumps({"cameras": rows}, ensure_ascii=False))
        return
    for one in versions:
        what = "removed" if one.settings is None else one.settings.source
        typer.echo(f"{one.camera_id:<24} {one.worker_id:<16} {one.version:>4}  {what}")
    if not versions:
        typer.echo("the service gives no camera to any worker", err=True)


@group.command("export")
def export_cameras(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; else standard output.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Writes the cameras that are given now as YAML that `import` reads."""
    with _opened(config) as (_, cameras):
        text = cameras.export("console")
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        fail(f"--output {output}: {error.strerror}")


@group.command("import")
def import_cameras(
    file: Annotated[Path, typer.Argument(help="YAML as `export` writes it.")],
    by: ByOption,
    reason: Annotated[str, typer.Option("--reason", help="Why they are given; kept with each version.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Gives what a file holds, where it differs from what is given; all or nothing. Workers follow in seconds."""
    from api.errors import ApiError
    from api.given_cameras import read_export

    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}")
    with _opened(config) as (database, cameras):
        account_id = administrator_of(database, by)
        try:
            made = cameras.take_in(account_id, read_export(text, str(file), reason))
        except ApiError as error:
            fail(error.detail)
    if as_json:
        typer.echo(
            json.dumps({"versions": [{"camera_id": one.camera_id, "version": one.version} for one in made]})
        )
        return
    for one in made:
        typer.echo(f"{one.camera_id}: version {one.version} to {one.worker_id}")
    if not made:
        typer.echo("all of it is given already", err=True)


@contextmanager
def _opened(config_path: Path | None) -> Iterator[tuple[Database, GivenCameraService]]:
    from api.given_cameras import GivenCameraService
    from api.keys.store import KeyStore
    from api.store.open import open_database
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError
    from pipelines.events import utc_now

    try:
        config = load_config(config_path or default_config_path())
        keys = KeyStore.open(config.paths.keys_dir)
    except PipelineError as error:
        fail(str(error))
    database = open_database(config.database_address())
    try:
        yield database, GivenCameraService(database, utc_now, keys.worker_ids)
    finally:
        database.close()
