"""Control items as records: which may be mixed in, what they are made of, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session

from api.review.cases import Answer, Role, State
from api.store.models import (
    Account,
    CandidateRecord,
    ControlItem,
    Disclosure,
    EvidenceRecord,
    JudgementRecord,
    JudgementWithdrawal,
    Review,
    ReviewListing,
    Shift,
    Subject,
    Watchlist,
)

CONTROL_STATES = (State.CONTROL_PASSED.value, State.CONTROL_FAILED.value)
USABLE_AT_ONCE = 100
"""Items looked at for the next control; the library of a camera is kept smaller than that."""
GAPS_OF = 21
GAPS_OVER = timedelta(days=30)


class ControlRepository:
    """Finds and keeps controls."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, item: ControlItem) -> None:
        """Keeps a new item."""
        self._session.add(item)
        self._session.flush()

    def without_clip(self, deployment_id: str, camera_id: str) -> bool:
        """Whether some control item of a deployment on a camera has no clip."""
        query = select(ControlItem.control_id).where(
            ControlItem.deployment_id == deployment_id,
            ControlItem.camera_id == camera_id,
            ControlItem.clip.is_(None),
        )
        return self._session.scalars(query.limit(1)).first() is not None

    def usable(self, deployment_id: str, camera_id: str, now: datetime) -> Sequence[ControlItem]:
        """Items that may be mixed in on a camera, least used first: of its deployment, or of a list for tests.

        Entries that left their list, and pictures that are soon to be deleted, are not among them.
        """
        return self._session.scalars(
            select(ControlItem)
            .join(Subject, Subject.subject_id == ControlItem.subject_id)
            .join(Watchlist, Watchlist.watchlist_id == Subject.watchlist_id)
            .where(
                ControlItem.camera_id == camera_id,
                or_(ControlItem.deployment_id == deployment_id, Watchlist.is_test),
                or_(ControlItem.usable_until.is_(None), ControlItem.usable_until > now),
                Subject.removed_at.is_(None),
                Subject.expires_at > now,
            )
            .order_by(ControlItem.times_used, ControlItem.control_id)
            .limit(USABLE_AT_ONCE)
            .with_for_update(of=ControlItem)
        ).all()

    def usual_gap(self, camera_id: str, now: datetime) -> timedelta | None:
        """The mean time between a camera's newest candidates; None where there are too few to tell."""
        came = self._session.scalars(
            select(CandidateRecord.created_at)
            .where(
                CandidateRecord.camera_id == camera_id,
                CandidateRecord.control_id.is_(None),
                CandidateRecord.created_at > now - GAPS_OVER,
            )
            .order_by(CandidateRecord.created_at.desc())
            .limit(GAPS_OF)
        ).all()
        return (came[0] - came[-1]) / (len(came) - 1) if len(came) > 1 else None

    def unused(self, deployment_id: str, now: datetime) -> int:
        """Items of a deployment that were never shown and still may be."""
        query = select(func.count()).where(
            ControlItem.deployment_id == deployment_id,
            ControlItem.times_used == 0,
            or_(ControlItem.usable_until.is_(None), ControlItem.usable_until > now),
        )
        return self._session.scalar(query) or 0

    def seen_by(self, item: ControlItem) -> set[str]:
        """Accounts that had the pictures of an item in their lists before, as a candidate or as a control."""
        shown = select(CandidateRecord.candidate_id).where(
            or_(
                CandidateRecord.control_id == item.control_id,
                CandidateRecord.candidate_id == (item.origin_candidate_id or ""),
            )
        )
        return set(
            self._session.scalars(
                select(ReviewListing.account_id)
                .join(Review, Review.review_id == ReviewListing.review_id)
                .where(Review.candidate_id.in_(shown))
            )
        )

    def operators(self) -> set[str]:
        """Who may be shown a control: operators on duty, or, where shifts are not used, all of them."""
        in_use = select(Account.account_id).where(Account.role == Role.OPERATOR.value, Account.active)
        on_duty = in_use.join(Shift, Shift.account_id == Account.account_id).where(Shift.ended_at.is_(None))
        return set(self._session.scalars(on_duty)) or set(self._session.scalars(in_use))

    def keep_from(self, candidate_id: str, account_ids: Collection[str], now: datetime) -> None:
        """Sees to it that these accounts are never shown a control: they would know its pictures."""
        self._session.add_all(
            Disclosure(candidate_id=candidate_id, account_id=account_id, how="seen_before", disclosed_at=now)
            for account_id in sorted(account_ids)
        )
        self._session.flush()

    def rejected_by_two(self, since: datetime, limit: int) -> Sequence[CandidateRecord]:
        """Candidates two people called different in their last round, of which no control was made, newest first."""
        return self._agreed(State.REJECTED, Answer.DIFFERENT, since, limit)

    def confirmed_of_test_lists(self, since: datetime, limit: int) -> Sequence[CandidateRecord]:
        """Confirmed candidates of lists for tests, of which no control was made, newest first."""
        return [
            row
            for row in self._agreed(State.CONFIRMED, Answer.SAME_PERSON, since, limit)
            if self._session.get_one(Watchlist, row.watchlist_id).is_test
        ]

    def _agreed(self, state: State, answer: Answer, since: datetime, limit: int) -> Sequence[CandidateRecord]:
        agreed = (
            select(JudgementRecord.candidate_id)
            .where(
                JudgementRecord.candidate_id == CandidateRecord.candidate_id,
                JudgementRecord.round == CandidateRecord.round,
                JudgementRecord.answer == answer.value,
                _counts(),
            )
            .group_by(JudgementRecord.candidate_id)
            .having(func.count() > 1)
        )
        return self._session.scalars(
            select(CandidateRecord)
            .where(
                CandidateRecord.created_at > since,
                CandidateRecord.state == state.value,
                CandidateRecord.control_id.is_(None),
                agreed.exists(),
                ~exists().where(ControlItem.origin_candidate_id == CandidateRecord.candidate_id),
            )
            .order_by(CandidateRecord.created_at.desc())
            .limit(limit)
        ).all()

    def evidence(self, candidate_id: str) -> Sequence[EvidenceRecord]:
        """What there still is of a candidate's evidence."""
        return self._session.scalars(
            select(EvidenceRecord).where(
                EvidenceRecord.candidate_id == candidate_id, EvidenceRecord.deleted_at.is_(None)
            )
        ).all()

    def answers(
        self, since: datetime, until: datetime, account_id: str | None = None
    ) -> Sequence[tuple[CandidateRecord, ControlItem, JudgementRecord]]:
        """Every answer to a control that has ended, answered in a stretch of time; by candidate."""
        query = (
            select(CandidateRecord, ControlItem, JudgementRecord)
            .join(ControlItem, ControlItem.control_id == CandidateRecord.control_id)
            .join(JudgementRecord, JudgementRecord.candidate_id == CandidateRecord.candidate_id)
            .where(
                CandidateRecord.state.in_(CONTROL_STATES),
                _counts(),
                JudgementRecord.answered_at >= since,
                JudgementRecord.answered_at < until,
            )
            .order_by(CandidateRecord.candidate_id, JudgementRecord.answered_at)
        )
        if account_id is not None:
            query = query.where(JudgementRecord.account_id == account_id)
        return [(row[0], row[1], row[2]) for row in self._session.execute(query)]


def _counts() -> ColumnElement[bool]:
    """Of a judgement: it was not taken back."""
    return ~exists().where(JudgementWithdrawal.judgement_id == JudgementRecord.judgement_id)
