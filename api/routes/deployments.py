"""Where lists are searched."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from api.deps import Cursor, IdempotencyKey, Limit, ServicesDep
from api.pagination import pair_cursor, read_pair_cursor
from api.problems import documented
from api.replays import WriteRequest
from api.review.wishes import DeploymentWish
from api.routes.list_access import Ender, ListReader, Requester
from api.routing import api_router
from api.schemas_lists import DeploymentIn, DeploymentOut, DeploymentPage, DeploymentRevoked, ReasonIn
from api.schemas_requests import RequestOut

router = api_router("/api/v1/deployments", tags=["lists"])

DeploymentId = Annotated[str, Path(max_length=128)]


@router.get("", responses=documented(400, 401, 403))
def list_deployments(
    principal: ListReader, services: ServicesDep, limit: Limit = 50, cursor: Cursor = None
) -> DeploymentPage:
    """Every deployment there ever was, and what is searched for it."""
    found = read_pair_cursor(cursor)
    views = services.lists.deployments.deployments(principal, found[1] if found else None, limit + 1)
    items = [DeploymentOut.of(view) for view in views[:limit]]
    more = len(views) > limit
    return DeploymentPage(items=items, next_cursor=pair_cursor("", items[-1].deployment_id) if more else None)


@router.post("", status_code=201, responses=documented(400, 401, 403, 404, 409))
def request_deployment(
    body: DeploymentIn, principal: Requester, services: ServicesDep, key: IdempotencyKey
) -> RequestOut:
    """Asks that a list be searched on cameras; nothing is before somebody else approves it."""
    request = WriteRequest.of(principal.account_id, key, "POST /deployments", body.model_dump(mode="json"))
    said = body.model_dump(exclude={"watchlist_id", "camera_ids"})
    wish = DeploymentWish(camera_ids=tuple(body.camera_ids), **said)
    return RequestOut.model_validate(
        services.lists.requests.file_deployment(principal, body.watchlist_id, wish, request)
    )


@router.get("/{deployment_id}", responses=documented(401, 403, 404))
def get_deployment(
    deployment_id: DeploymentId, principal: ListReader, services: ServicesDep
) -> DeploymentOut:
    """One deployment."""
    return DeploymentOut.of(services.lists.deployments.deployment(principal, deployment_id))


@router.post("/{deployment_id}/revocation", responses=documented(400, 401, 403, 404, 409))
def revoke_deployment(
    deployment_id: DeploymentId,
    body: ReasonIn,
    principal: Ender,
    services: ServicesDep,
    key: IdempotencyKey,
) -> DeploymentRevoked:
    """Ends a deployment now; the workers lose its gallery within a second or two."""
    action = f"POST /deployments/{deployment_id}/revocation"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.lists.deployments.revoke(principal, deployment_id, body.reason, request)
    return DeploymentRevoked.model_validate(done)
