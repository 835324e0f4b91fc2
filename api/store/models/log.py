"""What happened (append-only), what must still leave the house, and what was already answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime


class LedgerEntry(Base):
    """One thing that happened. Rows are chained by hash; the database refuses UPDATE and DELETE."""

    __tablename__ = "ledger"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(32), index=True)
    previous_sha256: Mapped[str] = mapped_column(String(64))
    entry_sha256: Mapped[str] = mapped_column(String(64), unique=True)


class LedgerHead(Base):
    """The end of the chain, one row; locking it is what puts concurrent entries in order."""

    __tablename__ = "ledger_head"

    head_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int]
    entry_sha256: Mapped[str] = mapped_column(String(64))


class Receipt(Base):
    """The signed receipt of a confirmed match."""

    __tablename__ = "receipts"

    receipt_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    candidate_id: Mapped[str] = mapped_column(ForeignKey("candidates.candidate_id"), unique=True)
    jws: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime())
    act_before: Mapped[datetime] = mapped_column(UtcDateTime())


class OutboxEvent(Base):
    """An event that must be published; written in the transaction that made it true."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("candidate_id", "schema_name"),
        Index("ix_outbox_sent_at_created_at", "sent_at", "created_at"),
    )

    outbox_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    candidate_id: Mapped[str] = mapped_column(ForeignKey("candidates.candidate_id"))
    schema_name: Mapped[str] = mapped_column(String(64))
    event: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    attempts: Mapped[int]


class IdempotentResult(Base):
    """The result of a write, kept under the key its client chose."""

    __tablename__ = "idempotent_results"
    __table_args__ = (Index("ix_idempotent_results_created_at", "created_at"),)

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(String(128), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    status_code: Mapped[int]
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
