"""Retractions of confirmed matches."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from api.deps import IdempotencyKey, Overseer, ServicesDep, Supervisor
from api.problems import documented
from api.replays import WriteRequest
from api.routing import api_router
from api.schemas_after import RetractionIn, RetractionOut

router = api_router("/api/v1/candidates/{candidate_id}/retraction", tags=["oversight"])

CandidateId = Annotated[str, Path(max_length=64)]


@router.get("", responses=documented(401, 403, 404))
def get_retraction(candidate_id: CandidateId, principal: Overseer, services: ServicesDep) -> RetractionOut:
    """The retraction of the candidate's confirmed match."""
    return RetractionOut.model_validate(services.after.retractions.retraction(principal, candidate_id))


@router.post("", status_code=201, responses=documented(400, 401, 403, 404, 409))
def retract(
    candidate_id: CandidateId,
    body: RetractionIn,
    principal: Supervisor,
    services: ServicesDep,
    key: IdempotencyKey,
) -> RetractionOut:
    """From now on the confirmed match may not be acted on; whoever reads the stream is told."""
    action = f"POST /candidates/{candidate_id}/retraction"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.after.retractions.retract(principal, candidate_id, body.reason_code, body.reason, request)
    return RetractionOut.model_validate(done)
