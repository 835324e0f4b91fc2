"""What a complaint is about, and the hold that keeps the evidence of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.errors import NotFoundError, UnprocessableError
from api.store.after import ComplaintRepository
from api.store.candidates import CandidateRepository
from api.store.models import Complaint, LegalHold

MAX_CANDIDATES: Final = 50
"""A time and place at which more was confirmed says too little about whom it is about."""

MAX_WINDOW: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Grievance:
    """What a complaint is about: a candidate, or a camera and a time.

    Attributes:
        candidate_id: where it is known.
        camera_id: else where.
        from_at: from when on; aware.
        to_at: until when, not included; aware.
        reference: under what the letter itself is kept elsewhere; no name.
    """

    candidate_id: str | None = None
    camera_id: str | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    reference: str | None = None


def candidates_of(session: Session, grievance: Grievance) -> list[str]:
    """The candidates a complaint is about: the one it names, or all that were confirmed there and then.

    Raises:
        NotFoundError: there is no such candidate.
        UnprocessableError: a time that is none, or a time and place with too many candidates.
    """
    if grievance.candidate_id is not None:
        row = CandidateRepository(session).row(grievance.candidate_id, lock=True)
        if row is None or row.event is None:  # controls and re-examinations are about nobody
            raise NotFoundError
        return [row.candidate_id]
    camera_id, began, ended = grievance.camera_id, grievance.from_at, grievance.to_at
    if camera_id is None or began is None or ended is None or not began < ended <= began + MAX_WINDOW:
        raise UnprocessableError(
            "bad_time", f"name a candidate, or a camera and a time of at most {MAX_WINDOW.days} days"
        )
    found = ComplaintRepository(session).confirmed_at(camera_id, began, ended, MAX_CANDIDATES + 1)
    if len(found) > MAX_CANDIDATES:
        raise UnprocessableError("too_wide", "too much was confirmed there and then: narrow the time")
    return list(found)


def hold_for(candidate_id: str, complaint: Complaint, now: datetime) -> LegalHold:
    """The order that nothing of a candidate is deleted until the complaint is answered."""
    return LegalHold(
        hold_id=f"hold_{secrets.token_hex(12)}",
        candidate_id=candidate_id,
        reason=f"complaint {complaint.complaint_id}",
        set_by=complaint.filed_by,
        set_at=now,
    )
