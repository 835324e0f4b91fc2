"""A CSV file as rows of cells, and what is wrong with its form. Nothing is guessed, dropped or repaired."""

from __future__ import annotations

import csv
import hashlib
import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aiqyn.roster.problems import Problem

REQUIRED: Final = (
    "name",
    "images",
    "image_source",
    "legal_basis",
    "case_reference",
    "purpose",
    "expires_at",
    "requested_by",
    "authorised_by",
)
OPTIONAL: Final = ("watchlist", "is_minor", "minor_justification")
LONGEST: Final = {"name": 128, "case_reference": 128, "requested_by": 64, "authorised_by": 64}
"""Characters of a cell, by column; others see `_LONGEST_OTHER`."""

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_ROWS: Final = 20_000

_LONGEST_OTHER: Final = {"images": 2000, "minor_justification": 1000, "watchlist": 128, "is_minor": 8}
_LONGEST_TEXT: Final = 500
_FORMULA: Final = ("=", "+", "-", "@")
_OTHER_ENCODINGS: Final = (b"\xff\xfe", b"\xfe\xff")
_BOM: Final = b"\xef\xbb\xbf"
_INVISIBLE: Final = frozenset(
    "\u200b\u200e\u200f\u061c\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""Marks of direction and of no width, by which a name can look like another; joiners are letters' own."""


@dataclass(frozen=True, slots=True, repr=False)
class SheetRow:
    """A row whose form is sound enough to be read.

    Attributes:
        number: of the line it begins in, the header being 1: as a spreadsheet counts, too, for a cell with a line
            break in it is refused.
        cells: by column, without blanks around; columns the file lacks are empty.
    """

    number: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class Sheet:
    """A table, read.

    Attributes:
        rows: those that have a cell for every column.
        records: how many rows the file holds, the header not counted.
        problems: of form.
        sha256: of the file.
    """

    rows: tuple[SheetRow, ...]
    records: int
    problems: tuple[Problem, ...]
    sha256: str


class _Lines:
    """The lines of a text; remembers whether they are at their end."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.at_end = False

    def __iter__(self) -> Iterator[str]:
        yield from self._lines
        self.at_end = True


def read_sheet(content: bytes) -> Sheet:
    """The rows of a CSV file in UTF-8, separated by commas or semicolons.

    Args:
        content: of the file; a byte order mark of UTF-8 is no part of the first cell.
    """
    digest = hashlib.sha256(content).hexdigest()
    whole = _whole_file(content)
    if whole is not None:
        return Sheet((), 0, (whole,), digest)
    text = content.removeprefix(_BOM).decode("utf-8", "surrogateescape")
    first, _, _ = text.partition("\n")
    records = _records(text, ";" if first.count(";") > first.count(",") else ",")
    _, header = next(records, (1, []))
    if isinstance(header, Problem):
        return Sheet((), 0, (header,), digest)
    columns = [name.strip().casefold() for name in header]
    problems = list(_header_problems(columns))
    if problems:
        return Sheet((), 0, tuple(problems), digest)
    rows: list[SheetRow] = []
    count = 0
    for number, record in records:
        if record == []:
            continue
        count += 1
        if count > MOST_ROWS:
            problems.append(Problem(number, None, "too_many_rows", f"more than {MOST_ROWS} rows"))
            break
        found = record if isinstance(record, Problem) else _misshapen(number, record, columns)
        if found is not None:
            problems.append(found)
        elif not isinstance(record, Problem):
            named = dict(zip(columns, record, strict=True))
            problems += _cell_problems(number, named)
            rows.append(SheetRow(number, dict.fromkeys(OPTIONAL, "") | _clean(named)))
    if not count:
        problems.append(Problem(0, None, "file_empty", "the table has no row"))
    return Sheet(tuple(rows), count, tuple(problems), digest)


def _whole_file(content: bytes) -> Problem | None:
    if not content.strip():
        return Problem(0, None, "file_empty", "the file is empty")
    if len(content) > MOST_BYTES:
        return Problem(0, None, "file_too_large", f"the file is larger than {MOST_BYTES // 1024**2} MiB")
    if content.startswith(_OTHER_ENCODINGS):
        return Problem(0, None, "not_utf8", "the file is in UTF-16")
    return None


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | Problem]]:
    """Records with the line each begins in; a broken one is a problem, and the next line begins another."""
    lines = _Lines(text)
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    while True:
        began = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if lines.at_end or reader.line_num > began:
                told = f"a quotation mark opened in line {began} is not closed in it"
                yield began, Problem(began, None, "quote_never_closed", told)
            else:
                yield began, Problem(began, None, "bad_quotes", "text after a closing quotation mark")
            continue
        yield began, record


def _header_problems(columns: Sequence[str]) -> Iterator[Problem]:
    for name in REQUIRED:
        if name not in columns:
            yield Problem(1, name, "column_missing", f"there is no column {name}")
    for place, name in enumerate(columns):
        if name not in (*REQUIRED, *OPTIONAL):
            yield Problem(1, name[:40], "column_unknown", f"column {place + 1} is called {name[:40]!r}")
        elif name in columns[:place]:
            yield Problem(1, name, "column_twice", f"column {place + 1} has the name of another")


def _misshapen(number: int, record: Sequence[str], columns: Sequence[str]) -> Problem | None:
    if len(record) == len(columns):
        return None
    code = "too_few_cells" if len(record) < len(columns) else "too_many_cells"
    return Problem(number, None, code, f"{len(record)} cells under {len(columns)} columns")


def _cell_problems(number: int, cells: dict[str, str]) -> Iterator[Problem]:
    for column, value in cells.items():
        code = _fault(column, value)
        if code is not None:
            yield Problem(number, column, code, _FAULTS[code])


_FAULTS: Final = {
    "row_not_utf8": "the cell is not UTF-8",
    "nul_byte": "the cell holds a NUL byte",
    "control_character": "the cell holds a control character",
    "formula": "the cell begins as a formula does",
    "blank_only": "the cell holds nothing but blanks",
    "too_long": "the cell is too long",
}


def _fault(column: str, value: str) -> str | None:
    """The first thing wrong with a cell."""
    if any("\udc80" <= letter <= "\udcff" for letter in value):
        return "row_not_utf8"
    if "\x00" in value:
        return "nul_byte"
    if any(unicodedata.category(letter) == "Cc" or letter in _INVISIBLE for letter in value):
        return "control_character"
    if value and not value.strip():
        return "blank_only"
    if value.strip().startswith(_FORMULA):
        return "formula"
    longest = LONGEST.get(column) or _LONGEST_OTHER.get(column, _LONGEST_TEXT)
    return "too_long" if len(value.strip()) > longest else None


def _clean(cells: dict[str, str]) -> dict[str, str]:
    """Cells as the rules read them; what is wrong was told already, and must not be told again as missing."""
    return {column: value.strip() for column, value in cells.items()}
