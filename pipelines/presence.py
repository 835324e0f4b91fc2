"""When somebody was there, from what a session reported: intervals that two runs can be compared by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.findings import ObjectSeen
from pipelines.stages import PERSON_LABELS

BRIDGED_SECONDS = 1.0
"""Trackers remember for so long: a shorter absence is none."""


@dataclass(frozen=True, slots=True, order=True)
class Presence:
    """A stretch of source time in which at least one person was there.

    Attributes:
        begin_seconds: when the first was seen.
        end_seconds: when the last was seen.
    """

    begin_seconds: float
    end_seconds: float

    def holds(self, pts_seconds: float, margin_seconds: float = 0.0) -> bool:
        """Whether a time lies in it, or within the margin of it."""
        return self.begin_seconds - margin_seconds <= pts_seconds <= self.end_seconds + margin_seconds


class PresenceLog:
    """Gathers the person tracks of one session; a track counts from its first sight to its last."""

    def __init__(self) -> None:
        self._tracks: dict[int, Presence] = {}

    def see(self, objects: Iterable[ObjectSeen], pts_seconds: float) -> None:
        """Takes in what one frame showed."""
        for seen in objects:
            if seen.label in PERSON_LABELS:
                begin = self._tracks.get(seen.track_id, Presence(pts_seconds, pts_seconds)).begin_seconds
                self._tracks[seen.track_id] = Presence(begin, pts_seconds)

    def intervals(self) -> tuple[Presence, ...]:
        """When anybody was there, in order, apart by more than a second."""
        merged: list[Presence] = []
        for track in sorted(self._tracks.values()):
            if merged and track.begin_seconds - merged[-1].end_seconds <= BRIDGED_SECONDS:
                last = merged.pop()
                track = Presence(last.begin_seconds, max(last.end_seconds, track.end_seconds))  # noqa: PLW2901
            merged.append(track)
        return tuple(merged)


def largest_difference_seconds(one: Sequence[Presence], other: Sequence[Presence]) -> float | None:
    """By how much the ends of two runs' intervals differ at most; None where they are not as many.

    Without intervals on either side it is 0.
    """
    if len(one) != len(other):
        return None
    pairs = zip(one, other, strict=True)
    ends = ((a.begin_seconds - b.begin_seconds, a.end_seconds - b.end_seconds) for a, b in pairs)
    return max((abs(difference) for pair in ends for difference in pair), default=0.0)
