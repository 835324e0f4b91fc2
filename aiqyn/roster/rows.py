"""A row of cells as a request, and what the rules have against it."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiqyn.roster.problems import Problem
from aiqyn.roster.sheet import SheetRow
from api.list_imports import KnownPerson
from api.review.requests import AUTHORISERS, MOST_PICTURES, REQUESTERS
from api.review.watchlists import ceiling_of

_YES, _NO = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0", ""})
_MUST = {
    "name": "name_missing",
    "image_source": "image_source_missing",
    "legal_basis": "legal_basis_missing",
    "case_reference": "case_reference_missing",
    "purpose": "purpose_missing",
    "expires_at": "expiry_missing",
    "requested_by": "requester_missing",
    "authorised_by": "authoriser_missing",
    "images": "images_missing",
}


@dataclass(frozen=True, slots=True, repr=False)
class RosterRules:
    """What rows are held against.

    Attributes:
        watchlist: name of the list they are for.
        now: aware.
        people: accounts by login name.
        listed: names of entries in force, as `name_key`.
        asked: names of undecided requests, as `name_key`.
        room: how many entries the list can still take.
        allows_minors: whether minors are searched.
    """

    watchlist: str
    now: datetime
    people: Mapping[str, KnownPerson]
    listed: Collection[str]
    asked: Collection[str]
    room: int
    allows_minors: bool


@dataclass(frozen=True, slots=True, repr=False)
class RosterRow:
    """A row, read. What could not be read is None, and told as a problem.

    Attributes:
        number: as a spreadsheet counts.
        images: file names, relative to the folder of pictures.
        expires_at: aware, UTC.
        requested_by: account id.
        addressed_to: account id of who is to decide.
    """

    number: int
    name: str
    images: tuple[str, ...]
    image_source: str
    purpose: str
    legal_basis: str
    case_reference: str
    expires_at: datetime | None
    is_minor: bool
    minor_justification: str | None
    requested_by: str | None
    addressed_to: str | None


def read_rows(
    rows: Sequence[SheetRow], rules: RosterRules, told: Collection[tuple[int, str | None]]
) -> tuple[list[RosterRow], list[Problem]]:
    """Every row as a request, and what the rules have against any of them.

    Args:
        rows: as the sheet has them.
        rules: what they are held against.
        told: row and column of cells whose form is wrong: nothing more is said about those.
    """
    read: list[RosterRow] = []
    problems = list(_against_each_other(rows, rules))
    for row in rows:
        made = _row(row, rules)
        read.append(made)
        found = [*_missing(row), *_terms(row, made, rules), *_people(row, rules), *_images(made)]
        problems += [one for one in found if (one.row, one.column) not in told]
    for made in read[max(rules.room, 0) :]:
        problems.append(
            Problem(made.number, None, "list_full", f"the list can take {max(rules.room, 0)} more")
        )
    return read, problems


def name_key(name: str) -> str:
    """A name as it is compared: one form of each letter, no case, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _row(row: SheetRow, rules: RosterRules) -> RosterRow:
    cells = row.cells
    requester = rules.people.get(cells["requested_by"].casefold())
    authoriser = rules.people.get(cells["authorised_by"].casefold())
    return RosterRow(
        number=row.number,
        name=cells["name"],
        images=tuple(name.strip() for name in cells["images"].split("|") if name.strip()),
        image_source=cells["image_source"],
        purpose=cells["purpose"],
        legal_basis=cells["legal_basis"],
        case_reference=cells["case_reference"],
        expires_at=read_end(cells["expires_at"]),
        is_minor=cells["is_minor"].casefold() in _YES,
        minor_justification=cells["minor_justification"] or None,
        requested_by=requester.account_id if requester else None,
        addressed_to=authoriser.account_id if authoriser else None,
    )


