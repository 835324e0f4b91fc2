"""Re-examinations as records: which candidate asks about which, and who has judged the pictures before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, null, or_, select
from sqlalchemy.orm import Session, aliased

from api.store.models import (
    CandidateRecord,
    Complaint,
    Disclosure,
    JudgementRecord,
    Reexamination,
)


def is_reexamination() -> ColumnElement[bool]:
    """Of candidates: those that ask again about another one."""
    return and_(CandidateRecord.event.is_(null()), CandidateRecord.control_id.is_(None))


def not_judged_before(account_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Of candidates: those whose pictures the account has neither judged nor been told about under another id."""
    asked, sibling = aliased(Reexamination), aliased(Reexamination)
    judged, told = aliased(JudgementRecord), aliased(Disclosure)
    again = (
        select(sibling.candidate_id).where(sibling.original_id == asked.original_id).correlate_except(sibling)
    )
    return ~exists().where(
        asked.candidate_id == CandidateRecord.candidate_id,
        or_(
            exists().where(
                judged.account_id == account_id,
                or_(judged.candidate_id == asked.original_id, judged.candidate_id.in_(again)),
            ),
            exists().where(told.account_id == account_id, told.candidate_id == asked.original_id),
        ),
    )


class ReexaminationRepository:
    """Finds and keeps re-examinations."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, copy_id: str, original_id: str, complaint_id: str, now: datetime) -> None:
        """Notes what a candidate asks about, and for which complaint."""
        self._session.add(
            Reexamination(
                candidate_id=copy_id, original_id=original_id, complaint_id=complaint_id, ordered_at=now
            )
        )
        self._session.flush()

    def of_complaint(
        self, complaint_id: str, original_id: str
    ) -> Sequence[tuple[Reexamination, CandidateRecord]]:
        """The re-examinations of one candidate for one complaint, oldest first."""
        found = self._session.execute(
            select(Reexamination, CandidateRecord)
            .join(CandidateRecord, CandidateRecord.candidate_id == Reexamination.candidate_id)
            .where(Reexamination.complaint_id == complaint_id, Reexamination.original_id == original_id)
            .order_by(Reexamination.ordered_at)
        )
        return [(one, row) for one, row in found]

    def involved(self, copy: CandidateRecord) -> frozenset[str]:
        """Accounts that judged the same pictures before, were told whose they are, or filed the complaint."""
        asked = self._session.get(Reexamination, copy.candidate_id)
        if asked is None:
            return frozenset()
        again = select(Reexamination.candidate_id).where(Reexamination.original_id == asked.original_id)
        judged = self._session.scalars(
            select(JudgementRecord.account_id).where(
                JudgementRecord.candidate_id != copy.candidate_id,
                or_(
                    JudgementRecord.candidate_id == asked.original_id,
                    JudgementRecord.candidate_id.in_(again),
                ),
            )
        )
        told = self._session.scalars(
            select(Disclosure.account_id).where(Disclosure.candidate_id == asked.original_id)
        )
        filed = self._session.scalars(
            select(Complaint.filed_by).where(Complaint.complaint_id == asked.complaint_id)
        )
        return frozenset((*judged, *told, *filed))
