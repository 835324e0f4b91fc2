"""To whom a review was listed: from its first listing on nothing changes what it shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, select, text
from sqlalchemy.orm import Session

from api.store.missing import add_missing
from api.store.models import CandidateRecord, Review, ReviewListing
from api.store.models.base import table_of
from api.store.models.reviews import WAITING

# Statements that every page runs are made once: to make one takes longer than to run it.
_LISTINGS: Final = table_of(ReviewListing)
_KNOWN: Final = select(_LISTINGS.c.review_id).where(
    _LISTINGS.c.account_id == bindparam("account_id"),
    _LISTINGS.c.review_id.in_(bindparam("review_ids", expanding=True)),
)
_REVIEWS: Final = table_of(Review)
_OVER: Final = (
    select(_REVIEWS.c.review_id)
    .join(table_of(CandidateRecord), table_of(CandidateRecord).c.candidate_id == _REVIEWS.c.candidate_id)
    .where(
        _REVIEWS.c.review_id.in_(bindparam("review_ids", expanding=True)), text(f"NOT candidates.{WAITING}")
    )
)


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
        rows = [
            {"review_id": review_id, "account_id": account_id, "listed_at": now}
            for review_id in sorted(review_ids)
        ]
        add_missing(self._session, ReviewListing, *rows)
        over = self._over(review_ids)
        if over:
            self._session.execute(
                delete(ReviewListing).where(
                    ReviewListing.account_id == account_id, ReviewListing.review_id.in_(over)
                )
            )
        return [review_id for review_id in review_ids if review_id not in over]

    def _over(self, review_ids: Collection[str]) -> set[str]:
        return set(self._session.scalars(_OVER, {"review_ids": list(review_ids)}))
