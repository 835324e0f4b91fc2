"""What an entry of a watchlist must state before it exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from api.review.errors import RecordError

MAX_ENTRY_AGE: Final = timedelta(days=366)
"""Ceiling of an entry's expiry: nobody stays listed without somebody deciding it again."""

MAX_MINOR_AGE: Final = timedelta(days=92)
"""Ceiling for somebody under eighteen: decided anew at least four times a year."""

DEFAULT_MAX_ENTRIES: Final = 10_000
MOST_ENTRIES: Final = 100_000
"""No list may have a larger cap: a list is of people somebody looks for, not of a population."""

MAX_FALSE_ALERTS_PER_1000_FACES: Final = 1000.0


@dataclass(frozen=True, slots=True)
class WatchlistTerms:
    """What a list is for, and how far it may go.

    Attributes:
        name: what people call it.
        purpose: what it is for.
        legal_basis: the provision it rests on.
        max_entries: its size cap.
        false_alerts_per_1000_faces: its own wanted rate; None for the settings'.
        is_test: whether everybody on it consented to be found: no list of real searches.
        allows_minors: whether entries of people under eighteen are searched.
    """

    name: str
    purpose: str
    legal_basis: str
    max_entries: int = DEFAULT_MAX_ENTRIES
    false_alerts_per_1000_faces: float | None = None
    is_test: bool = False
    allows_minors: bool = False


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
        purpose: what for; empty where the list's own purpose says it.
        is_minor: whether the subject is under eighteen.
        minor_justification: why a minor must be listed all the same.
    """

    requested_by: str
    authorised_by: str
    legal_basis: str
    case_reference: str
    image_source: str
    expires_at: datetime
    purpose: str = ""
    is_minor: bool = False
    minor_justification: str | None = None


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
    names = ("legal_basis", "case_reference", "image_source")
    check_words("entry", {name: getattr(terms, name) for name in names})
    check_minor(terms.minor_justification, is_minor=terms.is_minor)
    check_expiry(terms.expires_at, now, is_minor=terms.is_minor)


def check_words(of: str, words: Mapping[str, str]) -> None:
    """Lets through where nothing that must be said is missing.

    Raises:
        RecordError: something is, or is nothing but blanks.
    """
    for name, value in words.items():
        if not value.strip():
            raise RecordError(f"{name} of the {of} is missing")


def check_minor(justification: str | None, *, is_minor: bool) -> None:
    """Lets through a minor whose listing somebody justified apart, and adults without such words.

    Raises:
        RecordError: a minor without justification, or a justification without a minor.
    """
    said = bool(justification and justification.strip())
    if is_minor and not said:
        raise RecordError(
            "the subject is under eighteen: say in minor_justification why it must be all the same"
        )
    if said and not is_minor:
        raise RecordError("minor_justification is given, and is_minor is not: say which is meant")


def ceiling_of(*, is_minor: bool) -> timedelta:
    """How long an entry may stay before somebody decides it again."""
    return MAX_MINOR_AGE if is_minor else MAX_ENTRY_AGE


def check_expiry(expires_at: datetime, now: datetime, *, is_minor: bool) -> None:
    """Lets through an end that lies ahead, and not beyond the ceiling.

    Raises:
        RecordError: it lies in the past, or too far ahead.
    """
    if expires_at <= now:
        raise RecordError("the entry's expiry lies in the past")
    ceiling = ceiling_of(is_minor=is_minor)
    if expires_at - now > ceiling:
        of = " of somebody under eighteen" if is_minor else ""
        raise RecordError(f"the entry's expiry{of} lies more than {ceiling.days} days ahead")


def check_watchlist(terms: WatchlistTerms) -> None:
    """Lets through a list that says what it is, what for, on what basis, and how large it may grow.

    Raises:
        RecordError: says what is missing or too large.
    """
    check_words("list", {name: getattr(terms, name) for name in ("name", "purpose", "legal_basis")})
    if not 1 <= terms.max_entries <= MOST_ENTRIES:
        raise RecordError(f"a list holds 1 to {MOST_ENTRIES} entries")
    check_rate(terms.false_alerts_per_1000_faces)


def check_rate(false_alerts_per_1000_faces: float | None) -> None:
    """Lets through a wanted rate in range, or none.

    Raises:
        RecordError: out of range.
    """
    rate = false_alerts_per_1000_faces
    if rate is not None and not 0 < rate <= MAX_FALSE_ALERTS_PER_1000_FACES:
        raise RecordError(f"false alerts per 1000 faces must be above 0 and at most 1000, got {rate:g}")


def check_size(entries: int, adding: int, max_entries: int) -> None:
    """Lets through what fits under the list's cap.

    Raises:
        RecordError: the list would grow beyond its cap.
    """
    if entries + adding > max_entries:
        raise RecordError(
            f"the list may hold {max_entries} entries; it has {entries} and {adding} were asked for"
        )
