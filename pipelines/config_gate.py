"""Settings of a camera's motion gate, and the masks drawn in the settings file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pipelines.config_base import Settings
from vision.polygons import MAX_POINTS, MIN_POINTS, Polygon

MAX_MASKS = 32
"""Polygons of one kind on one camera."""

Coordinate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


def _simple(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    Polygon(points)  # a MaskError is a ValueError: the settings file's reader gives it its line
    return points


MaskPoints = Annotated[
    tuple[tuple[Coordinate, Coordinate], ...],
    Field(min_length=MIN_POINTS, max_length=MAX_POINTS),
    AfterValidator(_simple),
]
"""Corners (x, y) along one outline, each 0 to 1 from the upright picture's left and top edge."""

MaskList = Annotated[tuple[MaskPoints, ...], Field(max_length=MAX_MASKS)]


class GateSettings(Settings):
    """Whether the models rest while nothing moves."""

    enabled: bool = Field(default=True, description="false: the models see every frame that is sampled")
    min_moving_share: float = Field(
        default=0.0001,
        gt=0,
        le=0.5,
        description="of the picture: what is smaller does not count as motion",
    )
    heartbeat_seconds: float = Field(
        default=10.0,
        ge=0.5,
        le=30,
        description="after so long without one a frame is looked at all the same",
    )
    linger_seconds: float = Field(
        default=2.0,
        ge=0,
        le=600,
        description="while what moved last is still there, frames are looked at for so long after it stopped",
    )


def polygons(masks: MaskList) -> tuple[Polygon, ...]:
    """Masks of the settings file as they are used."""
    return tuple(Polygon(points) for points in masks)
