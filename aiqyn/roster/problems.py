"""What can be wrong with a row of an import, and what to do about it. The codes are stable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ADVICE: Final[dict[str, str]] = {
    # The file.
    "file_empty": "give a table with a header and at least one row",
    "file_too_large": "split the table",
    "not_utf8": "save the table as CSV in UTF-8",
    "column_missing": "add the column to the header; docs/lists.md names all columns",
    "column_unknown": "take the column away, or correct its name",
    "column_twice": "keep one column of this name",
    "too_many_rows": "split the table",
    # The form of a row.
    "quote_never_closed": "close the quotation mark; what follows it was swallowed",
    "bad_quotes": 'write a quotation mark inside a cell twice: ""',
    "too_few_cells": "give every column a cell, empty where there is nothing to say",
    "too_many_cells": "put quotation marks around cells that hold the separator",
    "row_not_utf8": "save the table as CSV in UTF-8",
    "nul_byte": "take the NUL byte out of the cell",
    "control_character": "take control characters, line breaks and invisible marks of direction out of the cell",
    "formula": "a cell that begins with = + - or @ is a formula to a spreadsheet: take that character away",
    "blank_only": "say something, or leave the cell empty",
    "too_long": "shorten the cell",
    "duplicate_row": "take one of the two rows away",
    # What must be said.
    "name_missing": "name the subject",
    "image_source_missing": "say where the pictures come from",
    "legal_basis_missing": "name the provision it rests on",
    "case_reference_missing": "name the file it belongs to",
    "purpose_missing": "say what for",
    "expiry_missing": "say until when: 2026-03-31",
    "bad_date": "write the date as 2026-03-31, or 2026-03-31T18:00+05:00",
    "date_in_past": "give a date that lies ahead",
    "beyond_ceiling": "give an earlier date: nobody is listed longer than the ceiling without a new decision",
    "beyond_minor_ceiling": "give an earlier date: somebody under eighteen is listed for 92 days at most",
    "not_yes_or_no": "write yes or no",
    "minor_without_justification": "say in minor_justification why a minor must be listed all the same",
    "justification_without_minor": "say yes in is_minor, or leave minor_justification empty",
    "requester_missing": "give the login name of who asks",
    "requester_unknown": "give the login name of an account that is active",
    "requester_role": "a supervisor asks: name one",
    "authoriser_missing": "give the login name of who is to decide",
    "authoriser_unknown": "give the login name of an account that is active",
    "authoriser_role": "an authoriser decides: name one",
    "one_person": "name another authoriser: who asks does not decide",
    "other_list": "the row names another list than --watchlist: import it there",
    "duplicate_name": "one row per person: put all pictures into one row, or tell the two people apart by name",
    "already_listed": "take the row away; ask for a renewal where the entry is to stay longer",
    "already_requested": "take the row away: somebody asked for this entry already",
    "list_full": "remove entries first, or have an authoriser raise the list's cap",
    # Pictures.
    "images_missing": "name at least one picture",
    "too_many_images": "keep the best ten pictures",
    "image_named_twice": "name each picture once",
    "image_not_found": "put the file into the folder of --images, or correct its name",
    "image_outside": "name files inside the folder of --images only",
    "image_is_link": "put the file itself in place of the link",
    "image_not_a_file": "name a file, no folder",
    "image_empty": "the file has no bytes: fetch it again",
    "image_too_large": "give a picture of 8 MiB or less",
    "not_a_picture": "give a JPEG, PNG, WebP, BMP, GIF or TIFF",
    "image_broken": "the file is cut off or damaged: fetch it again",
    "too_many_pixels": "give a picture of 64 million pixels or less",
    "no_face": "give a picture of one person who faces the camera",
    "several_faces": "crop the picture to the one person it stands for",
    "image_failed": "the picture could not be read in bounded time and memory: give another one",
    "same_picture_twice": "one photograph under two names is nobody's reference: find out whose it is",
    "outlier": "this picture hardly shows the person of the row's others: take the wrong one away",
    "conflict": "the row's pictures hardly show one person: take the wrong one away",
    # Warnings.
    "duplicate_picture": "the same photograph twice: it is kept once",
    "look_alike": "these two will be confused: whoever approves is told",
    "same_person": "perhaps one person under two names: whoever approves is told",
    "face_too_small": "the face is small: give a larger picture where there is one",
    "low_quality": "the face is hard to compare: give a better picture where there is one",
    "other_faces": "somebody else is in the picture, clearly smaller; the middle one was taken",
    "minor_not_searched": "the list allows no minors: the entry would be kept, and not searched",
}
"""What to do, by code."""

WARNINGS: Final = frozenset({
    "duplicate_picture", "look_alike", "same_person", "face_too_small", "low_quality", "other_faces",
    "minor_not_searched",
})  # fmt: skip
"""Codes that do not keep an import from being filed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong.

    Attributes:
        row: the line it begins in, the header being 1; 0 for the file as a whole.
        column: where there is one.
        code: stable, one of `ADVICE`.
        message: what was found; no name of a subject, for reports are passed on.
    """

    row: int
    column: str | None
    code: str
    message: str

    @property
    def is_error(self) -> bool:
        """Whether nothing is filed because of it."""
        return self.code not in WARNINGS

    @property
    def advice(self) -> str:
        """What to do."""
        return ADVICE[self.code]
