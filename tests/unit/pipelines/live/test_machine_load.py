"""A worker's cameras against its machine: who counts, what is measured, what is said."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pipelines.config import CameraConfig
from pipelines.live.machine_load import MachineLoad, first_guess, measure_frame_seconds
from pipelines.live.schedule import FairTurns
from tests.fake_engine import FakeDetector, fake_engines
from tests.waiting import wait_until

EVERYBODY = ("gate", "yard", "film")


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> FairTurns:
    return FairTurns(1, clock)


def camera(source: str, **settings: Any) -> CameraConfig:
    return CameraConfig.model_validate(
        {"source": source, "inference_fps": 5, "motion_gate": {"enabled": False}, **settings}
    )


def cameras(**settings: Any) -> dict[str, CameraConfig]:
    return {
        "gate": camera("rtsp://10.0.0.1/main", **settings),
        "yard": camera("rtsp://10.0.0.2/main", **settings),
        "film": camera("film.mp4", inference_fps=200),
    }


def use(turns: FairTurns, clock: Clock, camera_id: str, seconds: float, times: int = 10) -> None:
    for _ in range(times):
        with turns.turn(camera_id):
            clock.seconds += seconds


def test_until_something_is_known_everybody_is_watched(turns: FairTurns, clock: Clock) -> None:
    load = MachineLoad(cameras(), turns, None, clock)
    assert load.admitted(EVERYBODY) == set(EVERYBODY)


def test_by_the_measurement_of_the_start_and_then_by_the_camera_s_own(turns: FairTurns, clock: Clock) -> None:
    load = MachineLoad(cameras(), turns, 0.12, clock)
    assert load.admitted(EVERYBODY) == {"gate", "film"}
    assert load.standing.refused["yard"].startswith("not_admitted: this machine is full: others take 60%")
    use(turns, clock, "gate", 0.02)
    clock.seconds += 1
    assert load.admitted(EVERYBODY) == {"gate", "film"}, "not at once"
    clock.seconds += 11
    assert load.admitted(EVERYBODY) == set(EVERYBODY)


def test_the_first_frames_of_a_camera_say_nothing_yet(turns: FairTurns, clock: Clock) -> None:
    load = MachineLoad(cameras(), turns, 0.02, clock)
    use(turns, clock, "gate", 3.0, times=9)
    assert load.admitted(EVERYBODY) == set(EVERYBODY)
    assert load.standing.load == pytest.approx(0.2)


def test_a_camera_nobody_may_search_takes_nothing(turns: FairTurns, clock: Clock) -> None:
    load = MachineLoad(cameras(), turns, 0.12, clock)
    assert load.admitted(["yard"]) == {"yard"}
    assert load.standing.load == pytest.approx(0.6)


def test_recordings_take_what_is_left_and_are_never_refused(turns: FairTurns, clock: Clock) -> None:
    load = MachineLoad(cameras(), turns, 10.0, clock)
    assert load.admitted(["film"]) == {"film"}
    assert load.standing.load == 0


def test_the_highest_priority_is_watched(turns: FairTurns, clock: Clock) -> None:
    wanted = cameras() | {"yard": camera("rtsp://10.0.0.2/main", priority=2)}
    assert MachineLoad(wanted, turns, 0.12, clock).admitted(EVERYBODY) == {"yard", "film"}


def test_other_cameras(turns: FairTurns, clock: Clock) -> None:
    load = MachineLoad(cameras(), turns, 0.12, clock)
    use(turns, clock, "gate", 0.1)
    load.cameras_are({"yard": cameras()["yard"]})
    assert load.admitted(["yard"]) == {"yard"}
    assert set(turns.figures()) == {"yard"}


def test_a_frame_is_measured_without_the_first(clock: Clock) -> None:
    class Slower(FakeDetector):
        calls = 0

        def detect(self, image: Any) -> Any:
            self.calls += 1
            clock.seconds += 5.0 if self.calls <= 1 else 0.25
            return super().detect(image)

    # The whole picture, and the part in which something moves.
    assert measure_frame_seconds(fake_engines(detector=Slower()), 1, clock) == pytest.approx(0.5)


def test_nothing_is_measured_where_it_decides_nothing() -> None:
    one = {"gate": cameras()["gate"], "film": cameras()["film"]}
    assert first_guess(one, fake_engines) is None
    assert (first_guess(cameras(), fake_engines) or 0) > 0


def quiet_minutes(load: MachineLoad, turns: FairTurns, clock: Clock, minutes: int) -> None:
    """The gate's gate opens for one frame a second, of the five it may ask for."""
    for _ in range(60 * minutes):
        use(turns, clock, "gate", 0.1, times=1)
        clock.seconds += 0.9
        load.admitted(EVERYBODY)


GATED = {"motion_gate": {"enabled": True}}


def test_a_camera_with_a_gate_counts_half_until_it_was_seen(turns: FairTurns, clock: Clock) -> None:
    load = MachineLoad(cameras(**GATED), turns, 0.12, clock)
    assert load.admitted(EVERYBODY) == set(EVERYBODY)
    assert load.standing.load == pytest.approx(2 * 2.5 * 0.12)


def test_a_camera_whose_gate_closes_leaves_room(turns: FairTurns, clock: Clock) -> None:
    load = MachineLoad(cameras(**GATED), turns, 0.2, clock)
    quiet_minutes(load, turns, clock, 5)
    assert load.admitted(EVERYBODY) == set(EVERYBODY)
    least = 0.1 * 5 * 0.1
    assert load.standing.load == pytest.approx(0.1 + least, abs=0.02), "the other was still all the time"


def test_a_camera_without_a_gate_keeps_its_room(turns: FairTurns, clock: Clock) -> None:
    load = MachineLoad(cameras(), turns, 0.12, clock)
    quiet_minutes(load, turns, clock, 5)
    assert load.admitted(EVERYBODY) == {"gate", "film"}


def test_who_waits_long_may_ask_for_more_than_it_gets(turns: FairTurns, clock: Clock) -> None:
    load = MachineLoad(cameras(**GATED), turns, 0.12, clock)
    quiet_minutes(load, turns, clock, 5)
    for _ in range(30):
        with turns.turn("film"):
            waiting = threading.Thread(target=use, args=(turns, clock, "gate", 0.1, 1))
            waiting.start()
            wait_until(lambda: turns.waiting == 1)
            clock.seconds += 0.15
        waiting.join(10)
    load.admitted(EVERYBODY)
    assert load.standing.load == pytest.approx(0.5 + 0.05, abs=0.02)
