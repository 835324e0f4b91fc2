"""`aiqyn enrol DIR`: a folder of reference pictures becomes entries of a watchlist that is searched."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands import enrol_import
from aiqyn.commands.exits import NOTHING_DONE, SOME_FAILED, fail, report
from pipelines.errors import EnrolError

if TYPE_CHECKING:
    from aiqyn.enrolment import CheckedList, Enrolled, ListTerms
    from api.services import Services
    from pipelines.build import Perception
    from pipelines.config import Config


group = typer.Typer()


def register(app: typer.Typer) -> None:
    """Adds the command to the program, and `import` beside it."""
    app.add_typer(group)
    app.add_typer(enrol_import.group)


_HELP = {
    "folder": "One sub-folder of pictures per subject.",
    "watchlist": "Name of the list; made where it is new.",
    "cameras": "Ids of the cameras it is searched on: A,B.",
    "until": "When entries and search end: 2026-03-31, or with a time.",
    "requested_by": "Who asked: login name or office.",
    "authorised_by": "Who allowed it: somebody else.",
    "legal_basis": "The provision it rests on.",
    "case": "Reference of the file it belongs to.",
    "purpose": "What for.",
    "image_source": "Where the pictures come from.",
    "deployment": "Id of a deployment to add to; else a new one is made.",
    "rate": "Wanted rate of this list, above 0; else its own, else the settings'.",
    "accept": "A subject whose pictures you looked at and answer for; repeatable.",
    "dry_run": "Check everything, add nothing.",
    "report": "Write what was found as FILE.html, with the pictures.",
    "refresh": "No DIR: make new templates of all stored pictures for a new embedder.",
    "config": "The settings file; else AIQYN_CONFIG, else aiqyn.yaml here.",
    "json": "Print one JSON document.",
}
_RATE = "--false-alerts-per-1000-faces"


@group.command("enrol")
def enrol(  # noqa: PLR0913  # each is an option of the command
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help=_HELP["folder"])] = None,
    watchlist: Annotated[str | None, typer.Option(help=_HELP["watchlist"])] = None,
    cameras: Annotated[str | None, typer.Option(help=_HELP["cameras"])] = None,
    until: Annotated[str | None, typer.Option(help=_HELP["until"])] = None,
    requested_by: Annotated[str | None, typer.Option(help=_HELP["requested_by"])] = None,
    authorised_by: Annotated[str | None, typer.Option(help=_HELP["authorised_by"])] = None,
    legal_basis: Annotated[str | None, typer.Option(help=_HELP["legal_basis"])] = None,
    case: Annotated[str | None, typer.Option(help=_HELP["case"])] = None,
    purpose: Annotated[str, typer.Option(help=_HELP["purpose"])] = "find the people listed",
    image_source: Annotated[str, typer.Option(help=_HELP["image_source"])] = "given by the requester",
    deployment: Annotated[str | None, typer.Option(help=_HELP["deployment"])] = None,
    false_alerts: Annotated[float | None, typer.Option(_RATE, min=0, max=1000, help=_HELP["rate"])] = None,
    accept: Annotated[list[str] | None, typer.Option(help=_HELP["accept"])] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_HELP["dry_run"])] = False,
    sheet: Annotated[Path | None, typer.Option("--report", help=_HELP["report"])] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help=_HELP["refresh"])] = False,
    config: Annotated[Path | None, typer.Option(help=_HELP["config"])] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_HELP["json"])] = False,
) -> None:
    """Enrols references; the running service hands the new gallery to every worker within seconds.

    Pictures are held against each other first: copies are kept once, somebody else's picture is refused, entries
    that will be confused are named. All but --refresh needs DIR, who, where, until when and on whose word.
    """
    loaded = _settings(config)
    if refresh:
        if folder is not None or dry_run:
            fail("--refresh takes neither DIR nor --dry-run: it reads the stored pictures")
        _refresh(loaded, as_json=as_json)
        return
    given = {
        "--watchlist": watchlist,
        "--cameras": cameras,
        "--until": until,
        "--requested-by": requested_by,
        "--authorised-by": authorised_by,
        "--legal-basis": legal_basis,
        "--case": case,
    }
    _require({"DIR": folder, **given})
    if false_alerts == 0:
        fail(f"{_RATE}: must be above 0")
    said = {name: value or "" for name, value in given.items()}
    terms = _terms(said, deployment, (purpose, image_source), false_alerts)
    _warn_of_unknown_cameras(loaded, terms)
    run = _Run(folder or Path(), terms, frozenset(accept or ()), sheet, dry_run)
    _tell(*_enrolled(loaded, run), run.accepted, as_json=as_json)


def _settings(path: Path | None) -> Config:
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError

    try:
        return load_config(path or default_config_path())
    except PipelineError as error:
        fail(str(error))


def _terms(
    said: Mapping[str, str], deployment: str | None, texts: tuple[str, str], false_alerts: float | None
) -> ListTerms:
    from aiqyn.enrolment import ListTerms

    purpose, image_source = texts
    return ListTerms(
        watchlist=said["--watchlist"],
        purpose=purpose,
        deployment_id=deployment or f"{_slug(said['--watchlist'])}-{secrets.token_hex(3)}",
        cameras=frozenset(name.strip() for name in said["--cameras"].split(",") if name.strip()),
        active_from=datetime.now(UTC),
        active_until=_end(said["--until"]),
        requested_by=said["--requested-by"],
        authorised_by=said["--authorised-by"],
        legal_basis=said["--legal-basis"],
        case_reference=said["--case"],
        image_source=image_source,
        false_alerts_per_1000_faces=false_alerts,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """One enrolment as it was asked for."""

    folder: Path
    terms: ListTerms
    accepted: frozenset[str]
    sheet: Path | None
    dry_run: bool


def _require(needed: Mapping[str, object]) -> None:
    lacking = [name for name, value in needed.items() if value is None]
    if lacking:
        fail(f"missing: {', '.join(lacking)}; `aiqyn enrol --help` says what each is")


@contextmanager
def _opened(loaded: Config) -> Iterator[tuple[Services, Perception]]:
    """Services and models for the length of a command; what goes wrong is one line."""
    from dataclasses import replace

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
            yield services, perception
        finally:
            services.close()
    except (PipelineError, ReviewError, WeightsError, VisionError) as error:
        fail(str(error))


def _enrolled(loaded: Config, run: _Run) -> tuple[CheckedList, Enrolled | None]:
    from aiqyn.commands.enrol_report import EnrolBars
    from aiqyn.enrolment import EnrolOptions, check_list, keep_list
    from pipelines.enrol import reference_pictures

    options = EnrolOptions(loaded.identification.false_alerts_per_1000_faces, run.accepted)
    with _opened(loaded) as (services, perception):
        total = sum(1 for _ in reference_pictures(run.folder))
        if not run.dry_run:
            _refresh_own(services, perception, run.terms.watchlist)
        with EnrolBars("pictures", total) as bars:
            checked = check_list(services, perception, run.folder, run.terms, options, on_picture=bars.step)
        if run.sheet is not None:
            _write_sheet(run.sheet, checked, run.terms.watchlist)
        if run.dry_run:
            return checked, None
        try:
            return checked, keep_list(services, perception, checked, run.terms, options)
        except EnrolError as error:
            _tell_pictures(checked, run.accepted)
            fail(str(error))


def _write_sheet(path: Path, checked: CheckedList, watchlist: str) -> None:
    from aiqyn.commands.enrol_report import write_sheet

    try:
        write_sheet(path, checked.checked, f"References of the list {watchlist}")
    except OSError as error:
        fail(f"--report {path}: {error.strerror}")


def _refresh_own(services: Services, perception: Perception, watchlist: str) -> None:
    """The list's own entries first, where they were enrolled with another embedder: one list, one kind of template."""
    from aiqyn.re_enrolment import refresh_list

    for one in services.references.lists():
        if one.name == watchlist:
            done = refresh_list(services, perception, one)
            if done.made:
                typer.echo(
                    f"note: {done.made} pictures on the list were enrolled again from their stored pictures: the "
                    "embedder has changed",
                    err=True,
                )
            for line in done.failed:
                report(line)