def read_end(text: str) -> datetime | None:
    """A date means the end of that day, here; a time without a zone is this machine's. None: not a date."""
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == len("2026-03-31"):
            moment = moment.replace(hour=23, minute=59, second=59)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _missing(row: SheetRow) -> Iterator[Problem]:
    for column, code in _MUST.items():
        if not row.cells[column]:
            yield Problem(row.number, column, code, f"{column} is empty")


def _terms(row: SheetRow, made: RosterRow, rules: RosterRules) -> Iterator[Problem]:
    wanted = row.cells["watchlist"]
    if wanted and name_key(wanted) != name_key(rules.watchlist):
        yield Problem(row.number, "watchlist", "other_list", "the row is of another list")
    yield from _minor(row, made, rules)
    if not row.cells["expires_at"]:
        return
    ceiling = ceiling_of(is_minor=made.is_minor)
    if made.expires_at is None:
        yield Problem(row.number, "expires_at", "bad_date", "not a date")
    elif made.expires_at <= rules.now:
        yield Problem(row.number, "expires_at", "date_in_past", "the date has passed")
    elif made.expires_at - rules.now > ceiling:
        code = "beyond_minor_ceiling" if made.is_minor else "beyond_ceiling"
        yield Problem(row.number, "expires_at", code, f"more than {ceiling.days} days ahead")


def _minor(row: SheetRow, made: RosterRow, rules: RosterRules) -> Iterator[Problem]:
    said = row.cells["is_minor"].casefold()
    if said not in _YES | _NO:
        yield Problem(row.number, "is_minor", "not_yes_or_no", "neither yes nor no")
        return
    if made.is_minor and not made.minor_justification:
        column = "minor_justification"
        yield Problem(row.number, column, "minor_without_justification", "a minor, and no word why")
    if made.minor_justification and not made.is_minor:
        column = "is_minor"
        yield Problem(row.number, column, "justification_without_minor", "a justification, and no minor")
    if made.is_minor and not rules.allows_minors:
        yield Problem(row.number, "is_minor", "minor_not_searched", "the list allows no minors")


def _people(row: SheetRow, rules: RosterRules) -> Iterator[Problem]:
    asked, decides = row.cells["requested_by"].casefold(), row.cells["authorised_by"].casefold()
    if asked and asked == decides:
        yield Problem(row.number, "authorised_by", "one_person", "requested and authorised by one person")
    for column, who, roles, word in (
        ("requested_by", asked, REQUESTERS, "requester"),
        ("authorised_by", decides, AUTHORISERS, "authoriser"),
    ):
        person = rules.people.get(who)
        if not who or (column == "authorised_by" and asked == decides):
            continue
        if person is None or not person.active:
            yield Problem(row.number, column, f"{word}_unknown", "no active account of that name")
        elif person.role not in roles:
            yield Problem(row.number, column, f"{word}_role", f"the account is {person.role.value}")


def _images(made: RosterRow) -> Iterator[Problem]:
    if len(made.images) > MOST_PICTURES:
        yield Problem(made.number, "images", "too_many_images", f"{len(made.images)} pictures")
    if len(set(made.images)) < len(made.images):
        yield Problem(made.number, "images", "image_named_twice", "one file is named twice")


def _against_each_other(rows: Sequence[SheetRow], rules: RosterRules) -> Iterator[Problem]:
    """Rows and names that were there before."""
    whole: dict[tuple[tuple[str, str], ...], int] = {}
    names: dict[str, int] = {}
    for row in rows:
        same, name = tuple(sorted(row.cells.items())), name_key(row.cells["name"])
        if same in whole:
            yield Problem(row.number, None, "duplicate_row", f"the same as row {whole[same]}")
            continue
        whole[same] = row.number
        if not name:
            continue
        if name in names:
            yield Problem(row.number, "name", "duplicate_name", f"the name of row {names[name]}")
        elif name in rules.listed:
            yield Problem(row.number, "name", "already_listed", "an entry of that name is in force")
        elif name in rules.asked:
            yield Problem(row.number, "name", "already_requested", "an entry of that name is asked for")
        names.setdefault(name, row.number)
