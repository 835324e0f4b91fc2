"""What follows a confirmed match: what the contact showed, complaints, their re-examination, and retractions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from api.review.cases import State
from api.review.errors import RedressError


class ContactResult(StrEnum):
    """What the contact with the person showed."""

    TRUE_ALERT = "true_alert"
    FALSE_ALERT = "false_alert"
    NO_CONTACT = "no_contact"
    UNKNOWN = "unknown"


class RetractionCode(StrEnum):
    """Why a confirmed match may not be acted on any more."""

    MISTAKEN_IDENTITY = "mistaken_identity"
    JUDGE_ERROR = "judge_error"
    COMPLAINT_UPHELD = "complaint_upheld"
    ENTRY_UNLAWFUL = "entry_unlawful"
    TECHNICAL_FAULT = "technical_fault"


class ComplaintState(StrEnum):
    """How far a complaint has come."""

    OPEN = "open"
    UNDER_REVIEW = "under_review"
    ANSWERED = "answered"


class ComplaintOutcome(StrEnum):
    """How a complaint was answered."""

    UPHELD = "upheld"
    NOT_UPHELD = "not_upheld"
    NOTHING_FOUND = "nothing_found"


class Finding(StrEnum):
    """What two fresh judges found of a candidate a complaint is about."""

    AWAITED = "awaited"
    SAME = "same"
    NOT_SAME = "not_same"
    IMPOSSIBLE = "impossible"


UNDECIDED: Final = frozenset({State.OPEN, State.ONE_ANSWER, State.CONFIRMED_HELD, State.DISAGREEMENT})
"""A candidate that somebody still decides about is looked at again once it has ended."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A candidate a complaint is about.

    Attributes:
        finding: of two fresh judges.
        in_force: whether it was confirmed and not retracted.
    """

    finding: Finding
    in_force: bool


def finding_of(copy: State | None, *, possible: bool) -> Finding:
    """What a re-examination came to.

    Args:
        copy: where the newest re-examination stands; None: none was ordered.
        possible: whether pictures and entry are still there.
    """
    if copy is State.REEXAMINED_SAME:
        return Finding.SAME
    if copy is State.REEXAMINED_OTHER:
        return Finding.NOT_SAME
    return Finding.AWAITED if possible else Finding.IMPOSSIBLE


def to_retract(
    outcome: ComplaintOutcome, examined: Mapping[str, Examined], chosen: frozenset[str]
) -> frozenset[str]:
    """The candidates an answer retracts.

    Args:
        outcome: the answer.
        examined: every candidate the complaint is about, by its id.
        chosen: those the supervisor wants retracted.

    Returns:
        Those in force that she chose, that two fresh judges did not both call the same person, or that alone
        an upheld complaint is about.

    Raises:
        RedressError: the re-examination is not over, something is to be retracted by a complaint that is not
            upheld, nothing was found and there is something, or a candidate is none of this complaint.
    """
    if any(one.finding is Finding.AWAITED for one in examined.values()):
        raise RedressError("not_reexamined", "two fresh judges have not looked at all of it yet")
    if not chosen <= set(examined):
        raise RedressError("not_of_this_complaint", "only candidates of this complaint are retracted by it")
    doubtful = {key for key, one in examined.items() if one.finding is Finding.NOT_SAME and one.in_force}
    wanted = {key for key in chosen if examined[key].in_force} | doubtful
    if outcome is not ComplaintOutcome.UPHELD:
        if wanted:
            raise RedressError("must_be_upheld", "what is retracted by a complaint upholds it")
        if outcome is ComplaintOutcome.NOTHING_FOUND and examined:
            raise RedressError("something_found", "candidates were found; uphold the complaint, or do not")
        return frozenset()
    if len(examined) == 1:
        wanted |= {key for key, one in examined.items() if one.in_force}
    return frozenset(wanted)
