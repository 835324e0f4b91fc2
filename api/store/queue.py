"""Which reviews wait for an answer, and whose: the queue of an account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    String,
    bindparam,
    exists,
    func,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.orm import Session

from api.review.scopes import Scope
from api.store.asking import Asking
from api.store.claims import has_room
from api.store.models import (
    CandidateRecord,
    Deployment,
    Disclosure,
    JudgementRecord,
    ListRequest,
    Review,
    Subject,
)
from api.store.models.base import UtcDateTime
from api.store.models.reviews import WAITING
from api.store.reexaminations import is_reexamination, not_judged_before
from api.store.rights import within

QueuePosition = tuple[datetime, str]
"""Where a page of the queue ended: `queued_at` and review id of its last row."""

_PLACE: Final = (CandidateRecord.queued_at, CandidateRecord.review_id)


LOOKED_AT: Final = 120
"""How many of the oldest that wait are looked at first: most of them an operator may answer, but for those others have
open. A database that were left to choose would now and then look at all that wait, and sort them."""

_STATEMENTS_KEPT: Final = 256

_WAITING: Final = text(f"candidates.{WAITING}")
"""Literally: else the index of what waits is not used."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A review in somebody's queue."""

    review_id: str
    queued_at: datetime
    camera_id: str


class QueueRepository:
    """Finds what waits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open_for(
        self, asking: Asking, now: datetime, after: QueuePosition | None, limit: int
    ) -> list[Queued]:
        """Reviews she may answer now, oldest first.

        Nothing but age orders them; what is left out is what she answered, was told about, had a part in
        listing, was answered in this browser, or has no right to, and what as many others have open as it needs judges.

        Args:
            asking: an operator.
            now: reviews queued later are not there yet.
            after: where the page before ended.
            limit: rows at most.
        """
        looked_at = max(LOOKED_AT, limit)
        bound = asking.bound(now) | {"rows": limit}
        if after is not None:
            bound |= {"after_queued_at": after[0], "after_review_id": after[1]}
        page, oldest = _page_of(_OPEN_FOR, asking.scope, is_first=after is None)
        while True:
            bound["looked_at"] = looked_at
            found = [Queued(*row) for row in self._session.execute(page, bound)]
            if len(found) == limit or self._session.scalars(oldest, bound).one() < looked_at:
                return found
            looked_at *= 8

    def waiting(self, now: datetime, limit: int) -> Sequence[Review]:
        """Reviews of real candidates an answer is awaited for, whoever may give it, oldest first."""
        real = _answerable().where(CandidateRecord.control_id.is_(None)).order_by(*_PLACE).limit(limit)
        return self._session.scalars(real, {"now": now}).all()

    def is_open_for(self, asking: Asking, review_id: str, now: datetime) -> bool:
        """Whether she may answer this review now."""
        bound = asking.bound(now) | {"review_id": review_id}
        return self._session.execute(_one_of(_OPEN_FOR, asking.scope), bound).first() is not None


def _in_queue(now: ColumnElement[datetime]) -> list[ColumnElement[bool]]:
    """Conditions on candidates: an answer is awaited for at `now`."""
    return [
        _WAITING,  # type: ignore[list-item]
        # In this form as PostgreSQL, which knows that nearly all candidates ever stored are over, would else expect a
        # handful, read all that wait and sort them, instead of the first few in the order of what waits.
        func.coalesce(CandidateRecord.expires_at, CandidateRecord.expires_at) > now,
        CandidateRecord.queued_at <= now,
    ]


def _answerable() -> Select[Review]:
    """Reviews an answer is awaited for at `:now`."""
    now = bindparam("now", type_=UtcDateTime())
    return (
        select(Review)
        .join(CandidateRecord, CandidateRecord.candidate_id == Review.candidate_id)
        .join(Subject, Subject.subject_id == CandidateRecord.subject_id)
        .join(Deployment, Deployment.deployment_id == CandidateRecord.deployment_id)
        .where(
            *_in_queue(now),
            # Nobody judges for an entry that has left its list: nothing could come of it. What was done while
            # it was on it can be looked at again.
            Subject.removed_at.is_(None),
            or_(Subject.expires_at > now, is_reexamination()),
        )
    )


@lru_cache(maxsize=_STATEMENTS_KEPT)
def _page_of(
    open_for: Select[Review], scope: Scope, *, is_first: bool
) -> tuple[Select[str, datetime, str], Select[int]]:
    """A page of the oldest that wait, and how many of them are looked at.

    Made once for all who have the same rights: to make them takes several times as long as to run them.
    """
    # Nothing here depends on the moment, which is asked about in `open_for`: one plan is as good for every one of them,
    # and a database that notices makes it once.
    waiting = select(CandidateRecord.candidate_id, *_PLACE).where(_WAITING)
    waiting = waiting.where(within(scope, CandidateRecord.watchlist_id, CandidateRecord.camera_id))
    if not is_first:
        after = (
            bindparam("after_queued_at", type_=UtcDateTime()),
            bindparam("after_review_id", type_=String()),
        )
        waiting = waiting.where(tuple_(*_PLACE) > tuple_(*after))
    # Limits stand in the text: a plan for any limit whatever takes much for granted, and is made anew each time instead.
    oldest = waiting.order_by(*_PLACE).limit(_in_text("looked_at")).subquery()
    # Joined, and ordered by what is in order already: once the page is full, nobody looks at the rest.
    page = (
        open_for.join(oldest, oldest.c.candidate_id == CandidateRecord.candidate_id)
        .order_by(oldest.c.queued_at, oldest.c.review_id)
        .limit(_in_text("rows"))
        .with_only_columns(Review.review_id, Review.queued_at, Review.camera_id)
    )
    return page, select(func.count()).select_from(oldest)


def _in_text(name: str) -> BindParameter[int]:
    return bindparam(name, type_=Integer(), literal_execute=True)


@lru_cache(maxsize=_STATEMENTS_KEPT)
def _one_of(open_for: Select[Review], scope: Scope) -> Select[str]:
    one = _within(open_for, scope).where(Review.review_id == bindparam("review_id", type_=String()))
    return one.with_only_columns(Review.review_id)


def _within(open_for: Select[Review], scope: Scope) -> Select[Review]:
    if scope.is_whole:
        return open_for
    return open_for.where(within(scope, CandidateRecord.watchlist_id, CandidateRecord.camera_id))


def _uninvolved() -> list[ColumnElement[bool]]:
    """Conditions on reviews: the account `:account_id`, called `:username`, in `:device_id` had no part in them."""
    account_id, username = bindparam("account_id", type_=String()), bindparam("username", type_=String())
    device_id = bindparam("device_id", type_=String())
    answered = exists().where(
        JudgementRecord.candidate_id == Review.candidate_id,
        or_(JudgementRecord.account_id == account_id, JudgementRecord.device_id == device_id),
    )
    told = exists().where(Disclosure.candidate_id == Review.candidate_id, Disclosure.account_id == account_id)
    # A renewal has a requester and an authoriser of its own. Not correlated: an operator hardly ever has any.
    hers = (ListRequest.requested_by == account_id) | (ListRequest.ended_by == account_id)
    subjects = select(ListRequest.subject_id).where(hers, ListRequest.subject_id.is_not(None))
    deployments = select(ListRequest.deployment_id).where(hers, ListRequest.deployment_id.is_not(None))
    return [
        ~answered,
        ~told,
        not_judged_before(account_id),
        has_room(account_id, bindparam("now", type_=UtcDateTime())),
        CandidateRecord.subject_id.not_in(subjects),
        CandidateRecord.deployment_id.not_in(deployments),
        Subject.requested_by_key != username,
        Subject.authorised_by_key != username,
        Deployment.requested_by_key != username,
        Deployment.authorised_by_key != username,
    ]


def open_for_anybody() -> Select[Review]:
    """Reviews whoever asks may answer, whatever her rights."""
    return _answerable().where(*_uninvolved())


_OPEN_FOR: Final = open_for_anybody()
"""Made once: to make it takes longer than to run it."""
