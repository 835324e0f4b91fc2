"""What people drew on pictures, version by version."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime


class Overlay(Base):
    """One version of one kind of drawing on one camera. The database refuses UPDATE and DELETE."""

    __tablename__ = "overlays"

    camera_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shapes: Mapped[dict[str, Any]] = mapped_column(JSON)
    active: Mapped[bool]
    drawn_by: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))
    drawn_at: Mapped[datetime] = mapped_column(UtcDateTime())
    reason: Mapped[str] = mapped_column(Text)
