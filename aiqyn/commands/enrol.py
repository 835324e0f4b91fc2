"""`aiqyn enrol DIR`: a folder of reference pictures becomes entries of a watchlist that is searched."""

from __future__ import annotations

import json
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import SOME_FAILED, fail, report

if TYPE_CHECKING:
    from aiqyn.enrolment import Enrolled, ListTerms
    from pipelines.config import Config


group = typer.Typer()


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.add_typer(group)


@group.command("enrol")
def enrol(  # noqa: PLR0913  # each is an option of the command
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One sub-folder of pictures per subject.")],
    watchlist: Annotated[str, typer.Option("--watchlist", help="Name of the list; made where it is new.")],
    cameras: Annotated[str, typer.Option("--cameras", help="Ids of the cameras it is searched on: A,B.")],
    until: Annotated[
        str, typer.Option("--until", help="When entries and search end: 2026-03-31, or with a time.")
    ],
    requested_by: Annotated[str, typer.Option("--requested-by", help="Who asked: login name or office.")],
    authorised_by: Annotated[str, typer.Option("--authorised-by", help="Who allowed it: somebody else.")],
    legal_basis: Annotated[str, typer.Option("--legal-basis", help="The provision it rests on.")],
    case: Annotated[str, typer.Option("--case", help="Reference of the file it belongs to.")],
    purpose: Annotated[str, typer.Option("--purpose", help="What for.")] = "find the people listed",
    image_source: Annotated[
        str, typer.Option("--image-source", help="Where the pictures come from.")
    ] = "given by the requester",
    deployment: Annotated[
        str | None, typer.Option("--deployment", help="Id of a deployment to add to; else a new one is made.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Enrols references; the running service hands the new gallery to every worker within seconds."""
    from aiqyn.enrolment import ListTerms
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError

    try:
        loaded = load_config(config or default_config_path())
    except PipelineError as error:
        fail(str(error))
    terms = ListTerms(
        watchlist=watchlist,
        purpose=purpose,
        deployment_id=deployment or f"{_slug(watchlist)}-{secrets.token_hex(3)}",
        cameras=frozenset(name.strip() for name in cameras.split(",") if name.strip()),
        active_from=datetime.now(UTC),
        active_until=_end(until),
        requested_by=requested_by,
        authorised_by=authorised_by,
        legal_basis=legal_basis,
        case_reference=case,
        image_source=image_source,
    )
    _warn_of_unknown_cameras(loaded, terms)
    _print(_enrolled(loaded, folder, terms), as_json=as_json)


def _enrolled(loaded: Config, folder: Path, terms: ListTerms) -> Enrolled:
    from dataclasses import replace

    from aiqyn.enrolment import enrol_list
    from api.review.errors import ReviewError
    from api.services import build_services
    from api.settings import settings_from
    from pipelines.build import PerceptionOptions, build_perception
    from pipelines.errors import PipelineError
    from vision.errors import VisionError
    from weights.catalog import load_catalog
    from weights.errors import WeightsError
    from weights.store import WeightStore

    try:
        store = WeightStore(loaded.paths.weights_dir, load_catalog(loaded.paths.weights_dir))
        options = replace(PerceptionOptions.of(loaded), detector=None)
        perception = build_perception(store, options)
        # Without the bus: the running service sees the new version in the database and hands it out.
        services = build_services(replace(settings_from(loaded), redis_url=None, run_background=False))
        try:
            return enrol_list(
                services,
                perception,
                folder,
                terms,
                false_alerts_per_1000_faces=loaded.identification.false_alerts_per_1000_faces,
            )
        finally:
            services.close()
    except (PipelineError, ReviewError, WeightsError, VisionError) as error:
        fail(str(error))


def _end(text: str) -> datetime:
    """A date means the end of that day, here; a time without a zone is this machine's."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--until {text}: not a date; write it as 2026-03-31 or 2026-03-31T18:00+05:00")
    if len(text) == len("2026-03-31"):
        moment = moment.replace(hour=23, minute=59, second=59)
    return moment.astimezone(UTC)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40] or "list"


def _warn_of_unknown_cameras(loaded: Config, terms: ListTerms) -> None:
    unknown = sorted(terms.cameras - set(loaded.cameras))
    if unknown:
        typer.echo(f"warning: the settings file knows no camera {', '.join(unknown)}", err=True)


def _print(done: Enrolled, *, as_json: bool) -> None:
    for refused in done.refused:
        report(refused.message)
    for name in done.already_listed:
        typer.echo(f"note: {name}: is on the list already and was left as it is", err=True)
    if as_json:
        document = {
            "watchlist_id": done.watchlist_id,
            "deployment_id": done.deployment_id,
            "gallery_version": done.gallery_version,
            "subjects": done.subject_ids,
            "already_listed": list(done.already_listed),
            "missing": list(done.missing),
            "refused": [{"path": str(item.path), "reason": item.outcome} for item in done.refused],
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        typer.echo(
            f"{len(done.subject_ids)} entries; deployment {done.deployment_id}, "
            f"gallery version {done.gallery_version}"
        )
    if done.refused:
        raise typer.Exit(SOME_FAILED)