def _refresh(loaded: Config, *, as_json: bool) -> None:
    from aiqyn.commands.enrol_report import EnrolBars, refreshed_document
    from aiqyn.re_enrolment import pictures_to_refresh, refresh_lists

    with _opened(loaded) as (services, perception):
        total = pictures_to_refresh(services, perception)
        with EnrolBars("stored pictures", total) as bars:
            lists = refresh_lists(services, perception, on_picture=bars.step)
    for one in lists:
        for line in one.failed:
            report(line)
        if not as_json:
            versions = ", ".join(f"{name} version {number}" for name, number in one.gallery_versions.items())
            typer.echo(f"{one.name}: {one.made} templates made; {versions or 'searched nowhere'}")
    if as_json:
        typer.echo(json.dumps(refreshed_document(lists), ensure_ascii=False))
    elif not lists:
        typer.echo("there is no list; nothing was made")
    if any(one.failed for one in lists):
        raise typer.Exit(SOME_FAILED)


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


def _tell_pictures(checked: CheckedList, accepted: frozenset[str]) -> None:
    """What is to be known, on standard error; refused pictures first."""
    found = checked.checked
    refused_for = dict.fromkeys(refused.message for refused in found.enrolment.refused)
    for message in refused_for:
        report(message)
    for finding in found.findings:
        if finding.message not in refused_for:
            typer.echo("note: " + " ".join(finding.message.split()), err=True)
    if found.pairs_not_told:
        typer.echo(f"note: {found.pairs_not_told} more pairs of entries will be confused", err=True)
    for name in found.enrolment.missing:
        report(f"{name}: not one picture could be used; nobody is enrolled under this name")
    known = {one.subject_id for one in found.enrolment.reports} | set(checked.already_listed)
    for name in sorted(accepted - known):
        typer.echo(f"warning: --accept {name}: DIR has no pictures of an entry of this name", err=True)
    for name in checked.already_listed:
        typer.echo(f"note: {name}: is on the list already and was left as it is", err=True)
    if checked.not_compared:
        typer.echo(
            f"note: {checked.not_compared} pictures on the list are of another embedder and were not compared",
            err=True,
        )


def _tell(checked: CheckedList, done: Enrolled | None, accepted: frozenset[str], *, as_json: bool) -> None:
    from aiqyn.commands.enrol_report import check_document, enrolled_document, picture_line

    _tell_pictures(checked, accepted)
    found = checked.checked.enrolment
    if as_json:
        document = enrolled_document(done) | check_document(checked)
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        for one in found.reports:
            if one.outcome == "ok":
                typer.echo(picture_line(one))
        typer.echo(_summary(checked, done))
    if found.refused or found.missing:
        raise typer.Exit(SOME_FAILED if found.references or checked.already_listed else NOTHING_DONE)


def _summary(checked: CheckedList, done: Enrolled | None) -> str:
    if done is None:
        found = checked.checked.enrolment
        subjects = len({one.subject_id for one in found.references})
        return f"dry run: {subjects} entries of {len(found.references)} pictures could be enrolled; nothing was added"
    return (
        f"{len(done.subject_ids)} entries; deployment {done.deployment_id}, "
        f"gallery version {done.gallery_version}"
    )
