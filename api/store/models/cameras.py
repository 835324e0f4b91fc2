"""What workers say of their cameras: the last word of each, its gaps, and what became of its frames by day."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, BigInteger, Date, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime


class CameraReport(Base):
    """What was last heard of a camera."""

    __tablename__ = "camera_reports"

    camera_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    worker_id: Mapped[str] = mapped_column(String(128))
    phase: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(String(500))
    deployment_id: Mapped[str] = mapped_column(String(128))
    gallery_version: Mapped[int | None]
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime())
    log_id: Mapped[str] = mapped_column(String(64))
    counted: Mapped[dict[str, int | dict[str, int]]] = mapped_column(JSON)
    masked_detections: Mapped[int] = mapped_column(BigInteger, server_default="0")
    settings_note: Mapped[str] = mapped_column(String(500), server_default="")
    faces_searched: Mapped[int | None] = mapped_column(BigInteger)


class CameraGap(Base):
    """A stretch of time in which a camera gave nothing to look at, as its worker numbered it."""

    __tablename__ = "camera_gaps"
    __table_args__ = (Index("ix_camera_gaps_camera_id_began_at", "camera_id", "began_at"),)

    camera_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    worker_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    log_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    reason: Mapped[str] = mapped_column(String(64))
    ended_by_restart: Mapped[bool]


class CameraDay(Base):
    """What became of a camera's frames on one day (UTC), as far as one worker counted them."""

    __tablename__ = "camera_days"

    camera_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    worker_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    read: Mapped[int] = mapped_column(BigInteger)
    decoded: Mapped[int] = mapped_column(BigInteger)
    undecodable: Mapped[int] = mapped_column(BigInteger)
    not_sampled: Mapped[int] = mapped_column(BigInteger)
    gated: Mapped[int] = mapped_column(BigInteger)
    inferred: Mapped[int] = mapped_column(BigInteger)
    dropped: Mapped[dict[str, int]] = mapped_column(JSON)
    faces_searched: Mapped[int | None] = mapped_column(BigInteger)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime())
