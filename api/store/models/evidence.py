"""Which sealed blobs belong to whom, and which must not go."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime

SHOWN_CLIPS: Final = "kind = 'clip_redacted'"
"""Word for word in an index and in what is asked of it."""


class EvidenceRecord(Base):
    """A sealed blob as one candidate, or one item of the control library, names it. `late`: it came after the
    first claim, so no judge is shown it."""

    __tablename__ = "evidence_records"
    __table_args__ = (
        # Without what is gone, which becomes more for as long as the service runs.
        Index(
            "ix_evidence_records_kept",
            "kind",
            "created_at",
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_evidence_records_clips",
            "created_at",
            sqlite_where=text(SHOWN_CLIPS),
            postgresql_where=text(SHOWN_CLIPS),
        ),
    )

    ref: Mapped[str] = mapped_column(String(256), primary_key=True)
    owner_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    candidate_id: Mapped[str | None] = mapped_column(ForeignKey("candidates.candidate_id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    item: Mapped[dict[str, Any]] = mapped_column(JSON)
    late: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class LegalHold(Base):
    """That nothing of a candidate may be deleted, by whose order and why; it ends by itself or is lifted."""

    __tablename__ = "legal_holds"

    hold_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    candidate_id: Mapped[str] = mapped_column(ForeignKey("candidates.candidate_id"), index=True)
    reason: Mapped[str] = mapped_column(String(500))
    set_by: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))
    set_at: Mapped[datetime] = mapped_column(UtcDateTime())
    until: Mapped[datetime | None] = mapped_column(UtcDateTime())
    lifted_by: Mapped[str | None] = mapped_column(ForeignKey("accounts.account_id"))
    lifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    lifted_reason: Mapped[str | None] = mapped_column(String(500))
