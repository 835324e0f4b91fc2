"""Rights of accounts by list and camera group."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from api.deps import AccountReader, Administrator, IdempotencyKey, ServicesDep
from api.problems import documented
from api.replays import WriteRequest
from api.rights import RightTerms
from api.routing import api_router
from api.schemas_people import (
    CameraGroupIn,
    CameraGroupList,
    CameraGroupOut,
    RightOut,
    RightsIn,
    RightsOut,
)

router = api_router("/api/v1", tags=["accounts"])

AccountId = Annotated[str, Path(max_length=64)]
GroupId = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")]


@router.get("/accounts/{account_id}/rights", responses=documented(401, 403, 404))
def get_rights(account_id: AccountId, principal: AccountReader, services: ServicesDep) -> RightsOut:
    """The rights of an account."""
    return RightsOut(
        items=[
            RightOut(watchlist_id=one.watchlist_id, camera_group_id=one.camera_group_id)
            for one in services.rights.rights(principal, account_id)
        ]
    )


@router.put("/accounts/{account_id}/rights", responses=documented(400, 401, 403, 404))
def give_rights(
    account_id: AccountId,
    body: RightsIn,
    principal: Administrator,
    services: ServicesDep,
    key: IdempotencyKey,
) -> RightsOut:
    """Gives an account these rights in place of all it has; none: it may see nothing."""
    action = f"PUT /accounts/{account_id}/rights"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    terms = [RightTerms(one.watchlist_id, one.camera_group_id) for one in body.items]
    return RightsOut.model_validate(services.rights.give(principal, account_id, terms, request))


@router.get("/camera-groups", responses=documented(401, 403))
def list_camera_groups(principal: AccountReader, services: ServicesDep) -> CameraGroupList:
    """Every camera group."""
    return CameraGroupList(
        items=[
            CameraGroupOut(
                camera_group_id=one.camera_group_id,
                camera_ids=list(one.camera_ids),
                changed_at=one.changed_at,
            )
            for one in services.rights.groups(principal)
        ]
    )


@router.put("/camera-groups/{camera_group_id}", responses=documented(400, 401, 403))
def keep_camera_group(
    camera_group_id: GroupId,
    body: CameraGroupIn,
    principal: Administrator,
    services: ServicesDep,
    key: IdempotencyKey,
) -> CameraGroupOut:
    """Makes a group, or gives it these cameras in place of those it has."""
    action = f"PUT /camera-groups/{camera_group_id}"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.rights.keep_group(principal, camera_group_id, body.camera_ids, request)
    return CameraGroupOut.model_validate(done)


@router.delete("/camera-groups/{camera_group_id}", status_code=204, responses=documented(401, 403, 404, 409))
def remove_camera_group(camera_group_id: GroupId, principal: Administrator, services: ServicesDep) -> None:
    """Forgets a group nobody has rights by."""
    services.rights.remove_group(principal, camera_group_id)
