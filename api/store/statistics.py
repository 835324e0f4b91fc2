"""Counts for statistics, by camera, list, model or operator. Controls, lists for tests and re-examinations are left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from api.review.cases import State
from api.store.models import (
    CameraDay,
    CandidateRecord,
    Complaint,
    ContactOutcome,
    GalleryVersion,
    JudgementRecord,
    JudgementWithdrawal,
    Reexamination,
    Retraction,
    Watchlist,
)

UNKNOWN = "unknown"
OTHERS = "others"
EVERYTHING = "all"
MOST_GROUPS = 25
"""The largest groups stand by themselves, all others together."""

DECIDED = (State.CONFIRMED, State.REJECTED, State.INCONCLUSIVE)


class By(StrEnum):
    """What counts are grouped by."""

    NOTHING = "nothing"
    CAMERA = "camera"
    LIST = "list"
    MODEL = "model"
    OPERATOR = "operator"


Counted: TypeAlias = dict[str, dict[str, int]]
"""By group and by what is counted."""

Pairs: TypeAlias = dict[str, dict[tuple[str, str], int]]
"""By group and by the two answers, in alphabetical order."""


class StatisticsRepository:
    """Counts what happened in one stretch of time."""

    def __init__(self, session: Session, since: datetime, until: datetime, by: By) -> None:
        self._session = session
        self._since = since
        self._until = until
        self._by = by
        self._kept = self._largest()

    def states(self) -> Counted:
        """Candidates that came, by how they stand."""
        key = _key(self._by)
        query = self._of_candidates(select(key, CandidateRecord.state, func.count()))
        return self._counted(query.group_by(key, CandidateRecord.state))

    def retractions(self) -> Counted:
        """Of those candidates, confirmed ones that were retracted since."""
        key = _key(self._by)
        query = self._of_candidates(select(key, literal("retracted"), func.count()))
        joined = query.join(Retraction, Retraction.candidate_id == CandidateRecord.candidate_id)
        return self._counted(joined.group_by(key))

    def outcomes(self) -> Counted:
        """Of confirmed ones among those candidates, what the contact showed: the newest report of each."""
        key, later = _key(self._by), aliased(ContactOutcome)
        newest = ~exists().where(
            later.candidate_id == ContactOutcome.candidate_id,
            or_(
                later.reported_at > ContactOutcome.reported_at,
                and_(
                    later.reported_at == ContactOutcome.reported_at,
                    later.outcome_id > ContactOutcome.outcome_id,
                ),
            ),
        )
        query = self._of_candidates(select(key, ContactOutcome.outcome, func.count()))
        joined = query.join(ContactOutcome, ContactOutcome.candidate_id == CandidateRecord.candidate_id)
        confirmed = CandidateRecord.state == State.CONFIRMED.value
        return self._counted(joined.where(newest, confirmed).group_by(key, ContactOutcome.outcome))

    def complaints(self) -> Counted:
        """Complaints received, by their answer; those about a place and time count for their camera alone."""
        key = func.coalesce(Complaint.camera_id, _key(self._by)) if self._by is By.CAMERA else _key(self._by)
        answer = func.coalesce(Complaint.outcome, "waiting")
        query = (
            select(key, answer, func.count())
            .select_from(Complaint)
            .outerjoin(CandidateRecord, CandidateRecord.candidate_id == Complaint.candidate_id)
            .where(Complaint.received_at >= self._since, Complaint.received_at < self._until)
            .group_by(key, answer)
        )
        return self._counted(_with_model(query) if self._by is By.MODEL else query)

    def pairs(self) -> Pairs:
        """Pairs of answers that two people gave in one round."""
        first, second = aliased(JudgementRecord), aliased(JudgementRecord)
        key = _key(self._by)
        query = self._of_candidates(select(key, first.answer, second.answer, func.count()))
        rows = self._session.execute(
            query.join(first, first.candidate_id == CandidateRecord.candidate_id)
            .join(
                second,
                and_(
                    second.candidate_id == first.candidate_id,
                    second.round == first.round,
                    second.account_id > first.account_id,
                ),
            )
            .where(_stands(first.judgement_id), _stands(second.judgement_id))
            .group_by(key, first.answer, second.answer)
        )
        found: Pairs = defaultdict(lambda: defaultdict(int))
        for group, one, other, count in rows:
            ordered = sorted((one, other))
            found[self._place(group)][ordered[0], ordered[1]] += count
        return found

    def decision_seconds(self) -> Iterator[tuple[str, float]]:
        """Of each candidate that was decided: its group, and seconds from its coming to the last answer."""
        key = _key(self._by)
        columns = select(key, CandidateRecord.created_at, func.max(JudgementRecord.answered_at))
        query = (
            self._of_candidates(columns)
            .join(JudgementRecord, JudgementRecord.candidate_id == CandidateRecord.candidate_id)
            .where(CandidateRecord.state.in_([state.value for state in DECIDED]))
            .group_by(CandidateRecord.candidate_id, key, CandidateRecord.created_at)
        )
        for group, came_at, decided_at in self._session.execute(query).yield_per(5000):
            yield self._place(group), (decided_at - came_at).total_seconds()

    def answers(self) -> Counted:
        """Answers by operator."""
        key: ColumnElement[Any] = JudgementRecord.account_id.expression
        query = (
            self._of_candidates(select(key, JudgementRecord.answer, func.count()))
            .join(JudgementRecord, JudgementRecord.candidate_id == CandidateRecord.candidate_id)
            .where(_stands(JudgementRecord.judgement_id))
        )
        return self._counted(query.group_by(JudgementRecord.account_id, JudgementRecord.answer))

    def operator_pairs(self) -> Pairs:
        """Pairs of answers in which an operator had a part: each pair counts for both."""
        own, other = aliased(JudgementRecord), aliased(JudgementRecord)
        key: ColumnElement[Any] = own.account_id.expression
        query = self._of_candidates(select(key, own.answer, other.answer, func.count()))
        rows = self._session.execute(
            query.join(own, own.candidate_id == CandidateRecord.candidate_id)
            .join(
                other,
                and_(
                    other.candidate_id == own.candidate_id,
                    other.round == own.round,
                    other.account_id != own.account_id,
                ),
            )
            .where(_stands(own.judgement_id), _stands(other.judgement_id))
            .group_by(own.account_id, own.answer, other.answer)
        )
        found: Pairs = defaultdict(lambda: defaultdict(int))
        for account_id, one, two, count in rows:
            ordered = sorted((one, two))
            found[account_id][ordered[0], ordered[1]] += count
        return found

    def frames_looked_at(self) -> dict[str, int]:
        """Frames the models saw, by group where that is cameras; whole days (UTC)."""
        rows = self._session.execute(
            select(CameraDay.camera_id, func.sum(CameraDay.inferred))
            .where(CameraDay.day >= self._since.date(), CameraDay.day < self._until.date())
            .group_by(CameraDay.camera_id)
        )
        found: dict[str, int] = defaultdict(int)
        for camera_id, count in rows:
            found[self._place(camera_id if self._by is By.CAMERA else None)] += int(count)
        return found

    def faces_searched(self, least: int) -> dict[str, int | None]:
        """Faces of which a look was held against a list, by group where that is cameras; whole days (UTC).

        None for a group with frames of whose faces nobody kept count, or a camera of fewer than `least`: no sum is told from
        which these few could be subtracted.
        """
        uncounted = func.sum(
            case((and_(CameraDay.faces_searched.is_(None), CameraDay.inferred > 0), 1), else_=0)
        )
        rows = self._session.execute(
            select(CameraDay.camera_id, func.coalesce(func.sum(CameraDay.faces_searched), 0), uncounted)
            .where(CameraDay.day >= self._since.date(), CameraDay.day < self._until.date())
            .group_by(CameraDay.camera_id)
        )
        found: dict[str, int | None] = {}
        for camera_id, count, without in rows:
            place = self._place(camera_id if self._by is By.CAMERA else None)
            before = found.get(place, 0)
            hidden = without or 0 < int(count) < least
            found[place] = None if hidden or before is None else before + int(count)
        return found

    def _largest(self) -> frozenset[str]:
        """The groups with most candidates."""
        key = _key(self._by)
        query = self._of_candidates(select(key, func.count())).group_by(key)
        rows = self._session.execute(query.order_by(func.count().desc(), key).limit(MOST_GROUPS))
        return frozenset(group or UNKNOWN for group, _ in rows)

    def _place(self, group: str | None) -> str:
        """The group a row counts for."""
        if self._by is By.NOTHING:
            return EVERYTHING
        name = group or UNKNOWN
        return name if name in self._kept or self._by is By.OPERATOR else OTHERS

    def _of_candidates(self, columns: Select[Any]) -> Select[Any]:
        query = (
            columns.select_from(CandidateRecord)
            .join(Watchlist, Watchlist.watchlist_id == CandidateRecord.watchlist_id)
            .where(
                CandidateRecord.created_at >= self._since,
                CandidateRecord.created_at < self._until,
                CandidateRecord.control_id.is_(None),
                Watchlist.is_test.is_(False),
                ~exists().where(Reexamination.candidate_id == CandidateRecord.candidate_id),
            )
        )
        return _with_model(query) if self._by is By.MODEL else query

    def _counted(self, query: Select[Any]) -> Counted:
        found: Counted = defaultdict(dict)
        for group, what, count in self._session.execute(query):
            row = found[self._place(group)]
            row[what] = row.get(what, 0) + count
        return found


def _key(by: By) -> ColumnElement[Any]:
    """The group of a candidate."""
    match by:
        case By.LIST:
            return CandidateRecord.watchlist_id.expression
        case By.MODEL:
            return GalleryVersion.embedder_id.expression
        case _:  # what is not grouped is put together later: PostgreSQL groups by no constant
            return CandidateRecord.camera_id.expression


def _with_model(query: Select[Any]) -> Select[Any]:
    """Joins the gallery version a candidate was found in, which says with what model."""
    version = CandidateRecord.event["gallery"]["version"].as_integer()
    return query.outerjoin(
        GalleryVersion,
        and_(
            GalleryVersion.deployment_id == CandidateRecord.deployment_id,
            GalleryVersion.version == version,
        ),
    )


def _stands(judgement_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Of a judgement: it was not taken back."""
    return ~exists().where(JudgementWithdrawal.judgement_id == judgement_id)
