"""Legal holds on candidates."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from api.deps import IdempotencyKey, Overseer, ServicesDep, Supervisor
from api.holds import HoldTerms, hold_document
from api.problems import documented
from api.replays import WriteRequest
from api.routing import api_router
from api.schemas_evidence import HoldIn, HoldLiftIn, HoldList, HoldOut

router = api_router("/api/v1/candidates/{candidate_id}/holds", tags=["oversight"])

CandidateId = Annotated[str, Path(max_length=64)]
HoldId = Annotated[str, Path(max_length=64)]


@router.get("", responses=documented(401, 403, 404))
def list_holds(candidate_id: CandidateId, principal: Overseer, services: ServicesDep) -> HoldList:
    """Every hold the candidate ever had."""
    holds = services.holds.holds(principal, candidate_id)
    return HoldList(items=[HoldOut.model_validate(hold_document(hold)) for hold in holds])


@router.post("", status_code=201, responses=documented(400, 401, 403, 404))
def set_hold(
    candidate_id: CandidateId,
    body: HoldIn,
    principal: Supervisor,
    services: ServicesDep,
    key: IdempotencyKey,
) -> HoldOut:
    """From now on nothing of the candidate is deleted, until the hold ends or is lifted."""
    action = f"POST /candidates/{candidate_id}/holds"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.holds.set_hold(principal, candidate_id, HoldTerms(body.reason, body.until), request)
    return HoldOut.model_validate(done)


@router.post("/{hold_id}/lift", responses=documented(400, 401, 403, 404, 409))
def lift_hold(
    candidate_id: CandidateId,
    hold_id: HoldId,
    body: HoldLiftIn,
    principal: Supervisor,
    services: ServicesDep,
    key: IdempotencyKey,
) -> HoldOut:
    """Ends a hold; others on the same candidate stay in force."""
    action = f"POST /candidates/{candidate_id}/holds/{hold_id}/lift"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.holds.lift_hold(principal, candidate_id, hold_id, body.reason, request)
    return HoldOut.model_validate(done)
