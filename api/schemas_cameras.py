"""The cameras of workers on the wire."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from api.review.cameras import MAX_REASON, CameraVersion
from api.schemas import Wire
from pipelines.given_cameras import GivenCamera

CAMERA_ID_PATTERN = r"^[\w.:@-]+$"
WORKER_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class CameraChangeIn(Wire):
    """The next version of a camera."""

    worker_id: str = Field(max_length=63, pattern=WORKER_ID_PATTERN, description="who is to watch it")
    settings: GivenCamera
    based_on_version: int = Field(ge=1, le=2**31 - 1, description="the newest version the person saw")
    reason: str = Field(min_length=1, max_length=MAX_REASON)


class CameraIn(Wire):
    """A camera that nobody watches yet."""

    camera_id: str = Field(
        min_length=1,
        max_length=128,
        pattern=CAMERA_ID_PATTERN,
        description="one that begins with the worker's id and a colon needs no other ACL file in Redis",
    )
    worker_id: str = Field(max_length=63, pattern=WORKER_ID_PATTERN, description="who is to watch it")
    settings: GivenCamera
    reason: str = Field(min_length=1, max_length=MAX_REASON)


class CameraVersionOut(Wire):
    """One version of a camera the service gives to a worker."""

    camera_id: str
    version: int
    worker_id: str
    active: bool = Field(description="false: this version removes the camera")
    settings: GivenCamera | None
    changed_by: str
    changed_at: datetime
    reason: str

    @classmethod
    def of(cls, version: CameraVersion) -> CameraVersionOut:
        """A version as it is sent."""
        return cls(
            camera_id=version.camera_id,
            version=version.version,
            worker_id=version.worker_id,
            active=version.active,
            settings=version.settings,
            changed_by=version.changed_by,
            changed_at=version.changed_at,
            reason=version.reason,
        )


class CameraVersionPage(Wire):
    """Versions, and where the next page begins."""

    items: list[CameraVersionOut]
    next_cursor: str | None


class CameraMade(Wire):
    """A version that was made."""

    camera_id: str
    version: int
    worker_id: str
    changed_at: datetime
