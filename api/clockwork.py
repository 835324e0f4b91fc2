"""What happens because time passed: the end of a hold, and of waiting for judges."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy.orm import Session

from api.clock import Clock
from api.keys.store import KeyStore
from api.ledger.chain import Entry, Happening
from api.ledger.receipts import (
    LedgerPlace,
    ReceiptContent,
    ReceiptJudgement,
    ReceiptPolicy,
    build_receipt,
)
from api.review import machine
from api.review.cases import JUDGES_NEEDED, Case
from api.review.errors import NotOpenError
from api.review.policies import ReviewPolicy
from api.store.candidates import CandidateRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository, OutboxRepository
from api.store.models import CandidateRecord, Receipt
from pipelines.events import CONFIRMED_SCHEMA, Candidate

POLICY_ID: Final = "two-blind-judges/1"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues receipts, with which keys and by which rules."""

    name: str
    keys: KeyStore
    policy: ReviewPolicy


class HoldClock:
    """At the end of a hold: ledger entry, receipt and outbox row, in one transaction."""

    def __init__(self, database: Database, issuer: Issuer, clock: Clock) -> None:
        self._database = database
        self._issuer = issuer
        self._clock = clock

    def run_once(self) -> int:
        """Confirms every held candidate whose hold is over; returns how many."""
        with self._database.read() as session:
            due = CandidateRepository(session).due_for_release(self._clock())
        return sum(self._release(candidate_id) for candidate_id in due)

    def _release(self, candidate_id: str) -> bool:
        now = self._clock()
        with self._database.write() as session:
            candidates = CandidateRepository(session)
            row = candidates.row(candidate_id, lock=True)
            if row is None:
                return False
            try:
                case = machine.release(candidates.case(row), now)
            except NotOpenError as error:  # another process was faster, or the records do not carry it
                _log.warning("release_refused", candidate_id=candidate_id, reason=str(error))
                return False
            candidates.save(row, case)
            self._issue(session, row, case, now)
        return True

    def _issue(self, session: Session, row: CandidateRecord, case: Case, now: datetime) -> None:
        judges = [item.account_id for item in machine.confirming(case)]
        happening = Happening(
            "confirmed", now, "hold-clock", f"candidate:{row.candidate_id}", {"judges": judges}
        )
        entry = LedgerRepository(session).append(happening)
        content = self._content(row, case, entry, now)
        jws = build_receipt(content, self._issuer.keys.receipts_key())
        event: dict[str, Any] = {"schema": CONFIRMED_SCHEMA, "receipt": jws}
        receipt = Receipt(
            receipt_id=str(content.receipt_id),
            candidate_id=row.candidate_id,
            jws=jws,
            issued_at=content.issued_at,
            act_before=content.act_before,
        )
        OutboxRepository(session).add(
            candidate_id=row.candidate_id,
            schema_name=CONFIRMED_SCHEMA,
            event=event,
            receipt=receipt,
            now=now,
        )

    def _content(self, row: CandidateRecord, case: Case, entry: Entry, now: datetime) -> ReceiptContent:
        policy = self._issuer.policy
        return ReceiptContent(
            receipt_id=uuid.uuid4(),
            issuer=self._issuer.name,
            issued_at=now,
            act_before=now + policy.act_for,
            candidate=Candidate.model_validate(row.event),
            judgements=tuple(
                ReceiptJudgement(item.account_id, item.answer.value, item.answered_at, item.reason)
                for item in machine.confirming(case)
            ),
            policy=ReceiptPolicy(POLICY_ID, policy.hold.total_seconds(), JUDGES_NEEDED),
            ledger=LedgerPlace(entry.sequence - 1, entry.entry_sha256),
        )


class ExpirySweeper:
    """Ends what nobody judged in time, and says so: *not judged* is not *not there*."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def run_once(self) -> int:
        """Expires every candidate whose time is over; returns how many."""
        with self._database.read() as session:
            due = CandidateRepository(session).due_for_expiry(self._clock())
        return sum(self._expire(candidate_id) for candidate_id in due)

    def _expire(self, candidate_id: str) -> bool:
        now = self._clock()
        with self._database.write() as session:
            candidates = CandidateRepository(session)
            row = candidates.row(candidate_id, lock=True)
            if row is None:
                return False
            try:
                case = machine.expire(candidates.case(row), now)
            except NotOpenError:
                return False  # answered between the two looks
            candidates.save(row, case)
            detail = {"answers": len(case.current)}
            LedgerRepository(session).append(
                Happening("expired", now, "expiry-sweeper", f"candidate:{candidate_id}", detail)
            )
        return True
