"""What comes after a confirmed match: the outcome of the contact, complaints, re-examinations, retractions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime


class ContactOutcome(Base):
    """What the contact showed. Never changed: a correction is a further row, and the newest counts."""

    __tablename__ = "contact_outcomes"
    __table_args__ = (Index("ix_contact_outcomes_candidate_id_reported_at", "candidate_id", "reported_at"),)

    outcome_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    candidate_id: Mapped[str] = mapped_column(ForeignKey("candidates.candidate_id"))
    outcome: Mapped[str] = mapped_column(String(16))
    reported_by: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime())
    note: Mapped[str | None] = mapped_column(String(500))


class Complaint(Base):
    """A complaint by candidate, or by camera and time, filed by an account for the person who complains.

    `reference`: under what the letter itself is kept elsewhere; nothing here names the person.
    """

    __tablename__ = "complaints"
    __table_args__ = (Index("ix_complaints_state_due_at", "state", "due_at"),)

    complaint_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    candidate_id: Mapped[str | None] = mapped_column(ForeignKey("candidates.candidate_id"))
    camera_id: Mapped[str | None] = mapped_column(String(128))
    from_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    to_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    reference: Mapped[str | None] = mapped_column(String(128))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime())
    due_at: Mapped[datetime] = mapped_column(UtcDateTime())
    state: Mapped[str] = mapped_column(String(16))
    outcome: Mapped[str | None] = mapped_column(String(16))
    answer: Mapped[str | None] = mapped_column(Text)
    answered_by: Mapped[str | None] = mapped_column(ForeignKey("accounts.account_id"))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    filed_by: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))


class ComplaintCandidate(Base):
    """A candidate a complaint is about, and the hold that keeps its evidence until the answer."""

    __tablename__ = "complaint_candidates"

    complaint_id: Mapped[str] = mapped_column(ForeignKey("complaints.complaint_id"), primary_key=True)
    candidate_id: Mapped[str] = mapped_column(
        ForeignKey("candidates.candidate_id"), primary_key=True, index=True
    )
    hold_id: Mapped[str] = mapped_column(ForeignKey("legal_holds.hold_id"))


class Reexamination(Base):
    """The same pictures before two fresh judges. `candidate_id` is the copy in the queue, which confirms nothing."""

    __tablename__ = "reexaminations"

    candidate_id: Mapped[str] = mapped_column(ForeignKey("candidates.candidate_id"), primary_key=True)
    original_id: Mapped[str] = mapped_column(ForeignKey("candidates.candidate_id"), index=True)
    complaint_id: Mapped[str] = mapped_column(ForeignKey("complaints.complaint_id"), index=True)
    ordered_at: Mapped[datetime] = mapped_column(UtcDateTime())


class Retraction(Base):
    """That a confirmed match may not be acted on any more; the event about it goes through the outbox."""

    __tablename__ = "retractions"

    retraction_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    candidate_id: Mapped[str] = mapped_column(ForeignKey("candidates.candidate_id"), unique=True)
    receipt_id: Mapped[str] = mapped_column(ForeignKey("receipts.receipt_id"))
    reason_code: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(500))
    retracted_by: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))
    retracted_at: Mapped[datetime] = mapped_column(UtcDateTime())
