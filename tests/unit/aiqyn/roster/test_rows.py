"""Rows held against the rules, and files against the one folder they may come from."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiqyn.roster.pictures import find_pictures
from aiqyn.roster.problems import Problem
from aiqyn.roster.rows import RosterRow, RosterRules, name_key, read_end, read_rows
from aiqyn.roster.sheet import read_sheet
from api.list_imports import KnownPerson
from api.review.cases import Role
from bench.roster_table import CELL_FAULTS, COLUMNS, LIST, Table, good_row, seed_cell_faults

PEOPLE = {
    "saule": KnownPerson("acc_1", Role.SUPERVISOR, active=True),
    "nurlan": KnownPerson("acc_2", Role.AUTHORISER, active=True),
    "aigul": KnownPerson("acc_3", Role.OPERATOR, active=True),
    "gone": KnownPerson("acc_4", Role.AUTHORISER, active=False),
}
RULES = RosterRules(LIST, datetime.now(UTC), PEOPLE, frozenset(), frozenset(), 1000, allows_minors=True)
OF_FORM = frozenset({"blank_only", "too_long", "nul_byte", "control_character", "formula", "row_not_utf8"})
OF_FILES = frozenset({"image_not_found", "image_outside"})


def told(table: Table, rules: RosterRules = RULES) -> set[tuple[int, str]]:
    """Row and code of everything found, form and rules."""
    sheet = read_sheet(table.content())
    form = {(problem.row, problem.column) for problem in sheet.problems}
    _, problems = read_rows(sheet.rows, rules, form)
    return {(one.row, one.code) for one in (*sheet.problems, *problems)}


def one_row(**cells: str) -> Table:
    table = Table()
    table.add(good_row(1, "a.jpg") | cells)
    return table


def test_every_seeded_fault_is_told_at_its_row_and_nothing_else() -> None:
    table = Table()
    images = iter(f"{number}.jpg" for number in range(1000))
    seed_cell_faults(table, lambda: next(images))
    for number in range(5):
        table.add(good_row(900 + number, next(images)))
    wanted = {(row, code) for row, code in table.wrong if code not in OF_FILES}
    assert told(table) == wanted


@pytest.mark.parametrize("code", sorted(set(CELL_FAULTS) - OF_FORM - OF_FILES))
def test_a_rule_that_is_off_lets_its_fault_through(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule is the only one to see its fault: without it nothing is told."""
    from aiqyn.roster import rows

    def deaf(row: int, column: str | None, found: str, message: str) -> Problem:
        return Problem(row, column, "look_alike" if found == code else found, message)

    table = one_row(**CELL_FAULTS[code])
    assert (2, code) in told(table)
    monkeypatch.setattr(rows, "Problem", deaf)
    assert not {one for one in told(table) if one[1] != "look_alike"}


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        (replace(RULES, listed=frozenset({"person number 1"})), "already_listed"),
        (replace(RULES, asked=frozenset({"person number 1"})), "already_requested"),
        (replace(RULES, room=0), "list_full"),
    ],
)
def test_what_the_list_says(rules: RosterRules, code: str) -> None:
    assert told(one_row(), rules) == {(2, code)}


def test_a_minor_on_a_list_that_allows_none_is_a_warning() -> None:
    minor = one_row(is_minor="yes", minor_justification="abducted")
    assert told(minor) == set()
    assert told(minor, replace(RULES, allows_minors=False)) == {(2, "minor_not_searched")}


def test_an_account_that_is_switched_off_is_nobody() -> None:
    assert told(one_row(authorised_by="gone")) == {(2, "authoriser_unknown")}


@pytest.mark.parametrize(
    ("one", "other"), [("Ａｉｚｈａｎ", "aizhan"), ("STRASSE", "straße"), (" a  b ", "A B")]
)
def test_names_that_are_one(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize("text", ["", "31.03.2026", "2026-02-30", "0001-01-01T00:00+14:00", "tomorrow"])
def test_what_is_no_date(text: str) -> None:
    assert read_end(text) is None


def test_a_date_lasts_to_its_end() -> None:
    end = read_end("2026-03-31")
    assert end is not None
    assert end.astimezone().hour == 23
    assert read_end("2026-03-31T18:00+05:00") == datetime(2026, 3, 31, 13, tzinfo=UTC)


def row_of(images: tuple[str, ...]) -> RosterRow:
    later = datetime.now(UTC) + timedelta(days=3)
    return RosterRow(2, "n", images, "s", "p", "l", "c", later, False, None, "acc_1", "acc_2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    (made / "sub").mkdir(parents=True)
    (made / "sub" / "a.jpg").write_bytes(b"picture")
    (made / "empty.jpg").touch()
    with (made / "large.jpg").open("wb") as file:
        file.truncate(8 * 1024**2 + 1)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (made / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (made / "linked").symlink_to(tmp_path)
    os.mkfifo(made / "pipe.jpg")
    return made


def test_a_picture_below_the_folder(folder: Path) -> None:
    found, problems = find_pictures(folder, [row_of(("sub/a.jpg", "./sub/a.jpg"))])
    assert problems == []
    assert {one.name for one in found} == {"sub/a.jpg", "./sub/a.jpg"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../secret.jpg", "image_outside"),
        ("sub/../../secret.jpg", "image_outside"),
        ("/etc/passwd", "image_outside"),
        ("..\\secret.jpg", "image_outside"),
        ("C:\\secret.jpg", "image_outside"),
        ("link.jpg", "image_is_link"),
        ("linked/secret.jpg", "image_is_link"),
        ("sub", "image_not_a_file"),
        ("pipe.jpg", "image_not_a_file"),
        ("empty.jpg/a.jpg", "image_not_a_file"),
        ("none.jpg", "image_not_found"),
        ("n" * 300, "image_not_found"),
        ("empty.jpg", "image_empty"),
        ("large.jpg", "image_too_large"),
    ],
)
def test_files_that_are_not_taken(folder: Path, name: str, code: str) -> None:
    found, problems = find_pictures(folder, [row_of((name,))])
    assert (found, [problem.code for problem in problems]) == ([], [code])


def test_the_table_has_the_columns_the_program_knows() -> None:
    from aiqyn.roster.sheet import OPTIONAL, REQUIRED

    assert set(COLUMNS) == {*REQUIRED, *OPTIONAL}
