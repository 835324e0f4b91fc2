"""Tables to import: rows that keep the rules, and each thing that can be wrong with one, by its code."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

COLUMNS = (
    "name", "images", "image_source", "legal_basis", "case_reference", "purpose", "expires_at",
    "requested_by", "authorised_by", "watchlist", "is_minor", "minor_justification",
)  # fmt: skip
REQUESTER, AUTHORISER, OPERATOR = "saule", "nurlan", "aigul"
LIST = "Missing persons"


def day(days: int) -> str:
    """So many days from now, as a table has it."""
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d")


def good_row(number: int, image: str) -> dict[str, str]:
    """A row with nothing wrong."""
    return {
        "name": f"Person Number {number}",
        "images": image,
        "image_source": "file of the case",
        "legal_basis": "Law on search for missing persons, art. 12",
        "case_reference": f"2026-{number:05d}",
        "purpose": "find a person reported missing",
        "expires_at": day(60),
        "requested_by": REQUESTER,
        "authorised_by": AUTHORISER,
        "watchlist": LIST,
        "is_minor": "no",
        "minor_justification": "",
    }


CELL_FAULTS: dict[str, dict[str, str]] = {
    "name_missing": {"name": ""},
    "blank_only": {"purpose": "   "},
    "too_long": {"name": "n" * 129},
    "nul_byte": {"purpose": "find\x00them"},
    "control_character": {"name": "Evil \u202eeman"},
    "formula": {"case_reference": "=HYPERLINK(0)"},
    "row_not_utf8": {"purpose": "find \udcff"},
    "image_source_missing": {"image_source": ""},
    "legal_basis_missing": {"legal_basis": ""},
    "case_reference_missing": {"case_reference": ""},
    "purpose_missing": {"purpose": ""},
    "expiry_missing": {"expires_at": ""},
    "bad_date": {"expires_at": "31.03.2026"},
    "date_in_past": {"expires_at": "2020-01-31"},
    "beyond_ceiling": {"expires_at": day(400)},
    "beyond_minor_ceiling": {"expires_at": day(120), "is_minor": "yes", "minor_justification": "abducted"},
    "not_yes_or_no": {"is_minor": "perhaps"},
    "minor_without_justification": {"is_minor": "yes"},
    "justification_without_minor": {"minor_justification": "abducted"},
    "requester_missing": {"requested_by": ""},
    "requester_unknown": {"requested_by": "nobody"},
    "requester_role": {"requested_by": OPERATOR},
    "authoriser_missing": {"authorised_by": ""},
    "authoriser_unknown": {"authorised_by": "nobody"},
    "authoriser_role": {"authorised_by": OPERATOR},
    "one_person": {"authorised_by": REQUESTER.upper()},
    "other_list": {"watchlist": "Another list"},
    "images_missing": {"images": ""},
    "image_not_found": {"images": "not-there.jpg"},
    "image_outside": {"images": "../outside.jpg"},
}
"""What is wrong with a cell: code → cells that have it."""

FILE_FAULTS = (
    "image_is_link", "image_not_a_file", "image_empty", "image_too_large", "not_a_picture", "image_broken",
    "too_many_pixels", "no_face", "several_faces",
)  # fmt: skip
"""What is wrong with a picture's file."""


@dataclass
class Table:
    """A table that is being made.

    Attributes:
        rows: as they will stand.
        wrong: row number → code, of every seeded fault.
    """

    rows: list[dict[str, str]] = field(default_factory=list)
    wrong: list[tuple[int, str]] = field(default_factory=list)

    def add(self, row: dict[str, str], *codes: str) -> int:
        """Adds a row with these faults; gives its number as a spreadsheet counts."""
        self.rows.append(row)
        number = len(self.rows) + 1
        self.wrong += [(number, code) for code in codes]
        return number

    def content(self, columns: Sequence[str] = COLUMNS, delimiter: str = ",") -> bytes:
        """The file's bytes."""
        return written(columns, ([row[name] for name in columns] for row in self.rows), delimiter)


def written(columns: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str = ",") -> bytes:
    """A CSV file's bytes; letters that stand for bytes that are no UTF-8 become those bytes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def seed_cell_faults(table: Table, next_image: Callable[[], str]) -> None:
    """A row for each of `CELL_FAULTS`, and for what is wrong between rows."""
    for code, cells in CELL_FAULTS.items():
        row = good_row(len(table.rows), next_image())
        table.add(row | cells, code)
    first = good_row(len(table.rows), next_image())
    table.add(first)
    table.add(dict(first), "duplicate_row")
    again = good_row(len(table.rows), next_image())
    table.add(again | {"name": f"  {first['name'].upper()} "}, "duplicate_name")
    image = next_image()
    table.add(good_row(len(table.rows), f"{image}|{image}"), "image_named_twice")


def seed_file_faults(table: Table, folder: Path, bad: dict[str, bytes | None]) -> None:
    """A row for each of `FILE_FAULTS`.

    Args:
        folder: of the pictures.
        bad: bytes of the file for a code; None where it is made here.
    """
    outside = folder.parent / "elsewhere.jpg"
    outside.write_bytes(b"not ours")
    (folder / "image_is_link.jpg").symlink_to(outside)
    (folder / "image_not_a_file.jpg").mkdir()
    (folder / "image_empty.jpg").touch()
    with (folder / "image_too_large.jpg").open("wb") as file:
        file.truncate(9 * 1024**2)
    for code in FILE_FAULTS:
        content = bad.get(code)
        if content is not None:
            (folder / f"{code}.jpg").write_bytes(content)
        table.add(good_row(len(table.rows), f"{code}.jpg"), code)
