"""Claims: who opened a review has it for a time, and nobody answers what she cannot have looked at."""

from __future__ import annotations

import math
from datetime import datetime

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.errors import ConflictError
from api.review import guards
from api.review.errors import TooSoonError
from api.review.policies import ReviewPolicy
from api.store.claims import ClaimRepository


def take_claim(
    session: Session, review_id: str, account_id: str, now: datetime, policy: ReviewPolicy
) -> None:
    """Claims a review for whoever opened it, in the transaction that shows it to her."""
    ClaimRepository(session).take(review_id, account_id, now, now + policy.claim_for)


def check_looked(
    session: Session, review_id: str, principal: Principal, now: datetime, policy: ReviewPolicy
) -> None:
    """Lets through who has had the review in front of her for the minimum look.

    Raises:
        ConflictError: she has not; `Retry-After` says how long still, from her own first look alone.
    """
    claim = ClaimRepository(session).of(review_id, principal.account_id)
    try:
        guards.check_looked(None if claim is None else claim.opened_at, now, policy)
    except TooSoonError as error:
        headers = {"Retry-After": str(math.ceil(error.wait_seconds))}
        raise ConflictError("looked_too_short", str(error), headers) from error
