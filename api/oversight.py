"""What supervisors and auditors do: look at candidates, end disagreements, read receipts and ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.clock import Clock
from api.errors import ConflictError, ForbiddenError, NotFoundError
from api.ledger.chain import Entry, Happening
from api.principals import OVERSEERS, SUPERVISORS, Principal, check_role
from api.replays import WriteRequest, keep_result, replayed
from api.review import machine
from api.review.cases import JUDGEABLE, Judgement, Resolution, State
from api.review.errors import NotOpenError
from api.review.policies import ReviewPolicy
from api.store.candidates import CandidatePosition, CandidateRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository, OutboxRepository
from api.store.lists import ListRepository
from api.store.models import CandidateRecord
from api.vault import SubjectVault


@dataclass(frozen=True, slots=True, repr=False)
class CandidateView:
    """A candidate with everything a supervisor or auditor may know.

    Attributes:
        judgements: empty while an answer is awaited, so that no judge learns it from a supervisor.
        is_control: None while an answer is awaited, for the same reason.
        event: as the worker signed it; None for a control.
        retracted_at: when it was retracted, if it was confirmed and then was.
    """

    candidate_id: str
    state: State
    round: int
    camera_id: str
    deployment_id: str
    watchlist_id: str
    subject_id: str
    name: str
    similarity: float
    threshold: float
    observed_at: datetime | None
    created_at: datetime
    judgements: tuple[Judgement, ...]
    is_control: bool | None
    event: dict[str, Any] | None
    retracted_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """A signed receipt as it was issued."""

    receipt_id: str
    candidate_id: str
    issued_at: datetime
    act_before: datetime
    jws: str


class Oversight:
    """Everything a supervisor or auditor does. Whoever reads a candidate here can no longer judge it."""

    def __init__(self, database: Database, vault: SubjectVault, policy: ReviewPolicy, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._policy = policy
        self._clock = clock

    def candidates(
        self, principal: Principal, after: CandidatePosition | None, limit: int, state: State | None
    ) -> list[CandidateView]:
        """Candidates, newest first."""
        check_role(principal, OVERSEERS, "cannot see this")
        now = self._clock()
        with self._database.write() as session:
            rows = CandidateRepository(session).page(principal.scope, after, limit, state, now)
            self._disclose(session, principal, [row.candidate_id for row in rows], now)
            return [self._view(session, row) for row in rows]

    def candidate(self, principal: Principal, candidate_id: str) -> CandidateView:
        """One candidate.

        Raises:
            NotFoundError: there is none of that id.
        """
        check_role(principal, OVERSEERS, "cannot see this")
        now = self._clock()
        with self._database.write() as session:
            row = within_rights(principal, CandidateRepository(session).row(candidate_id))
            self._disclose(session, principal, [candidate_id], now)
            _note(session, "candidate_viewed", now, principal, f"candidate:{candidate_id}")
            return self._view(session, row)

    def resolve(
        self,
        principal: Principal,
        candidate_id: str,
        action: Resolution,
        reason: str,
        request: WriteRequest,
    ) -> dict[str, Any]:
        """Ends a disagreement, or has it judged afresh; there is no way to confirm.

        Returns:
            `{candidate_id, action, state, resolved_at}` as JSON values.

        Raises:
            ForbiddenError: not a supervisor.
            NotFoundError: there is no such candidate.
            ConflictError: its judges do not disagree.
        """
        check_role(principal, SUPERVISORS, "cannot resolve")
        with self._database.write() as session:
            now = self._clock()
            candidates = CandidateRepository(session)
            row = within_rights(principal, candidates.row(candidate_id, lock=True))
            before = replayed(session, request)  # under the lock: the same request may come twice at once
            if before is not None:
                return before
            try:
                case = machine.resolve(candidates.case(row), action, now, self._policy)
            except NotOpenError as error:
                raise ConflictError("not_a_disagreement", str(error)) from error
            self._disclose(session, principal, [candidate_id], now)
            candidates.resolve(row, principal.account_id, action, reason, now)
            candidates.save(row, case)
            detail = {"action": action.value, "state": case.state.value}
            _note(session, "resolved", now, principal, f"candidate:{candidate_id}", detail)
            result = {"candidate_id": candidate_id, **detail, "resolved_at": now.isoformat()}
            keep_result(session, request, 200, result, now)
            return result

    def receipt(self, principal: Principal, receipt_or_candidate_id: str) -> ReceiptView:
        """A receipt by its own id or its candidate's.

        Raises:
            NotFoundError: there is none.
        """
        check_role(principal, OVERSEERS, "cannot see this")
        with self._database.write() as session:
            row = OutboxRepository(session).receipt(receipt_or_candidate_id)
            if row is None:
                raise NotFoundError
            within_rights(principal, CandidateRepository(session).row(row.candidate_id))
            _note(session, "receipt_viewed", self._clock(), principal, f"receipt:{row.receipt_id}")
            return ReceiptView(row.receipt_id, row.candidate_id, row.issued_at, row.act_before, row.jws)

    def ledger(self, principal: Principal, after_sequence: int, limit: int) -> list[Entry]:
        """Ledger entries later than `after_sequence`, oldest first; reading it is an entry too.

        Raises:
            ForbiddenError: an account without rights to everything; the ledger tells of every list and camera.
        """
        check_role(principal, OVERSEERS, "cannot see this")
        if not principal.scope.is_whole:
            raise ForbiddenError("scope", "the ledger is for accounts with rights to every list and camera")
        with self._database.write() as session:
            entries = LedgerRepository(session).page(after_sequence, limit)
            detail = {"after": after_sequence, "entries": len(entries)}
            _note(session, "ledger_read", self._clock(), principal, None, detail)
            return entries

    def _disclose(
        self, session: Session, principal: Principal, candidate_ids: list[str], now: datetime
    ) -> None:
        told = CandidateRepository(session).disclose(
            candidate_ids, principal.account_id, "candidate_view", now
        )
        if told:
            _note(session, "candidates_disclosed", now, principal, None, {"candidates": told})

    def _view(self, session: Session, row: CandidateRecord) -> CandidateView:
        case = CandidateRepository(session).case(row)
        subject = ListRepository(session).subject(row.subject_id)
        if subject is None:
            raise NotFoundError
        awaited = case.state in JUDGEABLE
        retraction = OutboxRepository(session).retraction(row.candidate_id)
        return CandidateView(
            candidate_id=row.candidate_id,
            state=case.state,
            round=row.round,
            camera_id=row.camera_id,
            deployment_id=row.deployment_id,
            watchlist_id=row.watchlist_id,
            subject_id=row.subject_id,
            name=self._vault.open_name(subject.subject_id, subject.name_sealed),
            similarity=row.similarity,
            threshold=row.threshold,
            observed_at=row.observed_at,
            created_at=row.created_at,
            judgements=() if awaited else case.judgements,
            is_control=None if awaited else case.is_control,
            event=None if awaited else row.event,
            retracted_at=None if retraction is None else retraction.retracted_at,
        )


def within_rights(principal: Principal, row: CandidateRecord | None) -> CandidateRecord:
    """The candidate, where there is one that the account has rights to.

    Raises:
        NotFoundError: there is none; whether one exists beyond the account's rights is not told.
    """
    if row is None or not principal.scope.allows(row.watchlist_id, row.camera_id):
        raise NotFoundError
    return row


def _note(
    session: Session,
    kind: str,
    now: datetime,
    principal: Principal,
    about: str | None,
    detail: dict[str, Any] | None = None,
) -> None:
    LedgerRepository(session).append(Happening(kind, now, principal.account_id, about, detail or {}))
