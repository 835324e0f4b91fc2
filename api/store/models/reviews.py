"""Candidates, what judges are shown of them, and what judges and supervisors said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from api.review.controls import ControlSource
from api.store.models.base import Base, UtcDateTime

WAITING = "state IN ('one_answer', 'open')"
"""Of candidates an answer is awaited for; word for word what indexes and queries say, or the index is not used."""


class CandidateRecord(Base):
    """A candidate, or in the same clothes, without `event`, a control (`control_id` set) or a re-examination.

    `queued_at` and `review_id` repeat what its review says, so that one index knows state and place in the queue.
    """

    __tablename__ = "candidates"
    __table_args__ = (
        Index("ix_candidates_state_expires_at", "state", "expires_at"),
        Index("ix_candidates_created_at_candidate_id", "created_at", "candidate_id"),
        # The queue, without all that was judged long ago.
        Index(
            "ix_candidates_waiting",
            "queued_at",
            "review_id",
            sqlite_where=text(WAITING),
            postgresql_where=text(WAITING),
        ),
        Index(
            "ix_candidates_control_id",
            "control_id",
            sqlite_where=text("control_id IS NOT NULL"),
            postgresql_where=text("control_id IS NOT NULL"),
        ),
        Index("ix_candidates_camera_id_created_at", "camera_id", "created_at"),
    )

    candidate_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    revision: Mapped[int]
    event: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    control_id: Mapped[str | None] = mapped_column(ForeignKey("control_items.control_id"))
    truth: Mapped[str | None] = mapped_column(String(16))
    camera_id: Mapped[str] = mapped_column(String(128))
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.deployment_id"))
    watchlist_id: Mapped[str] = mapped_column(ForeignKey("watchlists.watchlist_id"))
    subject_id: Mapped[str] = mapped_column(ForeignKey("subjects.subject_id"), index=True)
    observed_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    similarity: Mapped[float]
    threshold: Mapped[float]
    state: Mapped[str] = mapped_column(String(16))
    round: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    hold_until: Mapped[datetime | None] = mapped_column(UtcDateTime())
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    queued_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    review_id: Mapped[str | None] = mapped_column(String(64))

    @property
    def is_reexamination(self) -> bool:
        """Whether it asks again about another candidate."""
        return self.event is None and self.control_id is None


class Review(Base):
    """What is shown to every judge of a candidate, word for word the same."""

    __tablename__ = "reviews"
    __table_args__ = (Index("ix_reviews_queued_at_review_id", "queued_at", "review_id"),)

    review_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    candidate_id: Mapped[str] = mapped_column(ForeignKey("candidates.candidate_id"), unique=True)
    camera_id: Mapped[str] = mapped_column(String(128))
    observed_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    pts_seconds: Mapped[float]
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime())
    face_xyxy: Mapped[list[float]] = mapped_column(JSON)
    face_size_px: Mapped[float]
    frame_accounting: Mapped[dict[str, Any]] = mapped_column(JSON)


class PresentedEvidence(Base):
    """One picture of one review, under an address that exists for this review alone."""

    __tablename__ = "presented_evidence"

    evidence_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.review_id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    position: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    sealed: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    reference_id: Mapped[str | None] = mapped_column(ForeignKey("subject_references.reference_id"))
    shown_from: Mapped[datetime | None] = mapped_column(UtcDateTime())


class ReviewListing(Base):
    """That a review was listed to an account for the first time; its repetition is not news."""

    __tablename__ = "review_listings"
    __table_args__ = (Index("ix_review_listings_listed_at", "listed_at"),)

    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.review_id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), primary_key=True)
    listed_at: Mapped[datetime] = mapped_column(UtcDateTime())


class JudgementRecord(Base):
    """An answer. One per candidate and account, passkey, browser or session, in whatever round; never changed."""

    __tablename__ = "judgements"
    __table_args__ = (
        UniqueConstraint("candidate_id", "account_id"),
        UniqueConstraint("candidate_id", "session_id"),
        Index("uq_judgements_candidate_id_authenticator", "candidate_id", "authenticator", unique=True),
        Index("uq_judgements_candidate_id_device_id", "candidate_id", "device_id", unique=True),
        Index("uq_judgements_statement_sha256", "statement_sha256", unique=True),
    )

    judgement_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    candidate_id: Mapped[str] = mapped_column(ForeignKey("candidates.candidate_id"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), index=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("login_sessions.session_id"), index=True)
    round: Mapped[int]
    answer: Mapped[str] = mapped_column(String(16))
    reason_code: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[str | None] = mapped_column(String(500))
    answered_at: Mapped[datetime] = mapped_column(UtcDateTime())
    # Empty in judgements from before they were proved; a trigger takes no new one without.
    authenticator: Mapped[str | None] = mapped_column(String(64))
    device_id: Mapped[str | None] = mapped_column(String(64))
    statement: Mapped[str | None] = mapped_column(Text())
    statement_sha256: Mapped[str | None] = mapped_column(String(64))
    assertion: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class Disclosure(Base):
    """That name, list or score of a candidate were shown to an account: it can no longer judge it."""

    __tablename__ = "disclosures"

    candidate_id: Mapped[str] = mapped_column(ForeignKey("candidates.candidate_id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), primary_key=True)
    how: Mapped[str] = mapped_column(String(32))
    disclosed_at: Mapped[datetime] = mapped_column(UtcDateTime())


class ResolutionRecord(Base):
    """What a supervisor did about a disagreement."""

    __tablename__ = "resolutions"

    candidate_id: Mapped[str] = mapped_column(ForeignKey("candidates.candidate_id"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))
    action: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(500))
    resolved_at: Mapped[datetime] = mapped_column(UtcDateTime())


class ControlItem(Base):
    """A pair of probe and reference of which the truth is known, to be mixed in as a control."""

    __tablename__ = "control_items"
    __table_args__ = (
        Index("ix_control_items_origin_candidate_id", "origin_candidate_id", unique=True),
        Index("ix_control_items_camera_id", "camera_id"),
    )

    control_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.deployment_id"))
    camera_id: Mapped[str] = mapped_column(String(128))
    subject_id: Mapped[str] = mapped_column(ForeignKey("subjects.subject_id"))
    truth: Mapped[str] = mapped_column(String(16))
    pts_seconds: Mapped[float]
    face_xyxy: Mapped[list[float]] = mapped_column(JSON)
    face_size_px: Mapped[float]
    similarity: Mapped[float]
    threshold: Mapped[float]
    frame: Mapped[dict[str, Any]] = mapped_column(JSON)
    probe: Mapped[dict[str, Any]] = mapped_column(JSON)
    frame_accounting: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    times_used: Mapped[int]
    clip: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    source: Mapped[str] = mapped_column(String(16), default=ControlSource.LIBRARY.value)
    origin_candidate_id: Mapped[str | None] = mapped_column(String(64))
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    usable_until: Mapped[datetime | None] = mapped_column(UtcDateTime())
