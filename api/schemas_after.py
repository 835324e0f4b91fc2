"""The shapes on the wire of what follows an answer: undo, retractions, outcomes, complaints."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from api.review.redress import ComplaintOutcome, ComplaintState, ContactResult, Finding, RetractionCode
from api.schemas import Wire


class UndoIn(Wire):
    """Why she takes her answer back."""

    reason: str | None = Field(default=None, max_length=500)


class UndoOut(Wire):
    """What became of it."""

    review_id: str
    result: Literal["undone", "retracted"] = Field(
        description="retracted: there was a receipt by now, and it may not be acted on any more"
    )
    at: datetime


class RetractionIn(Wire):
    """Why a confirmed match may not be acted on any more; `reason_code` travels, `reason` stays here."""

    reason_code: RetractionCode
    reason: str = Field(min_length=1, max_length=500)


class RetractionOut(Wire):
    """A retraction; `retraction_id` is the `jti` of the event about it."""

    retraction_id: str
    candidate_id: str
    receipt_id: str
    reason_code: RetractionCode
    reason: str
    retracted_by: str
    retracted_at: datetime


class OutcomeIn(Wire):
    """What the contact showed; a correction needs a `note`."""

    outcome: ContactResult
    note: str | None = Field(default=None, min_length=1, max_length=500)


class OutcomeOut(Wire):
    """One report of what the contact showed."""

    outcome_id: str
    candidate_id: str
    outcome: ContactResult
    reported_by: str
    reported_at: datetime
    note: str | None


class OutcomeKept(OutcomeOut):
    """The report as it was kept, and what may follow from it; nothing follows by itself."""

    offers: list[Literal["retraction", "complaint"]]


class OutcomeList(Wire):
    """Every report about a candidate, oldest first; the last one counts."""

    items: list[OutcomeOut]


class AwaitedOutcomeOut(Wire):
    """A confirmed match of which nobody has said what came of it."""

    candidate_id: str
    receipt_id: str
    issued_at: datetime
    overdue_seconds: float


class AwaitedOutcomePage(Wire):
    """Outcomes that are owed, oldest first."""

    items: list[AwaitedOutcomeOut]
    next_cursor: str | None


class ComplaintIn(Wire):
    """A complaint about a candidate, or about a camera and a time; nothing here names the person."""

    candidate_id: str | None = Field(default=None, min_length=1, max_length=64)
    camera_id: str | None = Field(default=None, min_length=1, max_length=128)
    from_at: AwareDatetime | None = Field(default=None, alias="from")
    to_at: AwareDatetime | None = Field(default=None, alias="to")
    reference: str | None = Field(
        default=None, min_length=1, max_length=128, description="under what the letter is kept; no name"
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        place = (self.camera_id, self.from_at, self.to_at)
        by_place = all(part is not None for part in place)
        by_candidate = self.candidate_id is not None and all(part is None for part in place)
        if by_candidate == (self.candidate_id is None and by_place):
            raise ValueError("give `candidate_id`, or `camera_id`, `from` and `to`")
        return self


class ComplaintCandidateOut(Wire):
    """A candidate a complaint is about."""

    candidate_id: str
    finding: Finding = Field(description="of two fresh judges; impossible: pictures or entry are gone")
    in_force: bool = Field(description="confirmed, and not retracted")


class ComplaintOut(Wire):
    """A complaint."""

    complaint_id: str
    candidate_id: str | None
    camera_id: str | None
    from_at: datetime | None = Field(serialization_alias="from")
    to_at: datetime | None = Field(serialization_alias="to")
    reference: str | None
    received_at: datetime
    due_at: datetime
    state: ComplaintState
    outcome: ComplaintOutcome | None
    answer: str | None
    answered_by: str | None
    answered_at: datetime | None
    filed_by: str
    candidates: list[ComplaintCandidateOut]


class ComplaintPage(Wire):
    """Complaints, those due first first."""

    items: list[ComplaintOut]
    next_cursor: str | None


class ComplaintAnswerIn(Wire):
    """How a complaint is answered; what fresh judges did not both call the same person is retracted anyway."""

    outcome: ComplaintOutcome
    answer: str = Field(min_length=1, max_length=4000)
    retract: list[str] = Field(default=[], max_length=50, description="ids of candidates it is about")
