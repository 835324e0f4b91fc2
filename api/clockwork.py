"""What happens because time passed: the end of a hold, and of waiting for judges."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.clock import Clock
from api.keys.store import KeyStore
from api.ledger.assertions import SIGNED_PARTS
from api.ledger.chain import Entry, Happening
from api.ledger.receipts import (
    LedgerPlace,
    ReceiptContent,
    ReceiptJudgement,
    ReceiptPolicy,
    build_receipt,
)
from api.review import machine
from api.review.cases import JUDGES_NEEDED, Case, Judgement
from api.review.errors import NotOpenError
from api.review.policies import ReviewPolicy
from api.store.candidates import CandidateRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository, OutboxRepository
from api.store.lists import ListRepository
from api.store.models import CandidateRecord, Receipt
from api.store.reviews import ReviewRepository
from pipelines.errors import PipelineError
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
        with self._database.look() as session:
            due = CandidateRepository(session).due_for_release(self._clock())
        return _each(due, self._release)

    def _release(self, candidate_id: str) -> bool:
        now = self._clock()
        with self._database.write() as session:
            candidates = CandidateRepository(session)
            row = candidates.row(candidate_id, lock=True)
            if row is None:
                return False
            held = candidates.case(row)
            try:
                case = machine.release(held, now)
            except NotOpenError as error:  # another process was faster, or the records do not carry it
                _log.warning("release_refused", candidate_id=candidate_id, reason=str(error))
                return False
            if not ListRepository(session).is_listed(row.subject_id, now):
                candidates.save(row, machine.lapse(held))
                LedgerRepository(session).append(
                    Happening("lapsed", now, "hold-clock", f"candidate:{candidate_id}")
                )
                return False
            candidates.save(row, case)
            self._issue(session, row, case, now)
        return True

    def _issue(self, session: Session, row: CandidateRecord, case: Case, now: datetime) -> None:
        judges = [item.account_id for item in machine.confirming(case)]
        happening = Happening(
            "confirmed", now, "hold-clock", f"candidate:{row.candidate_id}", {"judges": judges}
        )
        entry = LedgerRepository(session).append_now(happening)
        reviews = ReviewRepository(session)
        review = reviews.of_candidate(row.candidate_id)
        presentation = None if review is None else reviews.document(review, now)
        content = replace(self._content(row, case, entry, now), presentation=presentation)
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
            judgements=tuple(_judgement(item) for item in machine.confirming(case)),
            policy=ReceiptPolicy(POLICY_ID, policy.hold.total_seconds(), JUDGES_NEEDED),
            ledger=LedgerPlace(entry.sequence - 1, entry.entry_sha256),
        )


def _judgement(item: Judgement) -> ReceiptJudgement:
    webauthn = None
    if item.proof is not None:
        parts = {name: item.proof.assertion[name] for name in SIGNED_PARTS}
        webauthn = {"authenticator": item.proof.authenticator, "statement": item.proof.statement, **parts}
    return ReceiptJudgement(
        item.account_id, item.answer.value, item.answered_at, item.reason, item.reason_code, webauthn
    )


def _each(candidate_ids: Sequence[str], act: Callable[[str], bool]) -> int:
    """How many of the candidates `act` dealt with; one that cannot be dealt with holds up no other.

    Raises:
        ValueError, SQLAlchemyError, PipelineError: the last of those met, after all were tried, so that the
            service says it is not well.
    """
    done, failure = 0, None
    for candidate_id in candidate_ids:
        try:
            done += act(candidate_id)
        except (ValueError, SQLAlchemyError, PipelineError) as error:
            _log.error("candidate_stuck", candidate_id=candidate_id, error=type(error).__name__)
            failure = error
    if failure is not None:
        raise failure
    return done


class ExpirySweeper:
    """Ends what nobody judged, or decided, in time, and says so: *not judged* is not *not there*."""

    def __init__(
        self,
        database: Database,
        policy: ReviewPolicy,
        clock: Clock,
        noted: Callable[[], None] = lambda: None,
    ) -> None:
        """`noted` is called for each candidate that nobody judged in time."""
        self._database = database
        self._policy = policy
        self._clock = clock
        self._noted = noted

    def run_once(self) -> int:
        """Ends every candidate and every disagreement whose time is over; returns how many."""
        with self._database.look() as session:
            candidates, now = CandidateRepository(session), self._clock()
            unjudged, undecided = candidates.due_for_expiry(now), candidates.due_to_run_out(now)
        return _each(unjudged, self._expire) + _each(undecided, self._run_out)

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
        self._noted()
        return True

    def _run_out(self, candidate_id: str) -> bool:
        now = self._clock()
        with self._database.write() as session:
            candidates = CandidateRepository(session)
            row = candidates.row(candidate_id, lock=True)
            if row is None:
                return False
            try:
                case = machine.run_out(candidates.case(row), now, self._policy)
            except NotOpenError:
                return False  # there is still time, or a supervisor was faster
            candidates.save(row, case)
            LedgerRepository(session).append(
                Happening("disagreement_ran_out", now, "expiry-sweeper", f"candidate:{candidate_id}")
            )
        return True
