"""The shapes of holds on the wire."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, Field

from api.schemas import Wire


class HoldIn(Wire):
    """An order that nothing of a candidate may be deleted."""

    reason: str = Field(min_length=1, max_length=500)
    until: AwareDatetime | None = Field(default=None, description="null: until it is lifted")


class HoldLiftIn(Wire):
    """Why a hold ends."""

    reason: str = Field(min_length=1, max_length=500)


class HoldOut(Wire):
    """A hold, lifted ones too."""

    hold_id: str
    candidate_id: str
    reason: str
    set_by: str
    set_at: datetime
    until: datetime | None
    lifted_by: str | None
    lifted_at: datetime | None
    lifted_reason: str | None


class HoldList(Wire):
    """Every hold a candidate ever had, oldest first."""

    items: list[HoldOut]
