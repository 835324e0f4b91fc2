"""Who was on duty, and when too few were."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime


class Shift(Base):
    """One stretch of duty of an operator; an account has at most one that has not ended."""

    __tablename__ = "shifts"
    __table_args__ = (
        Index(
            "uq_shifts_one_open",
            "account_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_shifts_began_at_shift_id", "began_at", "shift_id"),
    )

    shift_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    handover_note: Mapped[str | None] = mapped_column(String(1000))


class UnderstaffedPeriod(Base):
    """A stretch of time in which fewer than two entitled judges were on duty."""

    __tablename__ = "understaffed_periods"

    period_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    paged_at: Mapped[datetime] = mapped_column(UtcDateTime())
