"""Deletes records by age, a few at a time. What is evidence has no method here, and triggers refuse its deletion."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, delete, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.review.cases import JUDGEABLE, State
from api.store.models import (
    Base,
    CameraDay,
    CameraGap,
    CandidateRecord,
    IdempotentResult,
    LegalHold,
    LoginSession,
    RefreshToken,
    Review,
    ReviewListing,
)
from api.store.models.base import table_of

_AWAITED: Final = sorted(JUDGEABLE | {State.CONFIRMED_HELD, State.DISAGREEMENT})
"""States in which somebody is still to do something."""


class AgeingRepository:
    """Each method deletes at most `limit` rows that are older than a time, and says how many."""

    def __init__(self, session: Session, limit: int, *, only_look: bool = False) -> None:
        """
        Args:
            session: of the database; one that writes, unless it only looks.
            limit: rows at most.
            only_look: whether rows are counted and stay.
        """
        self._session = session
        self._limit = limit
        self._only_look = only_look

    def logins(self, before: datetime) -> int:
        """Logins that ended before a time and that no other record names, with their refresh tokens."""
        over = or_(LoginSession.ends_at <= before, LoginSession.revoked_at <= before)
        wanted = [over, *_unnamed(LoginSession, but=RefreshToken)]
        if not self._only_look:
            ended = select(LoginSession.session_id).where(*wanted).order_by(LoginSession.ends_at)
            self._session.execute(
                delete(RefreshToken)
                .where(RefreshToken.session_id.in_(ended.limit(self._limit)))
                .execution_options(synchronize_session=False)
            )
        return self._delete(LoginSession, LoginSession.ends_at, wanted)

    def write_results(self, before: datetime) -> int:
        """Results of writes; a request that comes again after that is taken for a new one."""
        return self._delete(
            IdempotentResult, IdempotentResult.created_at, [IdempotentResult.created_at <= before]
        )

    def listings(self, before: datetime, now: datetime) -> int:
        """To whom a review was listed, of candidates that have ended and on which there is no hold."""
        ended = exists().where(
            Review.review_id == ReviewListing.review_id,
            CandidateRecord.candidate_id == Review.candidate_id,
            CandidateRecord.state.not_in([state.value for state in _AWAITED]),
            ~exists().where(
                LegalHold.candidate_id == CandidateRecord.candidate_id,
                LegalHold.lifted_at.is_(None),
                or_(LegalHold.until.is_(None), LegalHold.until > now),
            ),
        )
        return self._delete(
            ReviewListing, ReviewListing.listed_at, [ReviewListing.listed_at <= before, ended]
        )

    def camera_days(self, before: datetime) -> int:
        """What became of frames on days before a time."""
        return self._delete(CameraDay, CameraDay.day, [CameraDay.day < before.date()])

    def camera_gaps(self, before: datetime) -> int:
        """Gaps that ended before a time."""
        return self._delete(CameraGap, CameraGap.began_at, [CameraGap.ended_at <= before])

    def _delete(
        self, model: type[Base], age: InstrumentedAttribute[Any], wanted: Iterable[ColumnElement[bool]]
    ) -> int:
        key = list(table_of(model).primary_key.columns)
        found = self._session.execute(select(*key).where(*wanted).order_by(age).limit(self._limit)).all()
        if found and not self._only_look:
            # Row by row, as one statement for many rows: given a list of pairs SQLite walks over the whole table.
            one = delete(table_of(model)).where(
                *(column == bindparam(f"old_{column.name}") for column in key)
            )
            names = [f"old_{column.name}" for column in key]
            rows = [dict(zip(names, row, strict=True)) for row in found]
            self._session.connection().execute(one, rows)
        return len(found)


def _unnamed(model: type[Base], *, but: type[Base] | None = None) -> list[ColumnElement[bool]]:
    """That no row of any table, but for one's, refers to one of the model's, whatever tables there are."""
    target = table_of(model)
    return [
        ~exists().where(element.parent == element.column)
        for table in Base.metadata.tables.values()
        for constraint in table.foreign_key_constraints
        if constraint.referred_table is target and (but is None or table is not table_of(but))
        for element in constraint.elements
    ]
