"""Versions of the cameras the service gives its workers, in the database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.review.cameras import CameraVersion
from api.store.models import CameraSetting
from pipelines.given_cameras import GivenCamera


class GivenCameraRepository:
    """Reads and adds versions; nothing here changes one."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def current(self, after: str | None = None, limit: int | None = None) -> list[CameraVersion]:
        """The newest version of every camera, removals among them, by id.

        Args:
            after: only ids later than this one.
            limit: so many at most.
        """
        newest = (
            select(CameraSetting.camera_id, func.max(CameraSetting.version).label("version"))
            .group_by(CameraSetting.camera_id)
            .subquery()
        )
        same = (CameraSetting.camera_id == newest.c.camera_id) & (CameraSetting.version == newest.c.version)
        query = select(CameraSetting).join(newest, same)
        if after is not None:
            query = query.where(CameraSetting.camera_id > after)
        return [
            _version(row)
            for row in self._session.scalars(query.order_by(CameraSetting.camera_id).limit(limit))
        ]

    def newest(self, camera_id: str) -> CameraVersion | None:
        """The newest version of a camera; None where it was never given."""
        found = self.history(camera_id, None, 1)
        return found[0] if found else None

    def history(self, camera_id: str, before: int | None, limit: int) -> list[CameraVersion]:
        """Versions of a camera, newest first; only older ones than `before`."""
        query = select(CameraSetting).where(CameraSetting.camera_id == camera_id)
        if before is not None:
            query = query.where(CameraSetting.version < before)
        rows = self._session.scalars(query.order_by(CameraSetting.version.desc()).limit(limit))
        return [_version(row) for row in rows]

    def camera_ids(self) -> set[str]:
        """Every camera that was ever given."""
        return set(self._session.scalars(select(CameraSetting.camera_id).distinct()))

    def worker_ids(self) -> set[str]:
        """Every worker that was ever given a camera."""
        return set(self._session.scalars(select(CameraSetting.worker_id).distinct()))

    def changed_at(self) -> datetime | None:
        """When anything was last changed; None: never."""
        return self._session.scalars(
            select(CameraSetting.changed_at).order_by(CameraSetting.changed_at.desc()).limit(1)
        ).one_or_none()

    def add(self, version: CameraVersion) -> None:
        """Adds a version, in the caller's transaction."""
        settings = version.settings
        self._session.add(
            CameraSetting(
                camera_id=version.camera_id,
                version=version.version,
                worker_id=version.worker_id,
                settings={} if settings is None else settings.model_dump(mode="json", exclude_none=True),
                active=version.active,
                changed_by=version.changed_by,
                changed_at=version.changed_at,
                reason=version.reason,
            )
        )
        self._session.flush()


def _version(row: CameraSetting) -> CameraVersion:
    settings = GivenCamera.model_validate(row.settings) if row.active else None
    return CameraVersion(
        row.camera_id, row.version, row.worker_id, settings, row.changed_by, row.changed_at, row.reason
    )
