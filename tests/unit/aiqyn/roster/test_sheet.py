"""A table's form: what is sound is read as it stands, what is not is told at its row."""

from __future__ import annotations

import pytest

from aiqyn.roster.problems import ADVICE, WARNINGS, Problem
from aiqyn.roster.sheet import MOST_ROWS, OPTIONAL, REQUIRED, read_sheet
from bench.roster_table import COLUMNS, good_row, written

ROW = [good_row(1, "a.jpg")[name] for name in COLUMNS]


def codes(content: bytes) -> list[tuple[int, str]]:
    return [(problem.row, problem.code) for problem in read_sheet(content).problems]


def with_cell(column: str, value: str) -> bytes:
    row = list(ROW)
    row[COLUMNS.index(column)] = value
    return written(COLUMNS, [row])


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_sound_table(delimiter: str, mark: bytes) -> None:
    sheet = read_sheet(mark + written(COLUMNS, [ROW, ROW], delimiter))
    assert (sheet.problems, sheet.records) == ((), 2)
    assert [row.number for row in sheet.rows] == [2, 3]
    assert sheet.rows[0].cells["name"] == "Person Number 1"


def test_columns_in_any_order_case_and_without_the_optional_ones() -> None:
    names = [name.upper() for name in reversed(REQUIRED)]
    sheet = read_sheet(written(names, [["x"] * len(names)]))
    assert sheet.problems == ()
    assert set(sheet.rows[0].cells) == {*REQUIRED, *OPTIONAL}


@pytest.mark.parametrize(
    ("content", "code", "row"),
    [
        pytest.param(b"", "file_empty", 0, id="no byte"),
        pytest.param(b" \r\n ", "file_empty", 0, id="blanks"),
        pytest.param(written(COLUMNS, []), "file_empty", 0, id="a header alone"),
        pytest.param(written(COLUMNS, [ROW]).decode().encode("utf-16"), "not_utf8", 0, id="utf-16"),
        pytest.param(written(COLUMNS[1:], [ROW[1:]]), "column_missing", 1, id="no names"),
        pytest.param(
            written([*COLUMNS, "ethnicity"], [[*ROW, "x"]]), "column_unknown", 1, id="unknown column"
        ),
        pytest.param(written([*COLUMNS, "name"], [[*ROW, "x"]]), "column_twice", 1, id="twice"),
        pytest.param(written(COLUMNS, [ROW[:-1]]), "too_few_cells", 2, id="short row"),
        pytest.param(written(COLUMNS, [[*ROW, ""]]), "too_many_cells", 2, id="long row"),
        pytest.param(with_cell("purpose", "a\udcff"), "row_not_utf8", 2, id="no utf-8"),
        pytest.param(with_cell("purpose", "a\x00"), "nul_byte", 2, id="nul"),
        pytest.param(with_cell("name", "a\u202eb"), "control_character", 2, id="turns the direction"),
        pytest.param(with_cell("name", "a\nb"), "control_character", 2, id="a line break"),
        pytest.param(with_cell("name", "=1+1"), "formula", 2, id="formula"),
        pytest.param(with_cell("name", " @x"), "formula", 2, id="formula after a blank"),
        pytest.param(with_cell("name", " \u00a0 "), "blank_only", 2, id="blanks of other kinds"),
        pytest.param(with_cell("name", "n" * 129), "too_long", 2, id="long name"),
        pytest.param(written(COLUMNS, [ROW]) + b'"a"b,\r\n', "bad_quotes", 3, id="text after a quote"),
        pytest.param(written(COLUMNS, [ROW]) + b'"a,b\r\n', "quote_never_closed", 3, id="open quote"),
    ],
)
def test_what_is_wrong_with_a_table(content: bytes, code: str, row: int) -> None:
    assert (row, code) in codes(content)


def test_joiners_are_letters_of_names() -> None:
    assert codes(with_cell("name", "می\u200cخواهم")) == []


def test_a_quote_that_swallows_the_rest_is_told_once_where_it_opens() -> None:
    rest = written(COLUMNS, [ROW] * 3000).partition(b"\r\n")[2]
    content = written(COLUMNS, [ROW]) + b'"open' + b"," * (len(COLUMNS) - 1) + b"\r\n" + rest
    assert (3, "quote_never_closed") in codes(content)


def test_a_broken_row_costs_the_others_nothing() -> None:
    rest = written(COLUMNS, [ROW]).partition(b"\r\n")[2]
    sheet = read_sheet(written(COLUMNS, [ROW]) + b'"a"b,\r\n' + rest)
    assert [row.number for row in sheet.rows] == [2, 4]


def test_too_many_rows() -> None:
    assert codes(written(("name", *COLUMNS[1:]), [ROW] * (MOST_ROWS + 1)))[-1][1] == "too_many_rows"


def test_every_problem_says_what_to_do_and_whether_it_stops_the_import() -> None:
    assert set(ADVICE) > WARNINGS
    assert Problem(2, "name", "formula", "m").is_error
    assert not Problem(2, "images", "look_alike", "m").is_error
    assert all(advice.strip() for advice in ADVICE.values())
