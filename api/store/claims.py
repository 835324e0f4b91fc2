"""Who has which review open. Nothing here tells anybody of another's claim but by what her list leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, bindparam, case, exists, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from api.review.cases import JUDGES_NEEDED, State
from api.store.models import CandidateRecord, JudgementRecord, Review, ReviewClaim
from api.store.models.base import table_of

_HERS: Final = -1000
"""Whoever has it open keeps it, however many others came to have it open."""


# Statements that every look runs are made once: to make one takes longer than to run it.
_TABLE: Final = table_of(ReviewClaim)
_OF: Final = select(_TABLE.c.opened_at, _TABLE.c.claimed_until).where(
    _TABLE.c.review_id == bindparam("review_id"), _TABLE.c.account_id == bindparam("account_id")
)
_LET_GO: Final = (
    update(_TABLE)
    .where(_TABLE.c.account_id == bindparam("hers"), _TABLE.c.claimed_until.is_not(None))
    .values(claimed_until=None)
)
_INSERT: Final = insert(_TABLE)
_RENEW: Final = (
    update(_TABLE)
    .where(_TABLE.c.review_id == bindparam("review"), _TABLE.c.account_id == bindparam("hers"))
    .values(claimed_until=bindparam("until"))
)


@dataclass(frozen=True, slots=True)
class Claim:
    """That somebody opened a review.

    Attributes:
        opened_at: when she first did.
        claimed_until: how long it is hers; None: she opened another since.
    """

    opened_at: datetime
    claimed_until: datetime | None


class ClaimRepository:
    """Finds and keeps claims."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, review_id: str, account_id: str) -> Claim | None:
        """The account's own claim on a review, run out or not."""
        wanted = {"review_id": review_id, "account_id": account_id}
        found = self._session.execute(_OF, wanted).one_or_none()
        return None if found is None else Claim(*found)

    def take(self, review_id: str, account_id: str, now: datetime, until: datetime) -> None:
        """Claims a review for an account, anew where its claim has run out; a claim in force stays as it is.

        Whoever opens another review lets go of the one before: nobody looks at two at once, or keeps a queue from others.
        """
        claim = self.of(review_id, account_id)
        if claim is not None and claim.claimed_until is not None and claim.claimed_until > now:
            return
        self._session.execute(_LET_GO, {"hers": account_id})
        if claim is not None:
            self._session.execute(_RENEW, {"review": review_id, "hers": account_id, "until": until})
            return
        taken = {
            "review_id": review_id,
            "account_id": account_id,
            "opened_at": now,
            "claimed_until": until,
        }
        self._session.execute(_INSERT, taken)


def has_room(account_id: ColumnElement[str], now: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Of reviews: those the account has open, or that lack a judge still.

    An answer takes the place of the claim before it, so that it changes nothing in anybody's list. Those without room are
    found first and together, from the claims nobody let go of, of which everybody has one at most: asked for each review,
    PostgreSQL reads all claims each time for as long as it takes the table for empty, as it was when the day began. Nothing
    is joined to these claims, and what finds them stands apart (`OFFSET 0`): SQLite would begin with all reviews there are,
    or with all claims there ever were.
    """
    in_force = (
        select(ReviewClaim.review_id, ReviewClaim.account_id).where(ReviewClaim.claimed_until > now).offset(0)
    )
    claim = in_force.subquery()
    answer, review, candidate = aliased(JudgementRecord), aliased(Review), aliased(CandidateRecord)
    candidate_id = (
        select(review.candidate_id)
        .where(review.review_id == claim.c.review_id)
        .correlate(claim)
        .scalar_subquery()
    )
    state = (
        select(candidate.state)
        .where(candidate.candidate_id == candidate_id)
        .correlate(claim)
        .scalar_subquery()
    )
    answered = exists().where(answer.candidate_id == candidate_id, answer.account_id == claim.c.account_id)
    weight = case((claim.c.account_id == account_id, _HERS), (answered.correlate(claim), 0), else_=1)
    given = case((state == State.ONE_ANSWER.value, 1), else_=0)
    without = (
        select(claim.c.review_id)
        .group_by(claim.c.review_id)
        .having(func.sum(weight) + func.max(given) >= JUDGES_NEEDED)
    )
    return Review.review_id.not_in(without)
