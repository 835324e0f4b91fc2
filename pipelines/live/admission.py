"""How many cameras a machine can watch: those it cannot are told so, and the others are not slowed for them.

What a frame takes is measured while cameras run (and once at the start); what a camera asks for is configured. A
machine is full where Σ frames a second × seconds a frame, by the frames it looks at at a time, comes near one: waiting
times grow as load / (1 − load). Cameras come in by priority, then in the order of the settings. Between coming in and
being sent away lies a gap, and every change must be wanted for a while, so that nobody is sent to and fro.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

FULL_LOAD = 0.95
"""Above it cameras are sent away: a frame then waits for nineteen others on average, and every hiccup adds."""

ROOM_LOAD = 0.85
"""Up to it cameras come in."""

PATIENCE_SECONDS = 10.0
"""So long a change must be wanted: one crowd that passes sends no camera away."""

NOT_ADMITTED = "not_admitted"
"""Begins what is said of a camera that is not watched because the machine is full."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one camera asks for.

    Attributes:
        camera_id: which.
        frames_per_second: configured.
        priority: above 0; higher ones come first.
        seconds_per_frame: measured; None: not yet.
    """

    camera_id: str
    frames_per_second: float
    priority: float = 1.0
    seconds_per_frame: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Who is watched.

    Attributes:
        admitted: in the order in which they came in.
        refused: why the others are not, by camera.
        load: of those admitted; 1 is all the machine can do.
        wanted_load: of all.
    """

    admitted: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    load: float = 0.0
    wanted_load: float = 0.0

    @property
    def summary(self) -> str:
        """All of it in one line."""
        if self.refused:
            return (
                f"this machine is full: {len(self.admitted)} cameras take {self.load:.0%} of it, "
                f"all {len(self.admitted) + len(self.refused)} would take {self.wanted_load:.0%}"
            )
        return f"{len(self.admitted)} cameras take {self.load:.0%} of what this machine can do"


class Admission:
    """Decides which cameras are watched; asked again whenever something was measured.

    Args:
        slots: frames looked at at a time.
        usual_seconds: what a frame takes where nothing of its camera is measured, from a quick measurement; None:
            what those of the other cameras take.
    """

    def __init__(self, slots: int, usual_seconds: float | None = None) -> None:
        if slots < 1:
            raise ValueError(f"slots must be 1 or more, got {slots}")
        self._slots = slots
        self._usual_seconds = usual_seconds
        self._known: frozenset[str] = frozenset()
        self._inside: frozenset[str] = frozenset()
        self._wanted: frozenset[str] = frozenset()
        self._wanted_since = 0.0

    def decide(self, demands: Sequence[Demand], now_seconds: float) -> Standing:
        """Who is watched from now on.

        New cameras are decided upon at once; those that were there are sent away, and let in again, once that has
        been wanted for `PATIENCE_SECONDS`.

        Args:
            demands: of all cameras there are, in the order of the settings.
            now_seconds: a clock that never goes back.
        """
        ordered = sorted(demands, key=lambda each: -each.priority)
        costs = self._costs(ordered)
        there = frozenset(costs)
        old, new = self._inside & there, there - self._known
        fitting = frozenset(self._fitting(ordered, costs))
        if fitting != self._wanted:
            self._wanted, self._wanted_since = fitting, now_seconds
        if old == fitting & self._known or now_seconds - self._wanted_since >= PATIENCE_SECONDS:
            inside = fitting
        else:
            inside = old | (frozenset(self._fitting(ordered, costs, keep=old)) & new)
        self._known, self._inside = there, inside
        return self._standing(ordered, costs, inside)

    def _costs(self, demands: Sequence[Demand]) -> dict[str, float]:
        """The share of the machine each camera takes."""
        measured = [each.seconds_per_frame for each in demands if each.seconds_per_frame is not None]
        usual = sum(measured) / len(measured) if measured else self._usual_seconds or 0.0
        return {
            each.camera_id: each.frames_per_second
            * (usual if each.seconds_per_frame is None else each.seconds_per_frame)
            / self._slots
            for each in demands
        }

    def _fitting(
        self, ordered: Sequence[Demand], costs: dict[str, float], keep: frozenset[str] = frozenset()
    ) -> list[str]:
        """The cameras that find room, each in its turn; the first always does."""
        taken: list[str] = []
        load = sum(costs[camera_id] for camera_id in keep)
        for each in ordered:
            if each.camera_id in keep:
                continue
            limit = FULL_LOAD if each.camera_id in self._inside else ROOM_LOAD
            if load + costs[each.camera_id] <= limit or not (taken or keep):
                taken.append(each.camera_id)
                load += costs[each.camera_id]
        return taken

    def _standing(
        self, ordered: Sequence[Demand], costs: dict[str, float], inside: frozenset[str]
    ) -> Standing:
        load = sum(costs[camera_id] for camera_id in inside)
        refused = {
            each.camera_id: f"{NOT_ADMITTED}: this machine is full: others take {load:.0%} of it, this camera needs "
            f"{costs[each.camera_id]:.0%} ({each.frames_per_second:g} frames a second)"
            for each in ordered
            if each.camera_id not in inside
        }
        admitted = tuple(each.camera_id for each in ordered if each.camera_id in inside)
        return Standing(admitted, refused, load, sum(costs.values()))
