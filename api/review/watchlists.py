"""What an entry of a watchlist must state before it exists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from api.review.errors import RecordError

MAX_ENTRY_AGE: Final = timedelta(days=366)
"""Ceiling of an entry's expiry: nobody stays listed without somebody deciding it again."""

DEFAULT_MAX_ENTRIES: Final = 10_000


@dataclass(frozen=True, slots=True)
class EntryTerms:
    """On whose word and for how long a subject is listed.

    Attributes:
        requested_by: login name or office of the person who asked.
        authorised_by: of the person who allowed it; somebody else.
        legal_basis: the provision it rests on.
        case_reference: the file it belongs to.
        image_source: where the pictures come from.
        expires_at: aware, UTC.
    """

    requested_by: str
    authorised_by: str
    legal_basis: str
    case_reference: str
    image_source: str
    expires_at: datetime


def check_two_people(requested_by: str, authorised_by: str) -> None:
    """Lets through what one person asked for and another allowed.

    Raises:
        RecordError: one of them is not named, or they are the same.
    """
    if not requested_by.strip() or not authorised_by.strip():
        raise RecordError("both the person who requested and the person who authorised must be named")
    if requested_by.strip().casefold() == authorised_by.strip().casefold():
        raise RecordError("the person who authorised must be another than the one who requested")


def check_entry(terms: EntryTerms, now: datetime) -> None:
    """Lets through an entry that says who, why and until when.

    Raises:
        RecordError: says what is missing or too long.
    """
    check_two_people(terms.requested_by, terms.authorised_by)
    for name in ("legal_basis", "case_reference", "image_source"):
        if not getattr(terms, name).strip():
            raise RecordError(f"{name} of the entry is missing")
    if terms.expires_at <= now:
        raise RecordError("the entry's expiry lies in the past")
    if terms.expires_at - now > MAX_ENTRY_AGE:
        raise RecordError(f"the entry's expiry lies more than {MAX_ENTRY_AGE.days} days ahead")


def check_size(entries: int, adding: int, max_entries: int) -> None:
    """Lets through what fits under the list's cap.

    Raises:
        RecordError: the list would grow beyond its cap.
    """
    if entries + adding > max_entries:
        raise RecordError(
            f"the list may hold {max_entries} entries; it has {entries} and {adding} were asked for"
        )
