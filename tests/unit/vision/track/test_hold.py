"""While nobody looks, whoever was seen last stays where he was; whoever was lost goes on being forgotten."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vision.errors import ImageError
from vision.track.base import Tracker
from vision.track.bytetrack import ByteTrack
from vision.track.ocsort import OcSort
from vision.track.rejoin import RejoiningTracker
from vision.types import Detections, Int64

TRACKERS: dict[str, Callable[[], Tracker]] = {
    "oc-sort": OcSort,
    "bytetrack": ByteTrack,
    "rejoining": lambda: RejoiningTracker(OcSort()),
}
FPS = 5.0


@pytest.fixture(params=sorted(TRACKERS))
def tracker(request: pytest.FixtureRequest) -> Tracker:
    return TRACKERS[request.param]()


def people(*lefts: float) -> Detections:
    boxes = np.array([[left, 100, left + 40, 220] for left in lefts], np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(len(boxes), 0.9, np.float32), np.zeros(len(boxes), np.int32))


class Clock:
    """Frames at five a second, looked at or held."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker, self.frames = tracker, 0

    def look(self, *lefts: float) -> Int64:
        self.frames += 1
        return self.tracker.update(people(*lefts), self.frames / FPS).track_id

    def hold(self, seconds: float) -> None:
        for _ in range(round(seconds * FPS)):
            self.frames += 1
            self.tracker.hold(self.frames / FPS)

    def silence(self, seconds: float) -> None:
        self.frames += round(seconds * FPS)


def test_whoever_is_held_keeps_his_number(tracker: Tracker) -> None:
    clock = Clock(tracker)
    for _ in range(4):
        clock.look(100, 400)
    for _ in range(3):
        clock.hold(40)
        assert clock.look(100, 400).tolist() == [1, 2]


def test_without_holding_he_is_somebody_new(tracker: Tracker) -> None:
    clock = Clock(tracker)
    for _ in range(4):
        clock.look(100)
    clock.silence(40)
    clock.look(100)
    assert clock.look(100).tolist() == [2]


def test_whoever_was_lost_before_is_forgotten_meanwhile(tracker: Tracker) -> None:
    clock = Clock(tracker)
    for _ in range(4):
        clock.look(100, 400)
    clock.look(100)
    clock.hold(4)
    clock.look(100, 400)
    assert clock.look(100, 400).tolist() == [1, 3]


def test_a_look_that_does_not_show_him_lets_him_age_again(tracker: Tracker) -> None:
    clock = Clock(tracker)
    for _ in range(4):
        clock.look(100)
    clock.hold(10)
    clock.look()
    clock.hold(4)
    clock.look(100)
    assert clock.look(100).tolist() == [2]


def test_whoever_walked_goes_on_from_where_he_stopped(tracker: Tracker) -> None:
    clock = Clock(tracker)
    for step in range(8):
        clock.look(100 + 12 * step)
    clock.hold(20)
    assert clock.look(100 + 12 * 8).tolist() == [1]


def test_a_track_not_confirmed_yet_is_held_too() -> None:
    clock = Clock(OcSort())
    for _ in range(5):
        clock.look()
    assert clock.look(100).tolist() == []
    clock.hold(10)
    assert clock.look(100).tolist() == [1]


def test_a_clock_that_starts_over_ends_all_tracks(tracker: Tracker) -> None:
    clock = Clock(tracker)
    clock.frames = 500
    for _ in range(4):
        clock.look(100)
    tracker.hold(1.0)
    clock.frames = 6
    clock.look(100)
    assert clock.look(100).tolist() == [2]


def test_holding_needs_a_time(tracker: Tracker) -> None:
    tracker.hold(1.0)
    with pytest.raises(ImageError, match="finite"):
        tracker.hold(float("nan"))
