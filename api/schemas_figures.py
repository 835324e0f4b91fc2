"""The shapes of shifts, duty, results of controls and statistics on the wire."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from api.schemas import Wire
from api.store.statistics import By


class ShareOut(Wire):
    """A counted share with its exact 95 % interval (Clopper and Pearson)."""

    count: int
    of: int
    share: float | None = Field(
        description="null for fewer than ten cases: the interval alone says what is known"
    )
    low: float
    high: float


class RateOut(Wire):
    """Events per thousand occasions with their exact 95 % interval (Garwood)."""

    count: int
    of: int
    per_1000: float | None = Field(
        description="null for fewer than ten occasions: the interval alone says what is known"
    )
    low: float
    high: float


class TallyOut(Wire):
    """Answers to controls, pooled."""

    answered: int
    doubt: int = Field(description="*cannot tell*, which contradicts nothing")
    false_matches: ShareOut = Field(description="*same person* where it was another")
    misses: ShareOut = Field(description="*different* where it was the same person")


class OperatorTallyOut(Wire):
    """One operator's answers to controls."""

    account_id: str
    controls: TallyOut


class ControlResultsOut(Wire):
    """What controls came to, both of whose judges have answered."""

    since: datetime
    until: datetime
    all: TallyOut
    operators: list[OperatorTallyOut]
    doubtful: list[str] = Field(
        description="candidate ids of controls left out because both judges saw the same person: look at them"
    )


class CameraWaitingOut(Wire):
    """How many reviews of one camera wait."""

    camera_id: str
    reviews: int


class WaitingOut(Wire):
    """What waits for her: what her own list shows, counted."""

    reviews: int = Field(description="at most 1000 are counted")
    oldest_queued_at: datetime | None
    cameras: list[CameraWaitingOut]


class ShiftOut(Wire):
    """Her shift, and what waits."""

    shift_id: str
    began_at: datetime
    waiting: WaitingOut


class ShiftEndIn(Wire):
    """The end of a shift."""

    handover_note: str | None = Field(
        default=None, max_length=1000, description="for supervisors; no operator is shown it"
    )


class ShiftControlsOut(Wire):
    """How she answered controls: in this shift, and over the last 90 days."""

    shift: TallyOut
    pooled: TallyOut


class ShiftEndedOut(Wire):
    """A shift that is over."""

    shift_id: str
    began_at: datetime
    ended_at: datetime
    controls: ShiftControlsOut


class ShiftLineOut(Wire):
    """A shift as supervisors and auditors see it."""

    shift_id: str
    account_id: str
    began_at: datetime
    ended_at: datetime | None
    handover_note: str | None


class ShiftPage(Wire):
    """Shifts, newest first."""

    items: list[ShiftLineOut]
    next_cursor: str | None


class DutyOut(Wire):
    """Who is on duty, and for how long fewer than two entitled judges were."""

    on_duty: list[str]
    understaffed_since: datetime | None
    understaffed_seconds_day: float
    understaffed_seconds_month: float


class StatisticsGroupOut(Wire):
    """Figures of one group; a null count is hidden because it is small, or gives a small one away."""

    key: str
    counts: dict[str, int | None]
    rejected_of_judged: ShareOut | None
    false_of_known: ShareOut | None
    agreed_of_pairs: ShareOut | None
    kappa: float | None = Field(description="agreement of two judges beyond chance (Scott's pi)")
    decision_median_seconds: float | None
    decision_p90_seconds: float | None
    frames_looked_at: int | None
    faces_searched: int | None = Field(description="faces of which a look was held against a list")
    false_alerts_per_1000_faces: RateOut | None = Field(
        description="alerts the judges rejected, per 1,000 faces searched"
    )


class StatisticsOut(Wire):
    """Figures of a stretch of time (`docs/statistics.md`)."""

    schema_: str = Field(alias="schema")
    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")
    by: By
    publishable: bool = Field(description="one calendar month (UTC) that is over, and not by operator")
    least_cell: int
    confidence: float
    notes: list[str]
    total: StatisticsGroupOut
    groups: list[StatisticsGroupOut]
