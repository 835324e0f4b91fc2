"""The shapes of drawings on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.review.overlays import MAX_REASON, OverlayKind, OverlayVersion
from api.schemas import Wire
from pipelines.config_gate import MAX_MASKS, Coordinate
from vision.polygons import MAX_POINTS, MIN_POINTS

CornerList = Annotated[
    list[tuple[Coordinate, Coordinate]],
    Field(min_length=MIN_POINTS, max_length=MAX_POINTS, description="(x, y) along the outline, 0 to 1"),
]


class OverlayOut(Wire):
    """One version of what is drawn on a camera's picture."""

    camera_id: str
    kind: OverlayKind
    version: int
    active: bool = Field(description="false: this version removes what was drawn")
    polygons: list[list[tuple[float, float]]]
    drawn_by: str
    drawn_at: datetime
    reason: str

    @classmethod
    def of(cls, version: OverlayVersion) -> OverlayOut:
        """A version as it is sent."""
        return cls(
            camera_id=version.camera_id,
            kind=version.kind,
            version=version.version,
            active=version.active,
            polygons=[list(polygon.points) for polygon in version.polygons],
            drawn_by=version.drawn_by,
            drawn_at=version.drawn_at,
            reason=version.reason,
        )


class OverlayPage(Wire):
    """Versions, and where the next page begins."""

    items: list[OverlayOut]
    next_cursor: str | None


class OverlayIn(Wire):
    """The next version; without polygons it removes what was drawn."""

    polygons: list[CornerList] = Field(max_length=MAX_MASKS)
    based_on_version: int = Field(ge=0, description="the newest version the drawer saw; 0: none")
    reason: str = Field(min_length=1, max_length=MAX_REASON)


class OverlayMade(Wire):
    """A version that was made."""

    camera_id: str
    kind: OverlayKind
    version: int
    drawn_at: datetime


class OverlayImportIn(Wire):
    """An export to be drawn here."""

    yaml: str = Field(min_length=1, max_length=60_000, description="as GET /overlays/export gives it")
    reason: str = Field(min_length=1, max_length=MAX_REASON)


class OverlayImportOut(Wire):
    """Versions that were made; what was the same already is not among them."""

    versions: list[OverlayMade]
