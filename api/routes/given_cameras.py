"""Cameras the service gives to workers, in versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from api.accounts import Principal
from api.deps import Active, Administrator, Cursor, IdempotencyKey, Limit, ServicesDep
from api.errors import ForbiddenError
from api.pagination import pair_cursor, read_pair_cursor, read_sequence_cursor, sequence_cursor
from api.problems import documented
from api.replays import WriteRequest
from api.review.cameras import MAX_REASON, CameraOrder
from api.review.cases import Role
from api.routing import api_router
from api.schemas_cameras import (
    CAMERA_ID_PATTERN,
    CameraChangeIn,
    CameraIn,
    CameraMade,
    CameraVersionOut,
    CameraVersionPage,
)

router = api_router("/api/v1/cameras", tags=["cameras"])

CameraId = Annotated[str, Path(max_length=128, pattern=CAMERA_ID_PATTERN)]


@router.get("/settings", responses=documented(400, 401, 403))
def list_camera_settings(
    principal: Active, services: ServicesDep, limit: Limit = 50, cursor: Cursor = None
) -> CameraVersionPage:
    """The newest version of every camera the service gives to a worker, removals among them; not for operators."""
    _check_may_read(principal)
    after = read_pair_cursor(cursor)
    versions = services.given_cameras.current(after[0] if after else None, limit + 1)
    page = versions[:limit]
    return CameraVersionPage(
        items=[CameraVersionOut.of(one) for one in page],
        next_cursor=pair_cursor(page[-1].camera_id, "settings") if len(versions) > limit else None,
    )


@router.post("", status_code=201, responses=documented(400, 401, 403, 409))
def add_camera(
    body: CameraIn, principal: Administrator, services: ServicesDep, key: IdempotencyKey
) -> CameraMade:
    """Gives a camera to a worker, which watches it within seconds wherever a deployment says so."""
    request = WriteRequest.of(principal.account_id, key, "POST /cameras", body.model_dump(mode="json"))
    order = CameraOrder(body.camera_id, body.worker_id, body.settings, body.reason)
    return CameraMade.model_validate(services.given_cameras.give(principal, order, None, request))


@router.get("/{camera_id}/settings", responses=documented(400, 401, 403, 404))
def list_camera_versions(
    camera_id: CameraId, principal: Active, services: ServicesDep, limit: Limit = 20, cursor: Cursor = None
) -> CameraVersionPage:
    """Every version of one camera, newest first; not for operators."""
    _check_may_read(principal)
    before = read_sequence_cursor(cursor) or None
    versions = services.given_cameras.history(camera_id, before, limit + 1)
    page = versions[:limit]
    return CameraVersionPage(
        items=[CameraVersionOut.of(one) for one in page],
        next_cursor=sequence_cursor(page[-1].version) if len(versions) > limit else None,
    )


@router.put("/{camera_id}", responses=documented(400, 401, 403, 404, 409))
def change_camera(
    camera_id: CameraId,
    body: CameraChangeIn,
    principal: Administrator,
    services: ServicesDep,
    key: IdempotencyKey,
) -> CameraMade:
    """Makes the next version of a camera: other settings, or another worker."""
    request = WriteRequest.of(
        principal.account_id, key, f"PUT /cameras/{camera_id}", body.model_dump(mode="json")
    )
    order = CameraOrder(camera_id, body.worker_id, body.settings, body.reason)
    return CameraMade.model_validate(
        services.given_cameras.give(principal, order, body.based_on_version, request)
    )


@router.delete("/{camera_id}", responses=documented(400, 401, 403, 404, 409))
def remove_camera(
    camera_id: CameraId,
    principal: Administrator,
    services: ServicesDep,
    key: IdempotencyKey,
    based_on_version: Annotated[
        int, Query(ge=1, le=2**31 - 1, description="the newest version the person saw")
    ],
    reason: Annotated[str, Query(min_length=1, max_length=MAX_REASON)],
) -> CameraMade:
    """Makes a version that removes the camera: its worker watches it no more."""
    asked = {"based_on_version": based_on_version, "reason": reason}
    request = WriteRequest.of(principal.account_id, key, f"DELETE /cameras/{camera_id}", asked)
    return CameraMade.model_validate(
        services.given_cameras.remove(principal, camera_id, reason, based_on_version, request)
    )


def _check_may_read(principal: Principal) -> None:
    """Where cameras are and how they are reached is nobody's business who judges.

    Raises:
        ForbiddenError: an operator.
    """
    if principal.role is Role.OPERATOR:
        raise ForbiddenError(
            "role", "an account with the role operator does not read how cameras are reached"
        )
