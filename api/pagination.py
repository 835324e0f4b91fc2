"""Cursors: where a page ended, opaque to clients, meaningless elsewhere."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime

from api.errors import BadRequestError


def time_cursor(moment: datetime, row_id: str) -> str:
    """The cursor of a row in an order of times and ids."""
    return _packed([moment.astimezone(UTC).isoformat(), row_id])


def read_time_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """The row a cursor stands for; None for the first page.

    Raises:
        BadRequestError: not a cursor of ours.
    """
    if cursor is None:
        return None
    match _unpacked(cursor):
        case [str(moment), str(row_id)]:
            try:
                parsed = datetime.fromisoformat(moment)
            except ValueError as error:
                raise not_ours() from error
            if parsed.tzinfo is not None and _is_id(row_id):
                return parsed, row_id
    raise not_ours()


def review_cursor(review_id: str) -> str:
    """The cursor of a review: without its time, which is more exact than what an operator is told."""
    return _packed([review_id])


def read_review_cursor(cursor: str | None) -> str | None:
    """The review a cursor stands for; None for the first page.

    Raises:
        BadRequestError: not a cursor of ours.
    """
    if cursor is None:
        return None
    match _unpacked(cursor):
        case [str(review_id)] if _is_id(review_id):
            return review_id
    raise not_ours()


def sequence_cursor(sequence: int) -> str:
    """The cursor of a ledger entry."""
    return _packed([sequence])


def read_sequence_cursor(cursor: str | None) -> int:
    """The sequence a cursor stands for; 0 for the first page.

    Raises:
        BadRequestError: not a cursor of ours.
    """
    if cursor is None:
        return 0
    match _unpacked(cursor):
        case [int(sequence)] if sequence is not True and sequence is not False and 0 <= sequence < 2**63:
            return sequence
    raise not_ours()


def pair_cursor(first: str, second: str) -> str:
    """The cursor of a row in an order of two ids."""
    return _packed([first, second])


def read_pair_cursor(cursor: str | None) -> tuple[str, str] | None:
    """The row a cursor stands for; None for the first page.

    Raises:
        BadRequestError: not a cursor of ours.
    """
    if cursor is None:
        return None
    match _unpacked(cursor):
        case [str(first), str(second)] if first.isprintable() and second.isprintable():
            return first, second
    raise not_ours()


def text_cursor(text: str) -> str:
    """The cursor of a row in an order of names."""
    return _packed([text])


def read_text_cursor(cursor: str | None) -> str | None:
    """The row a cursor stands for; None for the first page.

    Raises:
        BadRequestError: not a cursor of ours.
    """
    if cursor is None:
        return None
    match _unpacked(cursor):
        case [str(text)] if _is_id(text):
            return text
    raise not_ours()


def _packed(values: list[str | int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _unpacked(cursor: str) -> object:
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise not_ours() from error


def _is_id(text: str) -> bool:
    """Ids here are plain ASCII; databases refuse NUL, drivers lone surrogates."""
    return text.isascii() and text.isprintable()


def not_ours() -> BadRequestError:
    """What a client is told about a cursor nobody gave it."""
    return BadRequestError("bad_cursor", "the cursor is not one this service gave; begin without it")
