"""The cameras the service gives its workers, version by version."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime


class CameraSetting(Base):
    """One version of one camera. The database refuses UPDATE and DELETE."""

    __tablename__ = "camera_settings"
    __table_args__ = (Index("ix_camera_settings_changed_at", "changed_at"),)

    camera_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    worker_id: Mapped[str] = mapped_column(String(128))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    active: Mapped[bool]
    changed_by: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime())
    reason: Mapped[str] = mapped_column(Text)
