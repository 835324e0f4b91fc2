"""What somebody asked for and somebody else decides: entries, renewals, deployments; and imports of many at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime


class ListImport(Base):
    """One run of an import. Its requests are filed all together, or none of them ever existed."""

    __tablename__ = "list_imports"

    import_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    watchlist_id: Mapped[str] = mapped_column(ForeignKey("watchlists.watchlist_id"))
    state: Mapped[str] = mapped_column(String(16))
    file_sha256: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int]
    subject_ids: Mapped[list[str]] = mapped_column(JSON())
    """Whose keys were made for it: destroyed where the run did not come to its end."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())


class ListRequest(Base):
    """What was asked for, by whom, and what became of it. Nothing of it is searched before it is approved."""

    __tablename__ = "list_requests"
    __table_args__ = (
        CheckConstraint(
            "state NOT IN ('approved', 'refused') OR (ended_by IS NOT NULL AND ended_by <> requested_by)",
            name="two_people",
        ),
        Index("ix_list_requests_requested_at_request_id", "requested_at", "request_id"),
    )

    request_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), index=True)
    watchlist_id: Mapped[str] = mapped_column(ForeignKey("watchlists.watchlist_id"), index=True)
    subject_id: Mapped[str | None] = mapped_column(String(128), index=True)
    deployment_id: Mapped[str | None] = mapped_column(String(128), index=True)
    import_id: Mapped[str | None] = mapped_column(ForeignKey("list_imports.import_id"), index=True)
    requested_by: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime())
    addressed_to: Mapped[str | None] = mapped_column(ForeignKey("accounts.account_id"))
    """Whoever alone may decide it; none: every authoriser."""
    ended_by: Mapped[str | None] = mapped_column(ForeignKey("accounts.account_id"))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    ended_reason: Mapped[str | None] = mapped_column(String(1000))
    purpose: Mapped[str] = mapped_column(String(500))
    legal_basis: Mapped[str] = mapped_column(String(500))
    case_reference: Mapped[str] = mapped_column(String(128))
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    until: Mapped[datetime] = mapped_column(UtcDateTime())
    name_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    is_minor: Mapped[bool] = mapped_column(default=False)
    minor_justification: Mapped[str | None] = mapped_column(String(1000))
    place: Mapped[str | None] = mapped_column(String(500))
    cameras: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON(), default=list)
    """What the check of the references found: ids and figures, no name."""


class RequestPicture(Base):
    """A picture of a request, under the subject's data key: as it came until it was read, then as a portrait."""

    __tablename__ = "request_pictures"

    reference_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("list_requests.request_id"), index=True)
    position: Mapped[int]
    image_source: Mapped[str] = mapped_column(String(500))
    upload_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    outcome: Mapped[str | None] = mapped_column(String(24))
    notes: Mapped[list[str]] = mapped_column(JSON(), default=list)
    portrait_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    portrait_width: Mapped[int | None]
    portrait_height: Mapped[int | None]
    template_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    recipe_sha256: Mapped[str | None] = mapped_column(String(64))
    embedder_id: Mapped[str | None] = mapped_column(String(128))
    embedder_sha256: Mapped[str | None] = mapped_column(String(64))
    preprocessing: Mapped[str | None] = mapped_column(Text)
