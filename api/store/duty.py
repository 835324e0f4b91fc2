"""Shifts and understaffed time as records, and what those on duty could judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session

from api.review.cases import JUDGES_NEEDED, Role
from api.review.duty import Waiting
from api.store.models import (
    Account,
    CandidateRecord,
    Deployment,
    Disclosure,
    JudgementRecord,
    Shift,
    Subject,
    UnderstaffedPeriod,
)
from api.store.queue import QueueRepository
from api.store.rights import RightsRepository

LOOKED_AT = 200
"""Waiting candidates that are looked at, the oldest."""


class DutyRepository:
    """Finds and keeps who was on duty."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Shift | UnderstaffedPeriod) -> None:
        """Keeps a new row."""
        self._session.add(row)
        self._session.flush()

    def current(self, account_id: str, *, lock: bool = False) -> Shift | None:
        """The shift an account is in."""
        query = select(Shift).where(Shift.account_id == account_id, Shift.ended_at.is_(None))
        return self._session.scalars(query.with_for_update() if lock else query).one_or_none()

    def on_duty(self) -> frozenset[str]:
        """Operators whose shift has not ended and whose account is in use."""
        return frozenset(
            self._session.scalars(
                select(Shift.account_id)
                .join(Account, Account.account_id == Shift.account_id)
                .where(Shift.ended_at.is_(None), Account.active, Account.role == Role.OPERATOR.value)
            )
        )

    def begun_before(self, moment: datetime) -> Sequence[Shift]:
        """Shifts that have not ended and began before a time."""
        return self._session.scalars(
            select(Shift).where(Shift.ended_at.is_(None), Shift.began_at < moment).with_for_update()
        ).all()

    def page(self, after: tuple[datetime, str] | None, limit: int) -> Sequence[Shift]:
        """Shifts, newest first."""
        query = select(Shift).order_by(Shift.began_at.desc(), Shift.shift_id.desc())
        if after is not None:
            query = query.where(tuple_(Shift.began_at, Shift.shift_id) < tuple_(*after))
        return self._session.scalars(query.limit(limit)).all()

    def understaffed(self, *, lock: bool = False) -> UnderstaffedPeriod | None:
        """The stretch of too few judges that has not ended."""
        query = select(UnderstaffedPeriod).where(UnderstaffedPeriod.ended_at.is_(None)).limit(1)
        return self._session.scalars(query.with_for_update() if lock else query).one_or_none()

    def understaffed_seconds(self, since: datetime, until: datetime) -> float:
        """How long too few judges were on duty in a stretch of time."""
        rows = self._session.scalars(
            select(UnderstaffedPeriod).where(
                UnderstaffedPeriod.began_at < until,
                or_(UnderstaffedPeriod.ended_at.is_(None), UnderstaffedPeriod.ended_at > since),
            )
        )
        stretches = ((max(row.began_at, since), min(row.ended_at or until, until)) for row in rows)
        return sum(((end - begin) for begin, end in stretches), timedelta()).total_seconds()

    def is_deployed(self, now: datetime) -> bool:
        """Whether some list is searched now."""
        query = select(Deployment.deployment_id).where(Deployment.starts_at <= now, Deployment.ends_at > now)
        return self._session.scalars(query.limit(1)).first() is not None

    def waiting(self, now: datetime) -> list[Waiting]:
        """What an answer is awaited for, and who may not give it; the oldest of it."""
        ids = [row.candidate_id for row in QueueRepository(self._session).waiting(now, LOOKED_AT)]
        answered, barred = self._answered(ids), self._responsible(ids)
        told = select(Disclosure.candidate_id, Disclosure.account_id).where(Disclosure.candidate_id.in_(ids))
        for candidate_id, account_id in self._session.execute(told):
            barred[candidate_id].add(account_id)
        for candidate_id, account_id in self._without_rights(ids):
            barred[candidate_id].add(account_id)
        return [
            Waiting(
                JUDGES_NEEDED - answered.get(one, (0, set()))[0],
                frozenset(barred[one] | answered.get(one, (0, set()))[1]),
            )
            for one in ids
        ]

    def _without_rights(self, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Candidates, each with those on duty in whose rights it does not lie."""
        rights = RightsRepository(self._session)
        scopes = {account_id: rights.scope_of(account_id) for account_id in self.on_duty()}
        places = select(
            CandidateRecord.candidate_id, CandidateRecord.watchlist_id, CandidateRecord.camera_id
        ).where(CandidateRecord.candidate_id.in_(ids))
        for candidate_id, watchlist_id, camera_id in self._session.execute(places):
            for account_id, scope in scopes.items():
                if not scope.allows(watchlist_id, camera_id):
                    yield candidate_id, account_id

    def _answered(self, ids: Sequence[str]) -> dict[str, tuple[int, set[str]]]:
        """Answers of the round at work, and everybody who answered in any, by candidate."""
        found: dict[str, tuple[int, set[str]]] = {}
        rows = self._session.execute(
            select(
                JudgementRecord.candidate_id,
                JudgementRecord.account_id,
                JudgementRecord.round == CandidateRecord.round,
            )
            .join(CandidateRecord, CandidateRecord.candidate_id == JudgementRecord.candidate_id)
            .where(JudgementRecord.candidate_id.in_(ids))
        )
        for candidate_id, account_id, counts in rows:
            number, people = found.get(candidate_id, (0, set()))
            found[candidate_id] = number + bool(counts), people | {account_id}
        return found

    def _responsible(self, ids: Sequence[str]) -> defaultdict[str, set[str]]:
        barred: defaultdict[str, set[str]] = defaultdict(set)
        rows = self._session.execute(
            select(CandidateRecord.candidate_id, Account.account_id)
            .join(Subject, Subject.subject_id == CandidateRecord.subject_id)
            .join(Deployment, Deployment.deployment_id == CandidateRecord.deployment_id)
            .join(
                Account,
                or_(
                    Account.username == Subject.requested_by_key,
                    Account.username == Subject.authorised_by_key,
                    Account.username == Deployment.requested_by_key,
                    Account.username == Deployment.authorised_by_key,
                ),
            )
            .where(CandidateRecord.candidate_id.in_(ids))
        )
        for candidate_id, account_id in rows:
            barred[candidate_id].add(account_id)
        return barred
