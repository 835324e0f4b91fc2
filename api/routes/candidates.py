"""Candidates as supervisors and auditors see them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from api.convert import candidate_out
from api.deps import Cursor, IdempotencyKey, Limit, Overseer, ServicesDep, Supervisor
from api.pagination import read_time_cursor, time_cursor
from api.problems import documented
from api.replays import WriteRequest
from api.review.cases import State
from api.routing import api_router
from api.schemas import CandidateOut, CandidatePage, ResolutionIn, ResolutionOut

router = api_router("/api/v1/candidates", tags=["oversight"])

CandidateId = Annotated[str, Path(max_length=64)]


@router.get("", responses=documented(400, 401, 403))
def list_candidates(
    principal: Overseer,
    services: ServicesDep,
    limit: Limit = 20,
    cursor: Cursor = None,
    state: Annotated[State | None, Query()] = None,
) -> CandidatePage:
    """Candidates with scores and names, newest first. Whoever reads one can no longer judge it."""
    views = services.oversight.candidates(principal, read_time_cursor(cursor), limit + 1, state)
    page = views[:limit]
    more = len(views) > limit
    return CandidatePage(
        items=[candidate_out(view) for view in page],
        next_cursor=time_cursor(page[-1].created_at, page[-1].candidate_id) if more else None,
    )


@router.get("/{candidate_id}", responses=documented(401, 403, 404))
def get_candidate(candidate_id: CandidateId, principal: Overseer, services: ServicesDep) -> CandidateOut:
    """One candidate with score and name."""
    return candidate_out(services.oversight.candidate(principal, candidate_id))


@router.post("/{candidate_id}/resolution", responses=documented(400, 401, 403, 404, 409))
def resolve(
    candidate_id: CandidateId,
    body: ResolutionIn,
    principal: Supervisor,
    services: ServicesDep,
    key: IdempotencyKey,
) -> ResolutionOut:
    """Ends a disagreement as rejected or inconclusive, or has two fresh judges look; never confirms."""
    action = f"POST /candidates/{candidate_id}/resolution"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.oversight.resolve(principal, candidate_id, body.action, body.reason, request)
    return ResolutionOut.model_validate(done)
