"""A review that waits for its answer: what is said of it, and what it shows to whoever says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.errors import NotFoundError
from api.principals import Principal
from api.proofs import Shown
from api.review.cases import Answer, ReasonCode
from api.store.candidates import CandidateRepository
from api.store.models import CandidateRecord, Review
from api.store.reviews import ReviewRepository


@dataclass(frozen=True, slots=True)
class AnswerGiven:
    """What a judge says, and when the server heard it is the server's to say."""

    answer: Answer
    reason: str | None = None
    reason_code: ReasonCode | None = None


def awaiting(
    session: Session, principal: Principal, review_id: str, now: datetime
) -> tuple[Review, CandidateRecord]:
    """A review that is in the queue, of what she has rights to, and its candidate, locked."""
    found = CandidateRepository(session).shown(review_id)
    if found is None:
        raise NotFoundError
    review, row = found
    if review.queued_at > now or not principal.scope.allows(row.watchlist_id, row.camera_id):
        raise NotFoundError
    return review, row


def shown_to_judges(session: Session, review: Review, given: AnswerGiven, now: datetime) -> Shown:
    """What every judge of this review is shown since its first claim, and what she says of it."""
    document = ReviewRepository(session).document(review, now)
    return Shown(review.review_id, document, given.answer, given.reason, given.reason_code)
