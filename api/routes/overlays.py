"""Masks drawn on cameras' pictures, in versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Response

from api.deps import Active, Administrator, Cursor, IdempotencyKey, Limit, ServicesDep
from api.errors import UnprocessableError
from api.pagination import (
    pair_cursor,
    read_pair_cursor,
    read_sequence_cursor,
    sequence_cursor,
)
from api.problems import documented
from api.replays import WriteRequest
from api.review.errors import RecordError
from api.review.overlays import Drawing, OverlayKind, polygons_of
from api.routing import api_router
from api.schemas_overlays import (
    OverlayImportIn,
    OverlayImportOut,
    OverlayIn,
    OverlayMade,
    OverlayOut,
    OverlayPage,
)

YAML = "text/yaml"

router = api_router("/api/v1/overlays", tags=["overlays"])

CameraId = Annotated[str, Path(max_length=128, pattern=r"^[\w.:@-]+$")]
CameraQuery = Annotated[str | None, Query(max_length=128, pattern=r"^[\w.:@-]+$")]


@router.get("", responses=documented(400, 401, 403))
def list_overlays(
    principal: Active,
    services: ServicesDep,
    camera_id: CameraQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> OverlayPage:
    """The newest version of every kind on every camera within her rights, removals among them."""
    versions = services.overlays.current(principal.scope, camera_id, read_pair_cursor(cursor), limit + 1)
    page = versions[:limit]
    more = len(versions) > limit
    return OverlayPage(
        items=[OverlayOut.of(one) for one in page],
        next_cursor=pair_cursor(page[-1].camera_id, page[-1].kind.value) if more else None,
    )


@router.get(
    "/export",
    response_class=Response,
    responses={200: {"content": {YAML: {}}, "description": "masks by camera"}, **documented(401, 403)},
)
def export_overlays(principal: Active, services: ServicesDep, camera_id: CameraQuery = None) -> Response:
    """What is drawn now, as YAML that can be imported."""
    return Response(
        services.overlays.export(principal.account_id, principal.scope, camera_id), media_type=YAML
    )


@router.post("/import", responses=documented(400, 401, 403, 404))
def import_overlays(
    body: OverlayImportIn, principal: Administrator, services: ServicesDep, key: IdempotencyKey
) -> OverlayImportOut:
    """Draws what an export holds, where it differs from what is drawn; all or nothing."""
    request = WriteRequest.of(
        principal.account_id, key, "POST /overlays/import", body.model_dump(mode="json")
    )
    done = services.overlays.import_yaml(principal, body.yaml, body.reason, request)
    return OverlayImportOut.model_validate(done)


@router.get("/{camera_id}/{kind}", responses=documented(400, 401, 403))
def list_overlay_versions(
    camera_id: CameraId,
    kind: OverlayKind,
    principal: Active,
    services: ServicesDep,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> OverlayPage:
    """Every version of one kind on one camera, newest first."""
    before = read_sequence_cursor(cursor) or None
    versions = services.overlays.history(principal.scope, camera_id, kind, before, limit + 1)
    page = versions[:limit]
    more = len(versions) > limit
    return OverlayPage(
        items=[OverlayOut.of(one) for one in page],
        next_cursor=sequence_cursor(page[-1].version) if more else None,
    )


@router.get("/{camera_id}/{kind}/{version}", responses=documented(401, 403, 404))
def get_overlay(
    camera_id: CameraId,
    kind: OverlayKind,
    version: Annotated[int, Path(ge=1, le=2**31 - 1)],
    principal: Active,
    services: ServicesDep,
) -> OverlayOut:
    """One version."""
    return OverlayOut.of(services.overlays.version(principal.scope, camera_id, kind, version))


@router.put("/{camera_id}/{kind}", status_code=201, responses=documented(400, 401, 403, 404, 409))
def draw_overlay(
    camera_id: CameraId,
    kind: OverlayKind,
    body: OverlayIn,
    principal: Administrator,
    services: ServicesDep,
    key: IdempotencyKey,
) -> OverlayMade:
    """Makes the next version; one without polygons removes what was drawn."""
    action = f"PUT /overlays/{camera_id}/{kind.value}"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    try:
        drawing = Drawing(camera_id, kind, polygons_of(body.polygons), body.reason)
    except RecordError as error:
        raise UnprocessableError("bad_polygon", str(error)) from error
    return OverlayMade.model_validate(
        services.overlays.draw(principal, drawing, body.based_on_version, request)
    )
