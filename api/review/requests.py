"""Requests to list somebody, to keep them listed, or to search a list somewhere: asked by one, decided by another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from api.review.cases import Role
from api.review.errors import NotEntitledError, NotOpenError

REQUESTERS: Final = frozenset({Role.SUPERVISOR})
AUTHORISERS: Final = frozenset({Role.AUTHORISER})
ENDERS: Final = REQUESTERS | AUTHORISERS
"""Who may end what is in force. One is enough: nobody is found by it."""

READERS: Final = frozenset({Role.SUPERVISOR, Role.AUTHORISER, Role.AUDITOR})

DECIDE_WITHIN: Final = timedelta(days=30)
"""A request nobody decided by then lapses, and what was sealed for it is destroyed."""

MOST_PICTURES: Final = 10
"""Of one entry."""

MOST_PICTURE_BYTES: Final = 8 * 1024 * 1024


class RequestKind(StrEnum):
    """What is asked for."""

    ENTRY = "entry"
    RENEWAL = "renewal"
    DEPLOYMENT = "deployment"


class RequestState(StrEnum):
    """Where a request stands."""

    CHECKING = "checking"
    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


PENDING: Final = frozenset({RequestState.CHECKING, RequestState.OPEN})


@dataclass(frozen=True, slots=True)
class RequestCase:
    """A request as the rules see it.

    Attributes:
        state: where it stands.
        requested_by: account of who asked.
        usable_references: pictures that can be searched for; None where it is about none.
        findings: what the check of the pictures found, of which whoever approves must know.
        addressed_to: account that alone may decide it; None: every authoriser.
    """

    state: RequestState
    requested_by: str
    usable_references: int | None
    findings: int
    addressed_to: str | None = None


def check_ending(case: RequestCase) -> None:
    """Lets through whoever wants to end a request that has not ended.

    Raises:
        NotOpenError: it has.
    """
    if case.state not in PENDING:
        raise NotOpenError(f"this request was {case.state.value} already")


def check_refusal(case: RequestCase, account_id: str) -> None:
    """Lets through a refusal by somebody else.

    Raises:
        NotOpenError: it has ended.
        NotEntitledError: she asked for it herself, and may withdraw it; or it is addressed to somebody else.
    """
    check_ending(case)
    if case.requested_by == account_id:
        raise NotEntitledError("own_request", "who asked for it does not decide it; somebody else must")
    if case.addressed_to not in (None, account_id):
        raise NotEntitledError("addressed_to_another", "another authoriser was named for this request")


def check_approval(case: RequestCase, account_id: str, findings_seen: int) -> None:
    """Lets through an approval by somebody else, of references that were checked, by whoever saw what was found.

    Raises:
        NotOpenError: it has ended; its pictures are not read yet, or none can be used; or other findings than seen.
        NotEntitledError: she asked for it herself.
    """
    check_refusal(case, account_id)
    if case.state is RequestState.CHECKING:
        raise NotOpenError("the pictures of this request are not read yet; look again in a moment")
    if case.usable_references == 0:
        raise NotOpenError("not one picture of this request can be used; refuse it, and ask for better ones")
    if findings_seen != case.findings:
        raise NotOpenError(
            f"the check of the pictures found {case.findings} things, and findings_seen says {findings_seen}: read them"
        )
