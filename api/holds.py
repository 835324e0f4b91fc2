"""Legal holds: by whose order, why and until when nothing of a candidate is deleted."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.clock import Clock
from api.errors import ConflictError, NotFoundError, UnprocessableError
from api.ledger.chain import Happening
from api.oversight import within_rights
from api.principals import OVERSEERS, SUPERVISORS, Principal, check_role
from api.replays import WriteRequest, keep_result, replayed
from api.store.candidates import CandidateRepository
from api.store.engine import Database
from api.store.evidence import HoldRepository
from api.store.ledger import LedgerRepository
from api.store.models import LegalHold


@dataclass(frozen=True, slots=True)
class HoldTerms:
    """What is ordered.

    Attributes:
        reason: in words; kept with the hold, not in the ledger, which takes no names.
        until: aware; None: until it is lifted.
    """

    reason: str
    until: datetime | None = None


class HoldService:
    """Sets and lifts holds, for supervisors; auditors read them. Nothing here tells what a candidate shows."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def holds(self, principal: Principal, candidate_id: str) -> Sequence[LegalHold]:
        """Every hold a candidate ever had, oldest first.

        Raises:
            NotFoundError: there is no such candidate.
        """
        check_role(principal, OVERSEERS)
        with self._database.read() as session:
            within_rights(principal, CandidateRepository(session).row(candidate_id))
            return HoldRepository(session).of_candidate(candidate_id)

    def set_hold(
        self, principal: Principal, candidate_id: str, terms: HoldTerms, request: WriteRequest
    ) -> dict[str, Any]:
        """From the commit on nothing of the candidate is deleted.

        Returns:
            The hold as JSON values.

        Raises:
            ForbiddenError: not a supervisor.
            NotFoundError: there is no such candidate.
            UnprocessableError: it would be over already.
        """
        check_role(principal, SUPERVISORS)
        with self._database.write() as session:
            now = self._clock()
            # Locked, so that a deletion is decided before this, or not at all.
            within_rights(principal, CandidateRepository(session).row(candidate_id, lock=True))
            before = replayed(session, request)
            if before is not None:
                return before
            if terms.until is not None and terms.until <= now:
                raise UnprocessableError("hold_over", "the hold would be over already: give a later `until`")
            hold = LegalHold(
                hold_id=f"hold_{secrets.token_hex(12)}",
                candidate_id=candidate_id,
                reason=terms.reason,
                set_by=principal.account_id,
                set_at=now,
                until=terms.until,
            )
            HoldRepository(session).add(hold)
            _note(session, "hold_set", now, principal, hold)
            result = hold_document(hold)
            keep_result(session, request, 201, result, now)
            return result

    def lift_hold(
        self, principal: Principal, candidate_id: str, hold_id: str, reason: str, request: WriteRequest
    ) -> dict[str, Any]:
        """Ends a hold; other holds on the candidate stay.

        Returns:
            The hold as JSON values.

        Raises:
            ForbiddenError: not a supervisor.
            NotFoundError: the candidate has no such hold.
            ConflictError: it was lifted before.
        """
        check_role(principal, SUPERVISORS)
        with self._database.write() as session:
            now = self._clock()
            within_rights(principal, CandidateRepository(session).row(candidate_id))
            hold = HoldRepository(session).row(hold_id)
            if hold is None or hold.candidate_id != candidate_id:
                raise NotFoundError
            before = replayed(session, request)
            if before is not None:
                return before
            if hold.lifted_at is not None:
                raise ConflictError("hold_lifted", "this hold was lifted before")
            hold.lifted_by, hold.lifted_at, hold.lifted_reason = principal.account_id, now, reason
            session.flush()
            _note(session, "hold_lifted", now, principal, hold)
            result = hold_document(hold)
            keep_result(session, request, 200, result, now)
            return result


def hold_document(hold: LegalHold) -> dict[str, Any]:
    """A hold as JSON values."""
    times = {name: getattr(hold, name) for name in ("set_at", "until", "lifted_at")}
    return {
        "hold_id": hold.hold_id,
        "candidate_id": hold.candidate_id,
        "reason": hold.reason,
        "set_by": hold.set_by,
        "lifted_by": hold.lifted_by,
        "lifted_reason": hold.lifted_reason,
        **{name: None if time is None else time.isoformat() for name, time in times.items()},
    }


def _note(session: Session, kind: str, now: datetime, principal: Principal, hold: LegalHold) -> None:
    detail = {"hold_id": hold.hold_id, "until": None if hold.until is None else hold.until.isoformat()}
    LedgerRepository(session).append(
        Happening(kind, now, principal.account_id, f"candidate:{hold.candidate_id}", detail)
    )
