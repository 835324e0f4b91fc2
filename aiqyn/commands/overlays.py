"""`aiqyn overlays list|export|import`: masks on cameras' pictures, straight from and into the database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import fail

if TYPE_CHECKING:
    from api.overlays import OverlayService
    from api.store.engine import Database

group = typer.Typer(name="overlays", help="List, export and import masks of cameras.", no_args_is_help=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here.")
]
CameraOption = Annotated[str | None, typer.Option("--camera", help="Of this camera alone.")]
ByOption = Annotated[str, typer.Option("--by", help="Login name of the administrator who does it; logged.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    app.add_typer(group)


@group.command("list")
def list_overlays(
    camera: CameraOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Lists the newest version of every kind on every camera, removals among them."""
    from api.review.scopes import WHOLE

    with _opened(config) as (_, overlays):
        versions = overlays.current(WHOLE, camera)
    if as_json:
        rows = [
            {
                "camera_id": one.camera_id,
                "kind": one.kind.value,
                "version": one.version,
                "active": one.active,
                "polygons": len(one.polygons),
                "drawn_by": one.drawn_by,
                "drawn_at": one.drawn_at.isoformat(),
                "reason": one.reason,
            }
            for one in versions
        ]
        typer.echo(json.dumps({"overlays": rows}, ensure_ascii=False))
        return
    for one in versions:
        drawn = f"{len(one.polygons)} polygons" if one.active else "removed"
        when = f"{one.drawn_at:%Y-%m-%d %H:%M} UTC"
        typer.echo(f"{one.camera_id:<24} {one.kind.value:<16} {one.version:>4}  {when}  {drawn}")
    if not versions:
        typer.echo("nothing is drawn on any camera", err=True)


@group.command("export")
def export_overlays(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; else standard output.")
    ] = None,
    camera: CameraOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes what is drawn now as YAML that `import` reads."""
    from api.review.scopes import WHOLE

    with _opened(config) as (_, overlays):
        text = overlays.export("console", WHOLE, camera)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        fail(f"--output {output}: {error.strerror}")


@group.command("import")
def import_overlays(
    file: Annotated[Path, typer.Argument(help="YAML as `export` writes it.")],
    by: ByOption,
    reason: Annotated[str, typer.Option("--reason", help="Why they are drawn; kept with each version.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draws what a file holds, where it differs from what is drawn; all or nothing. Workers follow in seconds."""
    from api.errors import ApiError
    from api.overlays import read_export

    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}")
    with _opened(config) as (database, overlays):
        account_id = administrator_of(database, by)
        try:
            made = overlays.take_in(account_id, read_export(text, str(file), reason))
        except ApiError as error:
            fail(error.detail)
    if as_json:
        rows = [{"camera_id": one.camera_id, "kind": one.kind.value, "version": one.version} for one in made]
        typer.echo(json.dumps({"versions": rows}))
        return
    for one in made:
        typer.echo(f"{one.camera_id}: {one.kind.value} version {one.version}")
    if not made:
        typer.echo("all of it is drawn already", err=True)


def administrator_of(database: Database, username: str) -> str:
    """The pseudonym of an administrator, by login name."""
    from api.accounts import AccountService
    from api.review.cases import Role
    from pipelines.events import utc_now

    administrators = {
        line.username: line.account_id
        for line in AccountService(database, utc_now).all()
        if line.active and line.role is Role.ADMINISTRATOR
    }
    if username not in administrators:
        fail(f"--by {username}: there is no active administrator of that name: aiqyn users list")
    return administrators[username]


@contextmanager
def _opened(config_path: Path | None) -> Iterator[tuple[Database, OverlayService]]:
    from api.overlays import OverlayService
    from api.store.open import open_database
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError
    from pipelines.events import utc_now

    try:
        config = load_config(config_path or default_config_path())
    except PipelineError as error:
        fail(str(error))
    database = open_database(config.database_address())
    try:
        yield database, OverlayService(database, utc_now)
    finally:
        database.close()
