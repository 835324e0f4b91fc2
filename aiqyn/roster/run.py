"""One import from file to requests: check everything, tell everything, file all or nothing."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aiqyn.roster.faces import CheckedPictures, check_pictures
from aiqyn.roster.journal import ReadJournal
from aiqyn.roster.pictures import find_pictures
from aiqyn.roster.problems import Problem
from aiqyn.roster.reading import PictureReaders
from aiqyn.roster.rows import RosterRow, RosterRules, name_key, read_rows
from aiqyn.roster.sheet import read_sheet
from api.list_imports import ImportedEntry, ImportedPicture, ImportPlan
from api.services import Services
from pipelines.enrol_check import ListCheck
from pipelines.errors import EnrolError
from pipelines.events import utc_now
from pipelines.recipes import TemplateRecipe
from pipelines.reference_reader import PictureReader
from vision.identify.calibration import Calibration


@dataclass(frozen=True, slots=True)
class RosterSource:
    """What is imported.

    Attributes:
        table: the CSV file.
        images: the only folder pictures are taken from.
        watchlist: name of the list.
        data_dir: of the service; the journal lies below it.
    """

    table: Path
    images: Path
    watchlist: str
    data_dir: Path


@dataclass(frozen=True, slots=True)
class RosterModels:
    """What reads the pictures.

    Attributes:
        reader_of: makes a reader.
        recipe: of its templates.
        calibration: of its embedder.
        threads: how many readers work at once.
    """

    reader_of: Callable[[], PictureReader]
    recipe: TemplateRecipe
    calibration: Calibration
    threads: int = 2


@dataclass(frozen=True, slots=True, repr=False)
class CheckedRoster:
    """An import, checked; nothing is filed yet.

    Attributes:
        plan: what it is of.
        rows: how many rows the table holds.
        pictures: how many files they name that could be read from disk.
        problems: everything wrong, by row.
        entries: what would be filed; empty where there is any error.
        pairs_not_told: further pairs of entries that will be confused.
    """

    plan: ImportPlan
    rows: int
    pictures: int
    problems: tuple[Problem, ...]
    entries: tuple[ImportedEntry, ...]
    pairs_not_told: int

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Problems that keep it from being filed."""
        return tuple(problem for problem in self.problems if problem.is_error)


@contextmanager
def only_import(data_dir: Path) -> Iterator[None]:
    """Nobody else imports meanwhile.

    Raises:
        EnrolError: somebody does.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(data_dir / "import.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise EnrolError("another import is running; wait until it has ended") from error
    finally:
        os.close(handle)


def check_roster(
    services: Services,
    source: RosterSource,
    models: RosterModels,
    journal: ReadJournal,
    on_pictures: Callable[[int], Callable[[object], None]] = lambda _: lambda _: None,
) -> CheckedRoster:
    """Reads table and pictures and holds them against the rules and the list; files nothing.

    Args:
        services: over the database and key store.
        source: what is imported.
        models: what reads the pictures.
        journal: what an earlier run read already.
        on_pictures: told how many pictures there are; gives what is told after each.

    Raises:
        EnrolError: the table or the folder cannot be read, there is no such list, or the models do not work.
    """
    watchlist_id = services.records.find_watchlist(source.watchlist)
    if watchlist_id is None:
        raise EnrolError(f"there is no list called {source.watchlist!r}; an authoriser makes one first")
    sheet = read_sheet(_content(source.table))
    told = {(problem.row, problem.column) for problem in sheet.problems}
    rows, found = read_rows(sheet.rows, _rules(services, source, watchlist_id), told)
    problems = [*sheet.problems, *found]
    if not source.images.is_dir():
        raise EnrolError(f"--images {source.images}: no such folder")
    repeated = {problem.row for problem in found if problem.code == "duplicate_row"}
    pictures, lost = find_pictures(source.images, [row for row in rows if row.number not in repeated])
    problems += [one for one in lost if (one.row, one.column) not in told]
    tell = on_pictures(len({picture.sha256 for picture in pictures}))
    readers = PictureReaders(models.reader_of, models.threads)
    results = readers.read(source.images, pictures, journal, tell)
    rate, listed = services.lists.jobs.held_against(watchlist_id, models.recipe.sha256)
    checked = check_pictures(pictures, results, ListCheck(models.calibration, rate, listed))
    problems += checked.problems
    problems.sort(key=lambda problem: (problem.row, problem.code, problem.message))
    broken = any(problem.is_error for problem in problems)
    return CheckedRoster(
        plan=ImportPlan(watchlist_id, sheet.sha256, models.recipe),
        rows=sheet.records,
        pictures=len(pictures),
        problems=tuple(problems),
        entries=() if broken else _entries(rows, checked),
        pairs_not_told=checked.pairs_not_told,
    )


def _content(table: Path) -> bytes:
    try:
        return table.read_bytes()
    except OSError as error:
        raise EnrolError(f"{table}: {error.strerror or 'cannot be read'}") from error


def _rules(services: Services, source: RosterSource, watchlist_id: str) -> RosterRules:
    imports = services.lists.imports
    return RosterRules(
        watchlist=source.watchlist,
        now=utc_now(),
        people=imports.people(),
        listed=frozenset(map(name_key, services.records.names(watchlist_id))),
        asked=frozenset(map(name_key, imports.names_asked_for(watchlist_id))),
        room=imports.room(watchlist_id),
        allows_minors=imports.allows_minors(watchlist_id),
    )


def _entries(rows: Sequence[RosterRow], checked: CheckedPictures) -> tuple[ImportedEntry, ...]:
    places = {row.number: place for place, row in enumerate(rows)}
    return tuple(_entry(row, checked, places) for row in rows)


def _entry(row: RosterRow, checked: CheckedPictures, places: dict[int, int]) -> ImportedEntry:
    if row.expires_at is None or row.requested_by is None or row.addressed_to is None:
        raise EnrolError(f"row {row.number} was let through without its terms")
    findings = tuple(
        replace(
            one, entries=tuple(places[entry] if isinstance(entry, int) else entry for entry in one.entries)
        )
        for one in checked.findings.get(row.number, ())
    )
    return ImportedEntry(
        name=row.name,
        purpose=row.purpose,
        legal_basis=row.legal_basis,
        case_reference=row.case_reference,
        expires_at=row.expires_at,
        is_minor=row.is_minor,
        minor_justification=row.minor_justification,
        requested_by=row.requested_by,
        addressed_to=row.addressed_to,
        pictures=tuple(
            ImportedPicture(reference, row.image_source, outcome)
            for reference, outcome in checked.references.get(row.number, ())
        ),
        findings=findings,
    )
