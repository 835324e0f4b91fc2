"""Outcomes of contacts and complaints as records, and what of either is still owed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true, tuple_
from sqlalchemy.orm import Session

from api.review.redress import ComplaintState
from api.review.scopes import Scope
from api.store.models import (
    CandidateRecord,
    Complaint,
    ComplaintCandidate,
    ContactOutcome,
    Receipt,
    ResolutionRecord,
)
from api.store.rights import camera_within, within

ReceiptPosition = tuple[datetime, str]
"""Where a page of confirmed matches ended: `issued_at` and candidate id of its last row."""

ComplaintPosition = tuple[datetime, str]
"""Where a page of complaints ended: `due_at` and complaint id of its last row."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What is still owed to the people concerned.

    Attributes:
        outcomes: confirmed matches whose outcome should be known by now and is not.
        oldest_outcome: when the oldest of them was confirmed; None where there is none.
        complaints: complaints without an answer.
        overdue: those of them whose answer is overdue.
        oldest_due: when the answer was due that is overdue for longest; None where none is.
    """

    outcomes: int
    oldest_outcome: datetime | None
    complaints: int
    overdue: int
    oldest_due: datetime | None


class OutcomeRepository:
    """Finds and keeps what contacts showed."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, outcome: ContactOutcome) -> None:
        """Keeps a report; the newest of a candidate counts."""
        self._session.add(outcome)
        self._session.flush()

    def of_candidate(self, candidate_id: str) -> Sequence[ContactOutcome]:
        """Every report about a candidate, oldest first."""
        return self._session.scalars(
            select(ContactOutcome)
            .where(ContactOutcome.candidate_id == candidate_id)
            .order_by(ContactOutcome.reported_at, ContactOutcome.outcome_id)
        ).all()

    def awaited(
        self, scope: Scope, before: datetime, after: ReceiptPosition | None, limit: int
    ) -> Sequence[Receipt]:
        """Receipts within the rights of whoever asks, issued until `before`, of which nobody has said what came of
        them; oldest first."""
        query = (
            select(Receipt)
            .join(CandidateRecord, CandidateRecord.candidate_id == Receipt.candidate_id)
            .where(
                *_without_outcome(before),
                within(scope, CandidateRecord.watchlist_id, CandidateRecord.camera_id),
            )
            .order_by(Receipt.issued_at, Receipt.candidate_id)
            .limit(limit)
        )
        if after is not None:
            query = query.where(tuple_(Receipt.issued_at, Receipt.candidate_id) > tuple_(*after))
        return self._session.scalars(query).all()


class ComplaintRepository:
    """Finds and keeps complaints."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, complaint: Complaint) -> None:
        """Keeps a new complaint."""
        self._session.add(complaint)
        self._session.flush()

    def link(self, complaint_id: str, candidate_id: str, hold_id: str) -> None:
        """Notes that a complaint is about a candidate, whose evidence a hold keeps."""
        self._session.add(
            ComplaintCandidate(complaint_id=complaint_id, candidate_id=candidate_id, hold_id=hold_id)
        )
        self._session.flush()

    def row(self, scope: Scope, complaint_id: str, *, lock: bool = False) -> Complaint | None:
        """A complaint by its id, within the rights of whoever asks; locked, nobody else answers it until this
        transaction ends."""
        query = select(Complaint).where(Complaint.complaint_id == complaint_id, _all_within(scope))
        return self._session.scalars(query.with_for_update() if lock else query).one_or_none()

    def links(self, complaint_id: str) -> Sequence[ComplaintCandidate]:
        """The candidates a complaint is about, in the order of their ids."""
        return self._session.scalars(
            select(ComplaintCandidate)
            .where(ComplaintCandidate.complaint_id == complaint_id)
            .order_by(ComplaintCandidate.candidate_id)
        ).all()

    def page(
        self, scope: Scope, after: ComplaintPosition | None, limit: int, state: ComplaintState | None
    ) -> Sequence[Complaint]:
        """Complaints within the rights of whoever asks, those due first first."""
        query = select(Complaint).where(_all_within(scope))
        query = query.order_by(Complaint.due_at, Complaint.complaint_id).limit(limit)
        if state is not None:
            query = query.where(Complaint.state == state.value)
        if after is not None:
            query = query.where(tuple_(Complaint.due_at, Complaint.complaint_id) > tuple_(*after))
        return self._session.scalars(query).all()

    def unanswered(self) -> Sequence[str]:
        """Ids of the complaints without an answer, those due first first."""
        return self._session.scalars(
            select(Complaint.complaint_id).where(_unanswered()).order_by(Complaint.due_at)
        ).all()

    def confirmed_at(self, camera_id: str, began: datetime, ended: datetime, limit: int) -> Sequence[str]:
        """Candidates confirmed at a camera that were seen in that time, or came in then where that is not known."""
        seen = func.coalesce(CandidateRecord.observed_at, CandidateRecord.created_at)
        return self._session.scalars(
            select(CandidateRecord.candidate_id)
            .join(Receipt, Receipt.candidate_id == CandidateRecord.candidate_id)
            .where(CandidateRecord.camera_id == camera_id, seen >= began, seen < ended)
            .order_by(CandidateRecord.candidate_id)
            .limit(limit)
        ).all()

    def resolvers(self, candidate_ids: Sequence[str]) -> frozenset[str]:
        """Accounts that decided a disagreement about one of the candidates."""
        return frozenset(
            self._session.scalars(
                select(ResolutionRecord.account_id).where(ResolutionRecord.candidate_id.in_(candidate_ids))
            )
        )


def _all_within(scope: Scope) -> ColumnElement[bool]:
    """Complaints all of whose candidates lie within these rights; one about none, whose camera does."""
    if scope.is_whole:
        return true()
    about = (
        select(ComplaintCandidate.candidate_id)
        .join(CandidateRecord, CandidateRecord.candidate_id == ComplaintCandidate.candidate_id)
        .where(ComplaintCandidate.complaint_id == Complaint.complaint_id)
    )
    beyond = about.where(~within(scope, CandidateRecord.watchlist_id, CandidateRecord.camera_id))
    return and_(~beyond.exists(), or_(about.exists(), camera_within(scope, Complaint.camera_id)))


def owed(session: Session, now: datetime, outcomes_before: datetime) -> Owed:
    """What is owed as of now; outcomes of matches confirmed until `outcomes_before`."""
    outcomes, oldest_outcome = session.execute(
        select(func.count(), func.min(Receipt.issued_at)).where(*_without_outcome(outcomes_before))
    ).one()
    overdue, oldest_due = session.execute(
        select(func.count(), func.min(Complaint.due_at)).where(_unanswered(), Complaint.due_at <= now)
    ).one()
    open_ones = select(func.count()).select_from(Complaint).where(_unanswered())
    return Owed(outcomes, oldest_outcome, session.scalar(open_ones) or 0, overdue, oldest_due)


def _without_outcome(before: datetime) -> list[ColumnElement[bool]]:
    told = exists().where(ContactOutcome.candidate_id == Receipt.candidate_id)
    return [Receipt.issued_at <= before, ~told]


def _unanswered() -> ColumnElement[bool]:
    return Complaint.state != ComplaintState.ANSWERED.value
