"""What contacts showed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from api.deps import Cursor, IdempotencyKey, Limit, Overseer, ServicesDep, Supervisor
from api.pagination import read_time_cursor, time_cursor
from api.problems import documented
from api.replays import WriteRequest
from api.routing import api_router
from api.schemas_after import (
    AwaitedOutcomeOut,
    AwaitedOutcomePage,
    OutcomeIn,
    OutcomeKept,
    OutcomeList,
    OutcomeOut,
)

router = api_router("/api/v1", tags=["oversight"])

CandidateId = Annotated[str, Path(max_length=64)]


@router.get("/outcomes/awaited", responses=documented(400, 401, 403))
def list_awaited_outcomes(
    principal: Overseer, services: ServicesDep, limit: Limit = 20, cursor: Cursor = None
) -> AwaitedOutcomePage:
    """Confirmed matches of which nobody has said in time what came of them, oldest first."""
    found = services.after.outcomes.awaited(principal, read_time_cursor(cursor), limit + 1)
    page = found[:limit]
    more = len(found) > limit
    return AwaitedOutcomePage(
        items=[
            AwaitedOutcomeOut(
                candidate_id=one.candidate_id,
                receipt_id=one.receipt_id,
                issued_at=one.issued_at,
                overdue_seconds=one.overdue.total_seconds(),
            )
            for one in page
        ],
        next_cursor=time_cursor(page[-1].issued_at, page[-1].candidate_id) if more else None,
    )


@router.get("/candidates/{candidate_id}/outcomes", responses=documented(401, 403, 404))
def list_outcomes(candidate_id: CandidateId, principal: Overseer, services: ServicesDep) -> OutcomeList:
    """Every report about the candidate, oldest first; the last one counts."""
    found = services.after.outcomes.outcomes(principal, candidate_id)
    return OutcomeList(items=[OutcomeOut.model_validate(one) for one in found])


@router.post(
    "/candidates/{candidate_id}/outcomes", status_code=201, responses=documented(400, 401, 403, 404, 409)
)
def report_outcome(
    candidate_id: CandidateId,
    body: OutcomeIn,
    principal: Supervisor,
    services: ServicesDep,
    key: IdempotencyKey,
) -> OutcomeKept:
    """Keeps what the contact showed; a further report corrects the one before and says why."""
    action = f"POST /candidates/{candidate_id}/outcomes"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.after.outcomes.report(principal, candidate_id, body.outcome, body.note, request)
    return OutcomeKept.model_validate(done)
