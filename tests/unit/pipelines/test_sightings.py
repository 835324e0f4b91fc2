"""`pipelines.sightings`: the time of day of a picture, said only as well as it is known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.sightings import LIVE_UNCERTAINTY_SECONDS, ObservedAt, SourceClock
from tests.event_builders import NOON


@pytest.mark.parametrize("start_seconds", [0.0, 100.0])
def test_a_recording_counts_from_its_own_beginning(start_seconds: float) -> None:
    clock = SourceClock(live=False, recorded_at=NOON, start_seconds=start_seconds)
    clock.saw(start_seconds + 60)
    assert clock.at(start_seconds + 2.5) == ObservedAt(NOON + timedelta(seconds=2.5), "recorded_at")


def test_without_a_beginning_nothing_is_made_up() -> None:
    clock = SourceClock(live=False)
    clock.saw(1.0)
    assert clock.at(1.0) == ObservedAt(None, "unknown")


def test_a_camera_is_timed_by_its_newest_picture() -> None:
    """So that a camera clock that drifts, or starts over, does not carry its error along."""
    now = NOON
    clock = SourceClock(live=True, now=lambda: now)
    clock.saw(5000.0)
    assert clock.at(4999.0).moment == NOON - timedelta(seconds=1)
    now = NOON + timedelta(hours=1)
    clock.saw(3.0)
    assert clock.at(2.0) == ObservedAt(now - timedelta(seconds=1), "wall_clock", LIVE_UNCERTAINTY_SECONDS)


@pytest.mark.parametrize(
    ("error", "uncertainty"),
    [(0.25, LIVE_UNCERTAINTY_SECONDS + 0.25), (None, None)],
    ids=["bounded", "adrift"],
)
def test_what_the_machines_clock_may_be_off_is_added(error: float | None, uncertainty: float | None) -> None:
    clock = SourceClock(live=True, now=lambda: NOON, clock_error=lambda: error)
    clock.saw(2.0)
    assert clock.at(2.0) == ObservedAt(NOON, "wall_clock", uncertainty)


def test_where_another_process_decoded_its_moment_counts() -> None:
    clock = SourceClock(live=True, now=lambda: NOON)
    clock.saw(10.0, (NOON - timedelta(seconds=0.4)).timestamp())
    assert clock.at(9.0).moment == NOON - timedelta(seconds=1.4)


@pytest.mark.parametrize("seconds", [5.0, -3600.0, -1e12])
def test_a_moment_that_cannot_be_is_not_believed(seconds: float) -> None:
    """What decodes parses hostile bytes; it may say anything."""
    clock = SourceClock(live=True, now=lambda: NOON)
    clock.saw(10.0, NOON.timestamp() + seconds)
    assert clock.at(10.0).moment == NOON
