"""Candidates, their judgements, disclosures and resolutions as records."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    CompoundSelect,
    Row,
    String,
    bindparam,
    false,
    insert,
    select,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from api.review.cases import (
    JUDGEABLE,
    Answer,
    Case,
    Involvement,
    Judgement,
    Proof,
    ReasonCode,
    Resolution,
    State,
    Truth,
)
from api.review.scopes import Scope
from api.review.statement import statement_digest
from api.store.models import (
    Account,
    CandidateRecord,
    Deployment,
    Disclosure,
    JudgementRecord,
    JudgementWithdrawal,
    ListRequest,
    ResolutionRecord,
    Review,
    Subject,
)
from api.store.models.base import table_of
from api.store.reexaminations import ReexaminationRepository, is_reexamination
from api.store.rights import within

CandidatePosition = tuple[datetime, str]
"""Where a page of candidates ended: `created_at` and candidate id of its last row."""

# Statements that every judgement runs are made once, and over tables where no objects are wanted: to make one takes
# longer than to run it, and objects take as long again.
_ROW: Final = select(CandidateRecord).where(CandidateRecord.candidate_id == bindparam("candidate_id"))
_LOCKED_ROW: Final = _ROW.with_for_update()
_GIVEN, _TAKEN_BACK = table_of(JudgementRecord), table_of(JudgementWithdrawal)
_JUDGEMENTS: Final = (
    select(_GIVEN, _TAKEN_BACK.c.withdrawn_at)
    .outerjoin(_TAKEN_BACK, _TAKEN_BACK.c.judgement_id == _GIVEN.c.judgement_id)
    .where(_GIVEN.c.candidate_id == bindparam("candidate_id"))
    .order_by(_GIVEN.c.answered_at, _GIVEN.c.judgement_id)
)
_SHOWN: Final = (
    select(Review, CandidateRecord)
    .join(CandidateRecord, CandidateRecord.candidate_id == Review.candidate_id)
    .where(Review.review_id == bindparam("review_id"))
    .with_for_update(of=CandidateRecord)
)


def _involved() -> CompoundSelect[bool, str]:
    """Accounts that had a part in a candidate, each with whether she was told of it, or else is responsible."""
    told, accounts, asked = table_of(Disclosure).c, table_of(Account).c, table_of(ListRequest).c
    subjects, deployments = table_of(Subject).c, table_of(Deployment).c
    names = [
        subjects.requested_by_key,
        subjects.authorised_by_key,
        deployments.requested_by_key,
        deployments.authorised_by_key,
    ]
    subject_id: BindParameter[str] = bindparam("subject_id", type_=String())
    deployment_id: BindParameter[str] = bindparam("deployment_id", type_=String())
    hers = (asked.subject_id == subject_id) | (asked.deployment_id == deployment_id)
    return union_all(
        select(true().label("told"), told.account_id).where(told.candidate_id == bindparam("candidate_id")),
        select(false(), accounts.account_id).where(
            subjects.subject_id == subject_id,
            deployments.deployment_id == deployment_id,
            accounts.username.in_(names),
        ),
        select(false(), asked.requested_by).where(hers),
        select(false(), asked.ended_by).where(hers, asked.ended_by.is_not(None)),
    )


_INVOLVED: Final = _involved()
_TABLE: Final = table_of(CandidateRecord)
_CLAIM: Final = (
    update(_TABLE)
    .where(_TABLE.c.candidate_id == bindparam("claimed"), _TABLE.c.claimed_at.is_(None))
    .values(claimed_at=bindparam("now"))
)
_SAVE: Final = (
    update(_TABLE)
    .where(_TABLE.c.candidate_id == bindparam("saved"))
    .values({name: bindparam(f"its_{name}") for name in ("state", "round", "expires_at", "hold_until")})
)
_INSERT_JUDGEMENT: Final = insert(table_of(JudgementRecord))


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
        wanted = {"candidate_id": candidate_id}
        return self._session.scalars(_LOCKED_ROW if lock else _ROW, wanted).one_or_none()

    def shown(self, review_id: str) -> tuple[Review, CandidateRecord] | None:
        """A review and its candidate, which nobody else may change until this transaction ends."""
        found = self._session.execute(_SHOWN, {"review_id": review_id}).one_or_none()
        return None if found is None else (found[0], found[1])

    def lock(self, candidate_ids: Sequence[str]) -> Sequence[str]:
        """Those of the candidates that are there; nobody else changes them until this transaction ends."""
        return self._session.scalars(
            select(CandidateRecord.candidate_id)
            .where(CandidateRecord.candidate_id.in_(candidate_ids))
            .order_by(CandidateRecord.candidate_id)  # so that two who lock several never wait for each other
            .with_for_update()
        ).all()

    def case(self, row: CandidateRecord) -> Case:
        """A candidate as the judgement machine sees it."""
        judgements = self._session.execute(_JUDGEMENTS, {"candidate_id": row.candidate_id})
        return Case(
            candidate_id=row.candidate_id,
            state=State(row.state),
            round=row.round,
            judgements=tuple(_judgement(row) for row in judgements),
            expires_at=row.expires_at,
            hold_until=row.hold_until,
            truth=None if row.truth is None else Truth(row.truth),
            is_reexamination=row.is_reexamination,
        )

    def save(self, row: CandidateRecord, case: Case) -> None:
        """Takes over what the machine may change: state, round and times. Judgements are added apart."""
        standing = {
            "state": case.state.value,
            "round": case.round,
            "expires_at": case.expires_at,
            "hold_until": case.hold_until,
        }
        values = {f"its_{name}": value for name, value in standing.items()}
        self._session.execute(_SAVE, values | {"saved": row.candidate_id})
        for name, value in standing.items():
            set_committed_value(
                row, name, value
            )  # as it is in the database now: nothing to write at the commit

    def add_judgement(self, candidate_id: str, judgement: Judgement) -> None:
        """Keeps an answer; the database refuses a second one by the same account, session, passkey or browser.

        Raises:
            ValueError: it is not proved; nothing is kept.
        """
        proof = judgement.proof
        if proof is None:
            raise ValueError("a judgement is kept with the assertion that proves it, or not at all")
        self._session.execute(
            _INSERT_JUDGEMENT,
            {
                "judgement_id": secrets.token_hex(16),
                "candidate_id": candidate_id,
                "account_id": judgement.account_id,
                "session_id": judgement.session_id,
                "round": judgement.round,
                "answer": judgement.answer.value,
                "reason_code": judgement.reason_code,
                "reason": judgement.reason,
                "answered_at": judgement.answered_at,
                "authenticator": proof.authenticator,
                "device_id": proof.device_id,
                "statement": proof.statement,
                "statement_sha256": statement_digest(proof.statement).hex(),
                "assertion": proof.assertion,
            },
        )

    def withdraw_judgement(
        self, candidate_id: str, account_id: str, reason: str | None, now: datetime
    ) -> None:
        """Notes that an account took its answer back; the database refuses it once there is a receipt."""
        given = self._session.scalars(
            select(JudgementRecord.judgement_id).where(
                JudgementRecord.candidate_id == candidate_id, JudgementRecord.account_id == account_id
            )
        ).one()
        self._session.add(
            JudgementWithdrawal(judgement_id=given, account_id=account_id, reason=reason, withdrawn_at=now)
        )
        self._session.flush()

    def involvement(self, row: CandidateRecord) -> Involvement:
        """Who was told about the candidate, and who had a part in its entry or deployment."""
        about = {
            "candidate_id": row.candidate_id,
            "subject_id": row.subject_id,
            "deployment_id": row.deployment_id,
        }
        found = self._session.execute(_INVOLVED, about).all()
        before = ReexaminationRepository(self._session).involved(row) if row.is_reexamination else frozenset()
        return Involvement(
            frozenset(account_id for told, account_id in found if told),
            frozenset(account_id for told, account_id in found if not told),
            before,
        )

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

    def claim(self, row: CandidateRecord, now: datetime) -> None:
        """Freezes a locked candidate at its first claim; one that is frozen stays as it is."""
        if row.claimed_at is None:
            self._session.execute(_CLAIM, {"claimed": row.candidate_id, "now": now})

    def page(
        self,
        scope: Scope,
        after: CandidatePosition | None,
        limit: int,
        state: State | None,
        now: datetime,
    ) -> Sequence[CandidateRecord]:
        """Candidates and controls within the rights of whoever asks, newest first.

        Re-examinations stand with their complaint. Of controls none whose time has not come, else that would tell them.
        """
        query = (
            select(CandidateRecord)
            .where(
                ~is_reexamination(),
                within(scope, CandidateRecord.watchlist_id, CandidateRecord.camera_id),
                CandidateRecord.created_at <= now,
            )
            .order_by(CandidateRecord.created_at.desc(), CandidateRecord.candidate_id.desc())
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

    def due_to_run_out(self, now: datetime) -> Sequence[str]:
        """Disagreements that may have waited long enough; the machine says whether they have."""
        return self._session.scalars(
            select(CandidateRecord.candidate_id).where(
                CandidateRecord.state == State.DISAGREEMENT.value, CandidateRecord.expires_at <= now
            )
        ).all()

    def controls_made(self) -> int:
        """Controls put into the queue so far, counted no further than the first: nobody asks for more."""
        first = select(CandidateRecord.candidate_id).where(CandidateRecord.control_id.is_not(None)).limit(1)
        return len(self._session.scalars(first).all())


def _judgement(row: Row[Any]) -> Judgement:
    return Judgement(
        account_id=row.account_id,
        session_id=row.session_id,
        round=row.round,
        answer=Answer(row.answer),
        answered_at=row.answered_at,
        reason=row.reason,
        reason_code=None if row.reason_code is None else ReasonCode(row.reason_code),
        withdrawn_at=row.withdrawn_at,
        proof=_proof(row),
    )


def _proof(row: Row[Any]) -> Proof | None:
    if row.authenticator is None or row.device_id is None or row.statement is None or row.assertion is None:
        return None  # from before judgements were proved
    return Proof(row.authenticator, row.device_id, row.statement, dict(row.assertion))
