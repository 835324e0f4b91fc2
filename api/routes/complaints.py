"""Complaints, their re-examination and their answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query

from api.complaints import ComplaintAnswer
from api.deps import Cursor, IdempotencyKey, Limit, Overseer, ServicesDep, Supervisor
from api.grievances import Grievance
from api.pagination import read_time_cursor, time_cursor
from api.problems import documented
from api.replays import WriteRequest
from api.review.redress import ComplaintState
from api.routing import api_router
from api.schemas_after import ComplaintAnswerIn, ComplaintIn, ComplaintOut, ComplaintPage

router = api_router("/api/v1/complaints", tags=["redress"])

ComplaintId = Annotated[str, Path(max_length=64)]


@router.get("", responses=documented(400, 401, 403))
def list_complaints(
    principal: Overseer,
    services: ServicesDep,
    limit: Limit = 20,
    cursor: Cursor = None,
    state: Annotated[ComplaintState | None, Query()] = None,
) -> ComplaintPage:
    """Complaints, those due first first."""
    found = services.after.complaints.complaints(principal, read_time_cursor(cursor), limit + 1, state)
    page = found[:limit]
    more = len(found) > limit
    return ComplaintPage(
        items=[ComplaintOut.model_validate(one) for one in page],
        next_cursor=_cursor_of(page[-1]) if more else None,
    )


@router.get("/{complaint_id}", responses=documented(401, 403, 404))
def get_complaint(complaint_id: ComplaintId, principal: Overseer, services: ServicesDep) -> ComplaintOut:
    """One complaint, and what fresh judges found of each candidate it is about."""
    return ComplaintOut.model_validate(services.after.complaints.complaint(principal, complaint_id))


@router.post("", status_code=201, responses=documented(400, 401, 403, 404, 409))
def file_complaint(
    body: ComplaintIn, principal: Supervisor, services: ServicesDep, key: IdempotencyKey
) -> ComplaintOut:
    """Takes a complaint for a person: what it is about is put before two fresh judges."""
    request = WriteRequest.of(principal.account_id, key, "POST /complaints", body.model_dump(mode="json"))
    grievance = Grievance(body.candidate_id, body.camera_id, body.from_at, body.to_at, body.reference)
    return ComplaintOut.model_validate(services.after.complaints.file(principal, grievance, request))


@router.post("/{complaint_id}/answer", responses=documented(400, 401, 403, 404, 409))
def answer_complaint(
    complaint_id: ComplaintId,
    body: ComplaintAnswerIn,
    principal: Supervisor,
    services: ServicesDep,
    key: IdempotencyKey,
) -> ComplaintOut:
    """Answers a complaint once fresh judges have looked; what they did not both confirm is retracted."""
    action = f"POST /complaints/{complaint_id}/answer"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    given = ComplaintAnswer(body.outcome, body.answer, frozenset(body.retract))
    return ComplaintOut.model_validate(
        services.after.complaints.answer(principal, complaint_id, given, request)
    )


def _cursor_of(complaint: dict[str, Any]) -> str:
    return time_cursor(datetime.fromisoformat(complaint["due_at"]), complaint["complaint_id"])
