"""Candidates, their judgements, disclosures and resolutions as records."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.orm import Session

from api.review.cases import (
    JUDGEABLE,
    Answer,
    Case,
    Involvement,
    Judgement,
    Proof,
    Resolution,
    State,
    Truth,
)
from api.review.statement import statement_digest
from api.store.models import (
    Account,
    CandidateRecord,
    ControlItem,
    Deployment,
    Disclosure,
    JudgementRecord,
    ResolutionRecord,
    Subject,
)

CandidatePosition = tuple[datetime, str]
"""Where a page of candidates ended: `created_at` and candidate id of its last row."""


class CandidateRepository:
    """Finds and keeps candidates and what was said about them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, candidate: CandidateRecord) -> None:
        """Keeps a new candidate."""
        self._session.add(candidate)
        self._session.flush()

    def row(self, candidate_id: str, *, lock: bool = False) -> CandidateRecord | None:
        """A candidate by its id.

        Args:
            candidate_id: its id.
            lock: whether nobody else may change it until this transaction ends.
        """
        query = select(CandidateRecord).where(CandidateRecord.candidate_id == candidate_id)
        return self._session.scalars(query.with_for_update() if lock else query).one_or_none()

    def case(self, row: CandidateRecord) -> Case:
        """A candidate as the judgement machine sees it."""
        judgements = self._session.scalars(
            select(JudgementRecord)
            .where(JudgementRecord.candidate_id == row.candidate_id)
            .order_by(JudgementRecord.answered_at, JudgementRecord.judgement_id)
        )
        return Case(
            candidate_id=row.candidate_id,
            state=State(row.state),
            round=row.round,
            judgements=tuple(_judgement(item) for item in judgements),
            expires_at=row.expires_at,
            hold_until=row.hold_until,
            truth=None if row.truth is None else Truth(row.truth),
        )

    def save(self, row: CandidateRecord, case: Case) -> None:
        """Takes over what the machine may change: state, round and times. Judgements are added apart."""
        row.state, row.round = case.state.value, case.round
        row.expires_at, row.hold_until = case.expires_at, case.hold_until
        self._session.flush()

    def add_judgement(self, candidate_id: str, judgement: Judgement) -> None:
        """Keeps an answer; the database refuses a second one by the same account, session, passkey or browser.

        Raises:
            ValueError: it is not proved; nothing is kept.
        """
        proof = judgement.proof
        if proof is None:
            raise ValueError("a judgement is kept with the assertion that proves it, or not at all")
        self._session.add(
            JudgementRecord(
                judgement_id=secrets.token_hex(16),
                candidate_id=candidate_id,
                account_id=judgement.account_id,
                session_id=judgement.session_id,
                round=judgement.round,
                answer=judgement.answer.value,
                reason=judgement.reason,
                answered_at=judgement.answered_at,
                authenticator=proof.authenticator,
                device_id=proof.device_id,
                statement=proof.statement,
                statement_sha256=statement_digest(proof.statement).hex(),
                assertion=proof.assertion,
            )
        )
        self._session.flush()

    def involvement(self, row: CandidateRecord) -> Involvement:
        """Who was told about the candidate, and who had a part in its entry or deployment."""
        disclosed = self._session.scalars(
            select(Disclosure.account_id).where(Disclosure.candidate_id == row.candidate_id)
        )
        subject = self._session.get_one(Subject, row.subject_id)
        deployment = self._session.get_one(Deployment, row.deployment_id)
        people = {
            subject.requested_by_key,
            subject.authorised_by_key,
            deployment.requested_by_key,
            deployment.authorised_by_key,
        }
        responsible = self._session.scalars(select(Account.account_id).where(Account.username.in_(people)))
        return Involvement(frozenset(disclosed), frozenset(responsible))

    def disclose(self, candidate_ids: Sequence[str], account_id: str, how: str, now: datetime) -> list[str]:
        """Notes that an account was told; returns those candidates it had not been told about before."""
        known = set(
            self._session.scalars(
                select(Disclosure.candidate_id).where(
                    Disclosure.account_id == account_id, Disclosure.candidate_id.in_(candidate_ids)
                )
            )
        )
        fresh = [candidate_id for candidate_id in candidate_ids if candidate_id not in known]
        self._session.add_all(
            Disclosure(candidate_id=candidate_id, account_id=account_id, how=how, disclosed_at=now)
            for candidate_id in fresh
        )
        self._session.flush()
        return fresh

    def resolve(
        self, row: CandidateRecord, account_id: str, action: Resolution, reason: str, now: datetime
    ) -> None:
        """Keeps what a supervisor did about the round now at work."""
        self._session.add(
            ResolutionRecord(
                candidate_id=row.candidate_id,
                round=row.round,
                account_id=account_id,
                action=action.value,
                reason=reason,
                resolved_at=now,
            )
        )
        self._session.flush()

    def claim(self, candidate_id: str, now: datetime) -> bool:
        """Freezes a candidate at its first claim; False when it was frozen before."""
        claimed = self._session.scalars(
            update(CandidateRecord)
            .where(CandidateRecord.candidate_id == candidate_id, CandidateRecord.claimed_at.is_(None))
            .values(claimed_at=now)
            .returning(CandidateRecord.candidate_id)
        )
        return claimed.first() is not None

    def page(
        self, after: CandidatePosition | None, limit: int, state: State | None
    ) -> Sequence[CandidateRecord]:
        """Candidates, newest first."""
        query = select(CandidateRecord).order_by(
            CandidateRecord.created_at.desc(), CandidateRecord.candidate_id.desc()
        )
        if state is not None:
            query = query.where(CandidateRecord.state == state.value)
        if after is not None:
            query = query.where(
                tuple_(CandidateRecord.created_at, CandidateRecord.candidate_id) < tuple_(*after)
            )
        return self._session.scalars(query.limit(limit)).all()

    def due_for_release(self, now: datetime) -> Sequence[str]:
        """Held candidates whose hold is over."""
        return self._session.scalars(
            select(CandidateRecord.candidate_id)
            .where(CandidateRecord.state == State.CONFIRMED_HELD.value, CandidateRecord.hold_until <= now)
            .order_by(CandidateRecord.hold_until)
        ).all()

    def due_for_expiry(self, now: datetime) -> Sequence[str]:
        """Candidates nobody judged in time."""
        return self._session.scalars(
            select(CandidateRecord.candidate_id).where(
                CandidateRecord.state.in_([state.value for state in sorted(JUDGEABLE)]),
                CandidateRecord.expires_at <= now,
            )
        ).all()

    def controls_made(self) -> int:
        """Controls put into the queue so far."""
        query = select(func.count()).select_from(CandidateRecord)
        return self._session.scalar(query.where(CandidateRecord.control_id.is_not(None))) or 0

    def add_control_item(self, item: ControlItem) -> None:
        """Keeps a new item of the control library."""
        self._session.add(item)
        self._session.flush()

    def controls_without_clip(self, deployment_id: str) -> bool:
        """Whether some control item of a deployment has no clip."""
        query = select(ControlItem.control_id).where(
            ControlItem.deployment_id == deployment_id, ControlItem.clip.is_(None)
        )
        return self._session.scalars(query.limit(1)).first() is not None

    def next_control(self, deployment_id: str) -> ControlItem | None:
        """The least used control item of a deployment."""
        return self._session.scalars(
            select(ControlItem)
            .where(ControlItem.deployment_id == deployment_id)
            .order_by(ControlItem.times_used, ControlItem.control_id)
            .limit(1)
            .with_for_update()
        ).one_or_none()


def _judgement(row: JudgementRecord) -> Judgement:
    return Judgement(
        row.account_id,
        row.session_id,
        row.round,
        Answer(row.answer),
        row.answered_at,
        row.reason,
        _proof(row),
    )


def _proof(row: JudgementRecord) -> Proof | None:
    if row.authenticator is None or row.device_id is None or row.statement is None or row.assertion is None:
        return None  # from before judgements were proved
    return Proof(row.authenticator, row.device_id, row.statement, dict(row.assertion))
