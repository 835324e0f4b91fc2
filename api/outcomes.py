"""What came of a confirmed match: asked for, recorded once, corrected in the open."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from api.accounts import Principal
from api.clock import Clock
from api.errors import ConflictError, UnprocessableError
from api.ledger.chain import Happening
from api.oversight import within_rights
from api.principals import OVERSEERS, SUPERVISORS, check_role
from api.replays import WriteRequest, keep_result, replayed
from api.review.policies import ReviewPolicy
from api.review.redress import ContactResult
from api.store.after import OutcomeRepository, ReceiptPosition
from api.store.candidates import CandidateRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository, OutboxRepository
from api.store.models import ContactOutcome

_LATER: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class AwaitedOutcome:
    """A confirmed match of which nobody has said what came of it.

    Attributes:
        overdue: for how long it has been owed.
    """

    candidate_id: str
    receipt_id: str
    issued_at: datetime
    overdue: timedelta


class OutcomeService:
    """Asks what contacts showed, and keeps what is said."""

    def __init__(self, database: Database, policy: ReviewPolicy, clock: Clock) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock

    def report(
        self,
        principal: Principal,
        candidate_id: str,
        result: ContactResult,
        note: str | None,
        request: WriteRequest,
    ) -> dict[str, Any]:
        """Keeps what the contact showed; a further report corrects, and says why.

        Returns:
            The report as JSON values; `offers` names what may follow from it, and nothing follows by itself.

        Raises:
            ForbiddenError: not a supervisor.
            NotFoundError: there is no such candidate.
            ConflictError: it was not confirmed.
            UnprocessableError: a correction that does not say why.
        """
        check_role(principal, SUPERVISORS, "cannot report")
        with self._database.write() as session:
            now, outcomes = self._clock(), OutcomeRepository(session)
            within_rights(principal, CandidateRepository(session).row(candidate_id, lock=True))
            before = replayed(session, request)
            if before is not None:
                return before
            outbox = OutboxRepository(session)
            if outbox.receipt(candidate_id) is None:
                raise ConflictError("not_confirmed", "only what was confirmed can have led to a contact")
            earlier = outcomes.of_candidate(candidate_id)
            corrects = bool(earlier)
            if corrects and not note:
                raise UnprocessableError("note_needed", "say in `note` why the earlier report is corrected")
            row = ContactOutcome(
                outcome_id=f"out_{secrets.token_hex(12)}",
                candidate_id=candidate_id,
                outcome=result.value,
                reported_by=principal.account_id,
                # The newest counts, whatever the clock did in between.
                reported_at=max([now, *(one.reported_at + _LATER for one in earlier)]),
                note=note,
            )
            outcomes.add(row)
            detail = {"outcome": result.value, "corrects": corrects}
            LedgerRepository(session).append(
                Happening("outcome_reported", now, principal.account_id, f"candidate:{candidate_id}", detail)
            )
            retracted = outbox.retraction(candidate_id) is not None
            kept = {**outcome_document(row), "offers": _offers(result, retracted=retracted)}
            keep_result(session, request, 201, kept, now)
            return kept

    def outcomes(self, principal: Principal, candidate_id: str) -> list[dict[str, Any]]:
        """Every report about a candidate as JSON values, oldest first; the last one counts.

        Raises:
            NotFoundError: there is no such candidate.
        """
        check_role(principal, OVERSEERS, "cannot see this")
        with self._database.read() as session:
            within_rights(principal, CandidateRepository(session).row(candidate_id))
            return [outcome_document(row) for row in OutcomeRepository(session).of_candidate(candidate_id)]

    def awaited(
        self, principal: Principal, after: ReceiptPosition | None, limit: int
    ) -> Sequence[AwaitedOutcome]:
        """Confirmed matches whose outcome should be known by now, oldest first."""
        check_role(principal, OVERSEERS, "cannot see this")
        due = self._clock() - self._policy.outcome_within
        with self._database.read() as session:
            rows = OutcomeRepository(session).awaited(principal.scope, due, after, limit)
        return [
            AwaitedOutcome(row.candidate_id, row.receipt_id, row.issued_at, due - row.issued_at)
            for row in rows
        ]


def outcome_document(row: ContactOutcome) -> dict[str, Any]:
    """A report as JSON values."""
    return {
        "outcome_id": row.outcome_id,
        "candidate_id": row.candidate_id,
        "outcome": row.outcome,
        "reported_by": row.reported_by,
        "reported_at": row.reported_at.isoformat(),
        "note": row.note,
    }


def _offers(result: ContactResult, *, retracted: bool) -> list[str]:
    if result is not ContactResult.FALSE_ALERT:
        return []
    return ["complaint"] if retracted else ["retraction", "complaint"]
