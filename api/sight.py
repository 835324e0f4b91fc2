"""What an operator may have in front of her: reviews that are open to her, and those she has answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from api.claims import take_claim
from api.errors import NotFoundError
from api.principals import Principal
from api.review.cases import Case
from api.review.policies import ReviewPolicy
from api.store.asking import Asking
from api.store.candidates import CandidateRepository
from api.store.models import Review
from api.store.queue import QueueRepository
from api.store.reviews import ReviewRepository


def asking(principal: Principal) -> Asking:
    """Who asks, as the queue wants to know her."""
    return Asking(principal.account_id, principal.username, principal.scope, principal.device_id)


def claimed(
    session: Session, principal: Principal, review_id: str, now: datetime, policy: ReviewPolicy
) -> Review:
    """A review she may see, frozen from here on, and hers for a time where it is open to her.

    The candidate is locked before it is looked at: a revision that takes it back is either there already, or
    comes too late.

    Raises:
        NotFoundError: it is neither open to her nor answered by her.
    """
    candidates = CandidateRepository(session)
    found = candidates.shown(review_id)
    if found is None:
        raise NotFoundError
    review, row = found
    if not QueueRepository(session).is_open_for(asking(principal), review_id, now):
        return _answered_by_her(session, principal, review)
    candidates.claim(row, now)
    take_claim(session, review_id, principal.account_id, now, policy)
    return review


def visible(session: Session, principal: Principal, review_id: str, now: datetime) -> Review:
    """A review she may see.

    Raises:
        NotFoundError: it is neither open to her nor answered by her.
    """
    reviews = ReviewRepository(session)
    review = reviews.row(review_id)
    if review is None:
        raise NotFoundError
    if QueueRepository(session).is_open_for(asking(principal), review_id, now):
        return review
    return _answered_by_her(session, principal, review)


def has_answered(case: Case, principal: Principal) -> bool:
    """Whether one of its judgements is hers."""
    return any(item.account_id == principal.account_id for item in case.judgements)


def _answered_by_her(session: Session, principal: Principal, review: Review) -> Review:
    candidates = CandidateRepository(session)
    row = candidates.row(review.candidate_id)
    if row is None or not has_answered(candidates.case(row), principal):
        raise NotFoundError
    if not principal.scope.allows(row.watchlist_id, row.camera_id):
        raise NotFoundError
    return review
