"""Retractions: a confirmed match may not be acted on any more, and whoever was told so is told this."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.clockwork import Issuer
from api.errors import ConflictError, NotFoundError
from api.ledger.chain import Happening
from api.ledger.receipts import LedgerPlace
from api.ledger.retractions import RetractionContent, build_retraction
from api.oversight import within_rights
from api.principals import OVERSEERS, SUPERVISORS, check_role
from api.replays import WriteRequest, keep_result, replayed
from api.review.redress import RetractionCode
from api.store.candidates import CandidateRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository, OutboxRepository
from api.store.models import Retraction
from pipelines.events import RETRACTED_SCHEMA


@dataclass(frozen=True, slots=True)
class RetractionGround:
    """Why, and on whose word.

    Attributes:
        code: in a word; travels with the retraction.
        reason: in words; stays in the records.
        account_id: whose act it is.
    """

    code: RetractionCode
    reason: str
    account_id: str


class RetractionService:
    """Retracts confirmed matches: ledger entry, record and outbox row, in one transaction."""

    def __init__(self, database: Database, issuer: Issuer, clock: Clock) -> None:
        self._database = database
        self._issuer = issuer
        self._clock = clock

    def retract(
        self,
        principal: Principal,
        candidate_id: str,
        code: RetractionCode,
        reason: str,
        request: WriteRequest,
    ) -> dict[str, Any]:
        """Retracts a confirmed match, once and for good.

        Returns:
            The retraction as JSON values.

        Raises:
            ForbiddenError: not a supervisor.
            NotFoundError: there is no such candidate.
            ConflictError: it was not confirmed, or is retracted already.
        """
        check_role(principal, SUPERVISORS, "cannot retract")
        with self._database.write() as session:
            now = self._clock()
            within_rights(principal, CandidateRepository(session).row(candidate_id, lock=True))
            before = replayed(session, request)
            if before is not None:
                return before
            ground = RetractionGround(code, reason, principal.account_id)
            result = retraction_document(self.retract_in(session, candidate_id, ground, now))
            keep_result(session, request, 201, result, now)
            return result

    def retract_in(
        self, session: Session, candidate_id: str, ground: RetractionGround, now: datetime
    ) -> Retraction:
        """Retracts in the caller's transaction, which has locked the candidate.

        Raises:
            ConflictError: it was not confirmed, or is retracted already.
        """
        outbox = OutboxRepository(session)
        receipt = outbox.receipt(candidate_id)
        if receipt is None:
            raise ConflictError("not_confirmed", "only a confirmed match is retracted")
        if outbox.retraction(candidate_id) is not None:
            raise ConflictError("already_retracted", "this confirmed match is retracted already")
        retraction = Retraction(
            retraction_id=str(uuid.uuid4()),
            candidate_id=candidate_id,
            receipt_id=receipt.receipt_id,
            reason_code=ground.code.value,
            reason=ground.reason,
            retracted_by=ground.account_id,
            retracted_at=now,
        )
        outbox.add_retraction(retraction, self._event(session, retraction), now)
        return retraction

    def retraction(self, principal: Principal, candidate_id: str) -> dict[str, Any]:
        """The retraction of a candidate's confirmed match, as JSON values.

        Raises:
            NotFoundError: there is none.
        """
        check_role(principal, OVERSEERS, "cannot see this")
        with self._database.read() as session:
            within_rights(principal, CandidateRepository(session).row(candidate_id))
            row = OutboxRepository(session).retraction(candidate_id)
        if row is None:
            raise NotFoundError
        return retraction_document(row)

    def _event(self, session: Session, retraction: Retraction) -> dict[str, Any]:
        detail = {"receipt": retraction.receipt_id, "reason_code": retraction.reason_code}
        entry = LedgerRepository(session).append_now(
            Happening(
                "retracted",
                retraction.retracted_at,
                retraction.retracted_by,
                f"candidate:{retraction.candidate_id}",
                detail,
            )
        )
        content = RetractionContent(
            retraction_id=retraction.retraction_id,
            issuer=self._issuer.name,
            issued_at=retraction.retracted_at,
            receipt_id=retraction.receipt_id,
            candidate_id=retraction.candidate_id,
            reason_code=retraction.reason_code,
            ledger=LedgerPlace(entry.sequence - 1, entry.entry_sha256),
        )
        token = build_retraction(content, self._issuer.keys.receipts_key())
        return {"schema": RETRACTED_SCHEMA, "retraction": token}


def retraction_document(row: Retraction) -> dict[str, Any]:
    """A retraction as JSON values."""
    return {
        "retraction_id": row.retraction_id,
        "candidate_id": row.candidate_id,
        "receipt_id": row.receipt_id,
        "reason_code": row.reason_code,
        "reason": row.reason,
        "retracted_by": row.retracted_by,
        "retracted_at": row.retracted_at.isoformat(),
    }
