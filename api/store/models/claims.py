"""Who has a review open, and answers that were taken back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime

HELD = "claimed_until IS NOT NULL"


class ReviewClaim(Base):
    """That a judge opened a review, when first, and until when it is claimed for her; None: she let go of it."""

    __tablename__ = "review_claims"
    __table_args__ = (
        # One for everybody at most, of all that there ever were.
        Index(
            "ix_review_claims_claimed_until",
            "claimed_until",
            sqlite_where=text(HELD),
            postgresql_where=text(HELD),
        ),
    )

    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.review_id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), primary_key=True, index=True)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime())
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime())


class JudgementWithdrawal(Base):
    """That a judge took an answer back. The answer itself stays where it is, and counts for nothing."""

    __tablename__ = "judgement_withdrawals"

    judgement_id: Mapped[str] = mapped_column(ForeignKey("judgements.judgement_id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))
    reason: Mapped[str | None] = mapped_column(String(500))
    withdrawn_at: Mapped[datetime] = mapped_column(UtcDateTime())
