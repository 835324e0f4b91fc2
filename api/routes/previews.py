"""Redacted previews of cameras."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response

from api.deps import Active, ServicesDep
from api.problems import documented
from api.routing import api_router

router = api_router("/api/v1/cameras", tags=["cameras"])

CameraId = Annotated[str, Path(max_length=128, pattern=r"^[\w.:@-]+$")]


@router.get(
    "/{camera_id}/preview",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "A JPEG, wholly in coarse blocks"},
        204: {"description": "None yet: ask again in a second"},
        **documented(401, 403, 404),
    },
)
def get_preview(camera_id: CameraId, principal: Active, services: ServicesDep) -> Response:
    """What the camera sees now, in coarse blocks; asked once a second it is renewed as often."""
    jpeg = services.previews.preview(principal, camera_id)
    if jpeg is None:
        return Response(status_code=204, headers={"Retry-After": "1"})
    return Response(jpeg, media_type="image/jpeg", headers={"Content-Disposition": "inline"})
