"""Versions of drawings in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session

from api.review.overlays import OverlayKind, OverlayVersion
from api.review.scopes import Scope
from api.store.models import Overlay
from api.store.rights import camera_within
from vision.polygons import Polygon

OverlayPosition = tuple[str, str]
"""Camera and kind: where a page of current versions ended."""


class OverlayRepository:
    """Reads and adds versions; nothing here changes one."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def current(
        self,
        scope: Scope,
        *,
        camera_id: str | None = None,
        after: OverlayPosition | None = None,
        limit: int | None = None,
    ) -> list[OverlayVersion]:
        """The newest version of every kind on every camera, by camera and kind.

        Args:
            scope: rights of whoever asks.
            camera_id: of this camera alone.
            after: only later ones in that order.
            limit: so many at most.
        """
        newest = (
            select(Overlay.camera_id, Overlay.kind, func.max(Overlay.version).label("version"))
            .group_by(Overlay.camera_id, Overlay.kind)
            .subquery()
        )
        same = (Overlay.camera_id == newest.c.camera_id) & (Overlay.kind == newest.c.kind)
        query = select(Overlay).join(newest, same & (Overlay.version == newest.c.version))
        query = query.where(camera_within(scope, Overlay.camera_id))
        if camera_id is not None:
            query = query.where(Overlay.camera_id == camera_id)
        if after is not None:
            query = query.where(tuple_(Overlay.camera_id, Overlay.kind) > after)
        query = query.order_by(Overlay.camera_id, Overlay.kind).limit(limit)
        return [_version(row) for row in self._session.scalars(query)]

    def newest(self, camera_id: str, kind: OverlayKind) -> OverlayVersion | None:
        """The newest version; None where nothing was ever drawn."""
        row = self._session.scalars(
            select(Overlay).where(_of(camera_id, kind)).order_by(Overlay.version.desc()).limit(1)
        ).one_or_none()
        return None if row is None else _version(row)

    def version(self, camera_id: str, kind: OverlayKind, version: int) -> OverlayVersion | None:
        """One version; None where there is none."""
        row = self._session.get(Overlay, (camera_id, kind.value, version))
        return None if row is None else _version(row)

    def history(
        self, camera_id: str, kind: OverlayKind, before: int | None, limit: int
    ) -> list[OverlayVersion]:
        """Versions, newest first; only older ones than `before`."""
        query = select(Overlay).where(_of(camera_id, kind))
        if before is not None:
            query = query.where(Overlay.version < before)
        rows = self._session.scalars(query.order_by(Overlay.version.desc()).limit(limit))
        return [_version(row) for row in rows]

    def changed_at(self, camera_id: str) -> datetime | None:
        """When anything was last drawn on a camera."""
        return self._session.scalars(
            select(Overlay.drawn_at)
            .where(Overlay.camera_id == camera_id)
            .order_by(Overlay.drawn_at.desc())
            .limit(1)
        ).one_or_none()

    def add(self, version: OverlayVersion) -> None:
        """Adds a version, in the caller's transaction."""
        self._session.add(
            Overlay(
                camera_id=version.camera_id,
                kind=version.kind.value,
                version=version.version,
                shapes={"polygons": corners(version.polygons)},
                active=version.active,
                drawn_by=version.drawn_by,
                drawn_at=version.drawn_at,
                reason=version.reason,
            )
        )
        self._session.flush()


def corners(polygons: Sequence[Polygon]) -> list[list[list[float]]]:
    """Polygons as JSON values."""
    return [[list(point) for point in polygon.points] for polygon in polygons]


def _of(camera_id: str, kind: OverlayKind) -> ColumnElement[bool]:
    return (Overlay.camera_id == camera_id) & (Overlay.kind == kind.value)


def _version(row: Overlay) -> OverlayVersion:
    drawn = tuple(Polygon(tuple((x, y) for x, y in points)) for points in row.shapes["polygons"])
    return OverlayVersion(
        row.camera_id,
        OverlayKind(row.kind),
        row.version,
        drawn,
        row.active,
        row.drawn_by,
        row.drawn_at,
        row.reason,
    )
