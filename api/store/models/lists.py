"""Who is looked for, by whose order, where and until when.

A `…_by_key` is the person's name without case and blanks, to be compared with login names in SQL.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime


class Watchlist(Base):
    """A list of subjects for one purpose."""

    __tablename__ = "watchlists"

    watchlist_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    purpose: Mapped[str] = mapped_column(String(500))
    max_entries: Mapped[int]
    false_alerts_per_1000_faces: Mapped[float | None]
    is_test: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())


class Subject(Base):
    """An entry of a list. The name is sealed under the subject's own data key."""

    __tablename__ = "subjects"

    subject_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    watchlist_id: Mapped[str] = mapped_column(ForeignKey("watchlists.watchlist_id"), index=True)
    name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    requested_by: Mapped[str] = mapped_column(String(128))
    requested_by_key: Mapped[str] = mapped_column(String(128))
    authorised_by: Mapped[str] = mapped_column(String(128))
    authorised_by_key: Mapped[str] = mapped_column(String(128))
    legal_basis: Mapped[str] = mapped_column(String(500))
    case_reference: Mapped[str] = mapped_column(String(128))
    image_source: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class SubjectReference(Base):
    """One picture of a subject: the portrait, re-encoded, under the subject's data key."""

    __tablename__ = "subject_references"

    reference_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("subjects.subject_id"), index=True)
    position: Mapped[int]
    portrait_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    portrait_width: Mapped[int]
    portrait_height: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())


class ReferenceTemplate(Base):
    """The template of one picture by one recipe, under the subject's data key.

    While an embedder is being changed a picture has two; the old one goes once no worker uses it.
    """

    __tablename__ = "reference_templates"

    reference_id: Mapped[str] = mapped_column(ForeignKey("subject_references.reference_id"), primary_key=True)
    recipe_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    embedder_id: Mapped[str] = mapped_column(String(128))
    embedder_sha256: Mapped[str] = mapped_column(String(64))
    preprocessing: Mapped[str] = mapped_column(Text)
    template_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())


class Deployment(Base):
    """A list searched on some cameras, for a time and a purpose. Outside it nothing is searched."""

    __tablename__ = "deployments"

    deployment_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    watchlist_id: Mapped[str] = mapped_column(ForeignKey("watchlists.watchlist_id"), index=True)
    purpose: Mapped[str] = mapped_column(String(500))
    requested_by: Mapped[str] = mapped_column(String(128))
    requested_by_key: Mapped[str] = mapped_column(String(128))
    authorised_by: Mapped[str] = mapped_column(String(128))
    authorised_by_key: Mapped[str] = mapped_column(String(128))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime())
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())


class DeploymentCamera(Base):
    """A camera of a deployment."""

    __tablename__ = "deployment_cameras"

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.deployment_id"), primary_key=True)
    camera_id: Mapped[str] = mapped_column(String(128), primary_key=True)


class GalleryVersion(Base):
    """What was published to the workers of a deployment, and when."""

    __tablename__ = "gallery_versions"

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.deployment_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    subjects: Mapped[int]
    templates: Mapped[int]
    embedder_id: Mapped[str] = mapped_column(String(128))
    embedder_sha256: Mapped[str] = mapped_column(String(64))
    preprocessing: Mapped[str] = mapped_column(Text)
    false_alerts_per_1000_faces: Mapped[float]
    content_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
