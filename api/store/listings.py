"""To whom a review was listed: from its first listing on nothing changes what it shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import String, bindparam, delete, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from api.store.in_lists import one_of
from api.store.models import CandidateRecord, Review, ReviewListing
from api.store.models.base import UtcDateTime, table_of
from api.store.models.reviews import WAITING

# Statements that every page runs are made once: to make one takes longer than to run it.
_LISTINGS: Final = table_of(ReviewListing)
_KNOWN: Final = select(_LISTINGS.c.review_id).where(
    _LISTINGS.c.account_id == bindparam("account_id"),
    one_of(_LISTINGS.c.review_id, "review_ids"),
)
_REVIEWS: Final = table_of(Review)
_OVER: Final = (
    select(_REVIEWS.c.review_id)
    .join(table_of(CandidateRecord), table_of(CandidateRecord).c.candidate_id == _REVIEWS.c.candidate_id)
    .where(one_of(_REVIEWS.c.review_id, "review_ids"), text(f"NOT candidates.{WAITING}"))
)
_LISTED: Final = (
    select(
        _REVIEWS.c.review_id,
        bindparam("to", type_=String()).label("account_id"),
        bindparam("now", type_=UtcDateTime()).label("listed_at"),
    )
    .where(one_of(_REVIEWS.c.review_id, "review_ids"))
    .order_by(_REVIEWS.c.review_id)  # so that two who list some of the same never wait for each other
)
_COLUMNS: Final = ["review_id", "account_id", "listed_at"]
_LIST_POSTGRESQL: Final = postgresql.insert(_LISTINGS).from_select(_COLUMNS, _LISTED).on_conflict_do_nothing()
_LIST_SQLITE: Final = sqlite.insert(_LISTINGS).from_select(_COLUMNS, _LISTED).on_conflict_do_nothing()


class ListingRepository:
    """Finds and keeps listings."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def was_listed(self, review_id: str) -> bool:
        """Whether some operator has had the review in her list."""
        query = select(ReviewListing.review_id).where(ReviewListing.review_id == review_id)
        return self._session.scalars(query.limit(1)).first() is not None

    def unlisted(self, account_id: str, review_ids: Sequence[str]) -> list[str]:
        """Those of the reviews never listed to the account before, in their order."""
        wanted = {"account_id": account_id, "review_ids": review_ids}
        known = set(self._session.scalars(_KNOWN, wanted))
        return [review_id for review_id in review_ids if review_id not in known]

    def list_to(self, account_id: str, review_ids: Sequence[str], now: datetime) -> list[str]:
        """Notes that reviews are listed to the account; returns those that still wait, which are the ones to show.

        From here on no revision changes what they show. One that is changing it now is waited for, as it has the row
        of the review that a listing refers to; others who list the same are not.
        """
        is_postgresql = self._session.get_bind().dialect.name == "postgresql"
        listed = {"review_ids": review_ids, "to": account_id, "now": now}
        self._session.execute(_LIST_POSTGRESQL if is_postgresql else _LIST_SQLITE, listed)
        over = self._over(review_ids)
        if over:
            self._session.execute(
                delete(ReviewListing).where(
                    ReviewListing.account_id == account_id, ReviewListing.review_id.in_(over)
                )
            )
        return [review_id for review_id in review_ids if review_id not in over]

    def _over(self, review_ids: Collection[str]) -> set[str]:
        return set(self._session.scalars(_OVER, {"review_ids": review_ids}))
