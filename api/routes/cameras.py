"""Cameras: what each is doing, when it gave nothing to look at, what became of its frames."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import Path, Query

from api.camera_schemas import CameraDaysOut, CameraList, GapsOut, camera_out, day_out, gaps_out
from api.deps import Active, ServicesDep
from api.problems import documented
from api.routing import api_router

router = api_router("/api/v1", tags=["cameras"])

CameraId = Annotated[str, Path(max_length=128, pattern=r"^[\w.:@-]+$")]


@router.get("/cameras", responses=documented(401, 403))
def list_cameras(principal: Active, services: ServicesDep) -> CameraList:
    """Every camera the account has rights to, with what its worker last said of it."""
    return CameraList(items=[camera_out(view) for view in services.cameras.all(principal.scope)])


@router.get("/cameras/{camera_id}/gaps", responses=documented(400, 401, 403, 404))
def list_camera_gaps(
    camera_id: CameraId,
    principal: Active,
    services: ServicesDep,
    since: Annotated[
        datetime | None, Query(alias="from", description="with its offset; a day before `to` by default")
    ] = None,
    until: Annotated[
        datetime | None, Query(alias="to", description="with its offset; now by default")
    ] = None,
) -> GapsOut:
    """When the camera gave nothing to look at: what was not seen there."""
    services.cameras.check_known(camera_id, principal.scope)
    return gaps_out(camera_id, services.cameras.gaps(camera_id, since, until))


@router.get("/cameras/{camera_id}/frames", responses=documented(400, 401, 403, 404))
def list_camera_frames(
    camera_id: CameraId,
    principal: Active,
    services: ServicesDep,
    since: Annotated[date | None, Query(alias="from", description="six days before `to` by default")] = None,
    until: Annotated[date | None, Query(alias="to", description="today (UTC) by default")] = None,
) -> CameraDaysOut:
    """What became of the camera's frames, day by day."""
    services.cameras.check_known(camera_id, principal.scope)
    rows = services.cameras.days(camera_id, since, until)
    return CameraDaysOut(camera_id=camera_id, days=[day_out(row) for row in rows])
