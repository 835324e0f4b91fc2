"""The operator's queue and her answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from api.convert import reveal_out, review_out
from api.convert_passkeys import assertion_of, proof_options_out
from api.deps import Cursor, IdempotencyKey, Limit, Operator, ServicesDep
from api.desk import AnswerGiven
from api.devices import DeviceId
from api.pagination import read_review_cursor, review_cursor
from api.problems import documented
from api.proofs import JudgementProof
from api.replays import WriteRequest
from api.routing import api_router
from api.schemas import AnswerIn, JudgementOut, RevealOut, ReviewOut, ReviewPage
from api.schemas_after import UndoIn, UndoOut
from api.schemas_passkeys import JudgementIn, ProofOptionsOut

router = api_router("/api/v1/reviews", tags=["reviews"])

ReviewId = Annotated[str, Path(max_length=64)]


@router.get("", responses=documented(400, 401, 403))
def list_reviews(
    principal: Operator, services: ServicesDep, limit: Limit = 20, cursor: Cursor = None
) -> ReviewPage:
    """Reviews this operator may answer now, oldest first."""
    shown = services.desk.queue(principal, read_review_cursor(cursor), limit + 1)
    page = shown[:limit]
    more = len(shown) > limit
    return ReviewPage(
        items=[review_out(item) for item in page],
        next_cursor=review_cursor(page[-1].review_id) if more else None,
    )


@router.get("/{review_id}", responses=documented(401, 403, 404))
def get_review(review_id: ReviewId, principal: Operator, services: ServicesDep) -> ReviewOut:
    """One review that is open to this operator, or that she has answered."""
    return review_out(services.desk.review(principal, review_id))


@router.post("/{review_id}/judgements/options", responses=documented(401, 403, 404, 409))
def judgement_options(
    review_id: ReviewId, body: AnswerIn, principal: Operator, services: ServicesDep
) -> ProofOptionsOut:
    """What this operator has to put her passkey to, before just this answer of hers is taken."""
    given = AnswerGiven(body.answer, body.reason, body.reason_code)
    return proof_options_out(services.desk.ask_proof(principal, review_id, given))


@router.post("/{review_id}/judgements", status_code=201, responses=documented(400, 401, 403, 404, 409))
def judge(
    review_id: ReviewId,
    body: JudgementIn,
    principal: Operator,
    services: ServicesDep,
    key: IdempotencyKey,
    device: DeviceId,
) -> JudgementOut:
    """Takes this operator's one answer. The same key again gives the same result and no second answer."""
    action = f"POST /reviews/{review_id}/judgements"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    given = AnswerGiven(body.answer, body.reason, body.reason_code)
    proof = JudgementProof(None if body.assertion is None else assertion_of(body.assertion), device)
    return JudgementOut.model_validate(services.desk.judge(principal, review_id, given, proof, request))


@router.post("/{review_id}/undo", responses=documented(400, 401, 403, 404, 409))
def undo(
    review_id: ReviewId, body: UndoIn, principal: Operator, services: ServicesDep, key: IdempotencyKey
) -> UndoOut:
    """Takes this operator's answer back; where a receipt rests on it by now, that is retracted."""
    action = f"POST /reviews/{review_id}/undo"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    return UndoOut.model_validate(services.after.undo.take_back(principal, review_id, body.reason, request))


@router.get("/{review_id}/reveal", responses=documented(401, 403, 404))
def reveal(review_id: ReviewId, principal: Operator, services: ServicesDep) -> RevealOut:
    """Name, list and score, to an operator who has answered."""
    return reveal_out(services.desk.reveal(principal, review_id))
