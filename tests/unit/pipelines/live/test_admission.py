"""Who is watched where the machine cannot watch all: order, room, patience, words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipelines.live.admission import FULL_LOAD, PATIENCE_SECONDS, ROOM_LOAD, Admission, Demand

LATER = PATIENCE_SECONDS


def cameras(count: int, fps: float = 2.0, seconds: float | None = 0.1, priority: float = 1.0) -> list[Demand]:
    """Each takes a tenth of two slots."""
    return [Demand(f"c{number}", fps, priority, seconds) for number in range(count)]


def taking(loads: dict[str, float], **priorities: float) -> list[Demand]:
    """Cameras that take these shares of one slot."""
    return [Demand(name, 1.0, priorities.get(name, 1.0), load) for name, load in loads.items()]


def test_where_there_is_room_for_all_all_are_watched() -> None:
    standing = Admission(2).decide(cameras(8), 0)
    assert standing.admitted == tuple(f"c{number}" for number in range(8))
    assert standing.refused == {}
    assert standing.load == standing.wanted_load == pytest.approx(0.8)
    assert standing.summary == "8 cameras take 80% of what this machine can do"


def test_the_rest_are_told_with_the_figures() -> None:
    standing = Admission(2).decide(cameras(20), 0)
    assert len(standing.admitted) == 8
    assert standing.load == pytest.approx(0.8)
    assert standing.wanted_load == pytest.approx(2.0)
    assert list(standing.refused) == [f"c{number}" for number in range(8, 20)]
    assert standing.refused["c8"] == (
        "not_admitted: this machine is full: others take 80% of it, this camera needs 10% (2 frames a second)"
    )
    assert standing.summary == "this machine is full: 8 cameras take 80% of it, all 20 would take 200%"


def test_the_highest_priority_first_then_the_order_of_the_settings() -> None:
    demands = taking({"a": 0.4, "b": 0.4, "c": 0.4}, c=5)
    assert Admission(1).decide(demands, 0).admitted == ("c", "a")


def test_who_finds_no_room_does_not_keep_out_who_does() -> None:
    assert Admission(1).decide(taking({"a": 0.5, "big": 0.6, "small": 0.1}), 0).admitted == ("a", "small")


def test_the_first_is_watched_whatever_it_takes_and_the_load_says_so() -> None:
    standing = Admission(1).decide(taking({"a": 1.7, "b": 0.1}), 0)
    assert (standing.admitted, standing.load) == (("a",), 1.7)


@pytest.mark.parametrize(
    ("usual", "seconds", "admitted"),
    [
        pytest.param(None, None, 20, id="nothing is known: all"),
        pytest.param(0.1, None, 8, id="by the measurement of the start"),
        pytest.param(0.4, 0.1, 8, id="what was measured counts more"),
    ],
)
def test_what_is_not_measured_is_estimated(usual: float | None, seconds: float | None, admitted: int) -> None:
    demands = [*cameras(1, seconds=seconds), *cameras(20, seconds=None)[1:]]
    assert len(Admission(2, usual).decide(demands, 0).admitted) == admitted


class Machine:
    """One admission over time, asked once a second."""

    def __init__(self) -> None:
        self.admission = Admission(1)
        self.seconds = 0.0

    def after(self, seconds: float, demands: Sequence[Demand]) -> tuple[str, ...]:
        end = self.seconds + seconds
        while True:
            admitted = self.admission.decide(demands, self.seconds).admitted
            if self.seconds >= end:
                return admitted
            self.seconds += 1


def test_a_moment_of_load_sends_nobody_away_and_a_lasting_one_does() -> None:
    machine = Machine()
    calm, busy = taking({"a": 0.4, "b": 0.4}), taking({"a": 0.6, "b": 0.6})
    assert machine.after(0, calm) == ("a", "b")
    assert machine.after(LATER / 2, busy) == ("a", "b")
    assert machine.after(1, calm) == ("a", "b")
    assert machine.after(LATER - 2, busy) == ("a", "b")
    assert machine.after(LATER, busy) == ("a",)


def test_between_full_and_room_everything_stays_as_it_is() -> None:
    between = (FULL_LOAD + ROOM_LOAD) / 2
    inside = Machine()
    inside.after(0, taking({"a": 0.4, "b": 0.4}))
    assert inside.after(5 * LATER, taking({"a": between / 2, "b": between / 2})) == ("a", "b")
    outside = Machine()
    assert outside.after(0, taking({"a": 0.6, "b": 0.6})) == ("a",)
    assert outside.after(5 * LATER, taking({"a": between / 2, "b": between / 2})) == ("a",)
    assert outside.after(LATER + 1, taking({"a": 0.4, "b": 0.4})) == ("a", "b")


def test_a_new_camera_is_decided_upon_at_once_and_costs_nobody_their_place_at_once() -> None:
    machine = Machine()
    machine.after(0, taking({"a": 0.4, "b": 0.2}))
    assert machine.after(0, taking({"a": 0.4, "b": 0.2, "c": 0.2})) == ("a", "b", "c")
    important = taking({"a": 0.4, "b": 0.2, "c": 0.2, "vip": 0.5}, vip=9)
    assert machine.after(1, important) == ("a", "b", "c")
    assert machine.after(LATER, important) == ("vip", "a")


def test_a_camera_that_is_gone_makes_room() -> None:
    machine = Machine()
    assert machine.after(0, taking({"a": 0.5, "b": 0.5})) == ("a",)
    assert machine.after(LATER, taking({"b": 0.5})) == ("b",)


def test_no_cameras() -> None:
    assert Admission(1).decide([], 0).admitted == ()
    with pytest.raises(ValueError, match="slots"):
        Admission(0)
