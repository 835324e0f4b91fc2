"""Requests, and decisions on them; imports of many."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Response

from api.deps import Cursor, IdempotencyKey, Limit, ServicesDep
from api.pagination import read_time_cursor, time_cursor
from api.problems import documented
from api.replays import WriteRequest
from api.review.requests import RequestKind, RequestState
from api.routes.list_access import Authoriser, ListReader, Requester
from api.routes.watchlists import JPEG, ReferenceId
from api.routing import api_router
from api.schemas_lists import ReasonIn
from api.schemas_requests import (
    ApprovalIn,
    ImportDecided,
    ImportOut,
    RequestDetail,
    RequestLine,
    RequestOut,
    RequestPage,
)
from api.store.requests import RequestFilter

router = api_router("/api/v1", tags=["lists"])

RequestId = Annotated[str, Path(max_length=64)]
ImportId = Annotated[str, Path(max_length=64)]
Id = Annotated[str | None, Query(max_length=128)]


async def request_filter(
    state: RequestState | None = None,
    kind: RequestKind | None = None,
    watchlist_id: Id = None,
    import_id: Id = None,
) -> RequestFilter:
    """Which requests are wanted."""
    return RequestFilter(state, kind, watchlist_id, import_id)


@router.get("/requests", responses=documented(400, 401, 403))
def list_requests(
    principal: ListReader,
    services: ServicesDep,
    wanted: Annotated[RequestFilter, Depends(request_filter)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RequestPage:
    """What was asked for, newest first."""
    rows = services.lists.views.page(principal, wanted, read_time_cursor(cursor), limit + 1)
    page, more = rows[:limit], len(rows) > limit
    return RequestPage(
        items=[RequestLine.of(row) for row in page],
        next_cursor=time_cursor(page[-1].requested_at, page[-1].request_id) if more else None,
    )


@router.get("/requests/{request_id}", responses=documented(401, 403, 404))
def get_request(request_id: RequestId, principal: ListReader, services: ServicesDep) -> RequestDetail:
    """One request, with what the check of its pictures found."""
    return RequestDetail.of_view(services.lists.views.request(principal, request_id))


@router.get(
    "/requests/{request_id}/pictures/{reference_id}",
    response_class=Response,
    responses={**JPEG, **documented(401, 403, 404)},
)
def get_request_picture(
    request_id: RequestId, reference_id: ReferenceId, principal: ListReader, services: ServicesDep
) -> Response:
    """A picture of a request, once it is read."""
    jpeg = services.lists.views.portrait(principal, request_id, reference_id)
    return Response(jpeg, media_type="image/jpeg")


@router.post("/requests/{request_id}/approval", responses=documented(400, 401, 403, 404, 409))
def approve_request(
    request_id: RequestId,
    body: ApprovalIn,
    principal: Authoriser,
    services: ServicesDep,
    key: IdempotencyKey,
) -> RequestOut:
    """What was asked for comes into force."""
    action = f"POST /requests/{request_id}/approval"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.lists.decisions.approve(principal, request_id, body.findings_seen, body.reason, request)
    return RequestOut.model_validate(done)


@router.post("/requests/{request_id}/refusal", responses=documented(400, 401, 403, 404, 409))
def refuse_request(
    request_id: RequestId,
    body: ReasonIn,
    principal: Authoriser,
    services: ServicesDep,
    key: IdempotencyKey,
) -> RequestOut:
    """Nothing comes of it; what was sealed for it is destroyed."""
    action = f"POST /requests/{request_id}/refusal"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    return RequestOut.model_validate(
        services.lists.decisions.refuse(principal, request_id, body.reason, request)
    )


@router.post("/requests/{request_id}/withdrawal", responses=documented(400, 401, 403, 404, 409))
def withdraw_request(
    request_id: RequestId,
    body: ReasonIn,
    principal: Requester,
    services: ServicesDep,
    key: IdempotencyKey,
) -> RequestOut:
    """Takes one's own request back."""
    action = f"POST /requests/{request_id}/withdrawal"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    return RequestOut.model_validate(
        services.lists.requests.withdraw(principal, request_id, body.reason, request)
    )


@router.get("/imports/{import_id}", responses=documented(401, 403, 404))
def get_import(import_id: ImportId, principal: ListReader, services: ServicesDep) -> ImportOut:
    """An import, and how many of its requests wait."""
    return ImportOut.of(services.lists.views.import_run(principal, import_id))


@router.post("/imports/{import_id}/approval", responses=documented(400, 401, 403, 404, 409))
def approve_import(
    import_id: ImportId,
    body: ApprovalIn,
    principal: Authoriser,
    services: ServicesDep,
    key: IdempotencyKey,
) -> ImportDecided:
    """The next requests of an import come into force, all of this part or none."""
    action = f"POST /imports/{import_id}/approval"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    decide = services.lists.decisions.approve_import
    return ImportDecided.model_validate(
        decide(principal, import_id, body.findings_seen, body.reason, request)
    )


@router.post("/imports/{import_id}/refusal", responses=documented(400, 401, 403, 404, 409))
def refuse_import(
    import_id: ImportId,
    body: ReasonIn,
    principal: Authoriser,
    services: ServicesDep,
    key: IdempotencyKey,
) -> ImportDecided:
    """Nothing comes of the next requests of an import."""
    action = f"POST /imports/{import_id}/refusal"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.lists.decisions.refuse_import(principal, import_id, body.reason, request)
    return ImportDecided.model_validate(done)
