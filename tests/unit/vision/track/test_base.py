"""The clock of a tracker."""

from __future__ import annotations

import pytest

from vision.errors import ImageError
from vision.track.base import TrackClock


def test_time_never_runs_backwards_until_it_begins_anew() -> None:
    clock = TrackClock(tolerated_step_back_seconds=1.0)
    answers = [clock.advance(seconds) for seconds in (5.0, 4.5, 5.0, 5.25, 4.25, 4.2, 4.3)]
    assert answers == [
        (5.0, False),
        (5.0, False),  # a late frame counts as now
        (5.0, False),
        (5.25, False),
        (5.25, False),  # exactly as late as is tolerated
        (4.2, True),  # later than that: a new clock
        (4.3, False),
    ]


def test_a_clock_may_begin_anywhere() -> None:
    assert TrackClock(1.0).advance(-1e9) == (-1e9, False)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), float("-inf")])
def test_a_time_must_be_finite(seconds: float) -> None:
    with pytest.raises(ImageError, match="finite"):
        TrackClock(1.0).advance(seconds)
