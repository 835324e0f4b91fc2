"""Turns on a shared device: shares, no starvation, what is measured. Time is the tests' own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

import pytest

from pipelines.live.schedule import FairTurns
from tests.waiting import wait_until


class Clock:
    """Goes on when told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Crowd:
    """Cameras that always want the device, with two threads each; what each turn costs is given.

    Inside a turn everybody else is waited for, so that the order is that of `FairTurns` alone.
    """

    def __init__(self, turns: FairTurns, clock: Clock, costs: Mapping[str, float], stop_after: int) -> None:
        self.order: list[str] = []
        self._turns = turns
        self._clock = clock
        self._stop_after = stop_after
        self._threads = [
            threading.Thread(target=self._want, args=(camera_id, cost))
            for camera_id, cost in costs.items()
            for _ in range(2)
        ]

    def run(self) -> Counter[str]:
        """The turns each camera had."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads)
        return Counter(self.order[: self._stop_after])

    def _everybody_else_waits(self) -> bool:
        return self._turns.waiting == len(self._threads) - 1

    def _want(self, camera_id: str, cost: float) -> None:
        while len(self.order) < self._stop_after:
            with self._turns.turn(camera_id):
                if len(self.order) < self._stop_after:
                    wait_until(self._everybody_else_waits)
                self.order.append(camera_id)
                self._clock.seconds += cost


@pytest.mark.parametrize(
    ("asked", "costs", "shares"),
    [
        pytest.param({}, {"a": 1, "b": 1, "c": 1}, {"a": 40, "b": 40, "c": 40}, id="alike"),
        pytest.param({"a": (4, 1)}, {"a": 1, "b": 1}, {"a": 96, "b": 24}, id="asked for four times as much"),
        pytest.param({"a": (1, 3)}, {"a": 1, "b": 1}, {"a": 90, "b": 30}, id="three times the priority"),
        pytest.param({"a": (2, 2)}, {"a": 1, "b": 1}, {"a": 96, "b": 24}, id="both"),
        pytest.param({}, {"a": 3, "b": 1}, {"a": 30, "b": 90}, id="costly frames: time is shared, not turns"),
    ],
)
def test_a_short_device_is_shared_as_asked(
    asked: dict[str, tuple[float, float]], costs: dict[str, float], shares: dict[str, int]
) -> None:
    clock = Clock()
    turns = FairTurns(1, clock)
    for camera_id, (fps, priority) in asked.items():
        turns.ask(camera_id, fps, priority)
    had = Crowd(turns, clock, costs, stop_after=120).run()
    assert sum(had.values()) == 120
    for camera_id, share in shares.items():
        assert had[camera_id] == pytest.approx(share, abs=4)


def test_nobody_starves_beside_the_most_important() -> None:
    clock = Clock()
    turns = FairTurns(1, clock)
    turns.ask("gate", 5, priority=10)
    turns.ask("yard", 1)
    order = Crowd(turns, clock, {"gate": 1, "yard": 1}, stop_after=160).run()
    assert order["yard"] >= 2


def test_who_was_away_gets_its_share_and_not_what_it_missed() -> None:
    clock = Clock()
    turns = FairTurns(1, clock)
    for camera_id in ["back", *["busy"] * 500]:
        with turns.turn(camera_id):
            clock.seconds += 1
    had = Crowd(turns, clock, {"busy": 1, "back": 1}, stop_after=40).run()
    assert had["back"] <= 24


def test_who_always_looks_is_not_the_last_each_time_several_look() -> None:
    """Else it waits for two turns of everybody who was away, and its next frame is overtaken meanwhile."""
    clock = Clock()
    turns = FairTurns(1, clock)
    for camera_id in ["b", "c", "d", *["always"] * 20]:
        with turns.turn(camera_id):
            clock.seconds += 1
    order: list[str] = []
    waiting: list[threading.Thread] = []

    def look(camera_id: str) -> None:
        with turns.turn(camera_id):
            order.append(camera_id)
            clock.seconds += 1

    with turns.turn("a"):
        for count, camera_id in enumerate(["always", "b", "c", "d"], start=1):
            waiting.append(in_a_thread(partial(look, camera_id)))
            wait_until(lambda count=count: turns.waiting == count)  # type: ignore[misc]
    for thread in waiting:
        thread.join(10)
    assert order == ["always", "b", "c", "d"]


def order_by_age(ages_seconds: dict[str, float]) -> list[str]:
    """In which order cameras get a turn that ask one after the other with frames of these ages."""
    turns = FairTurns(1, Clock())
    order: list[str] = []
    waiting: list[threading.Thread] = []

    def look(camera_id: str) -> None:
        with turns.turn(camera_id, age_seconds=ages_seconds[camera_id]):
            order.append(camera_id)

    with turns.turn("a"):
        for count, camera_id in enumerate(ages_seconds, start=1):
            waiting.append(in_a_thread(partial(look, camera_id)))
            wait_until(lambda count=count: turns.waiting == count)  # type: ignore[misc]
    for thread in waiting:
        thread.join(10)
    return order


def test_whose_frame_is_oldest_goes_first() -> None:
    """Its next frame is the first to come, and would overtake it."""
    assert order_by_age({"b": 0.0, "c": 0.3, "d": 0.1}) == ["c", "d", "b"]
    assert order_by_age({"b": 0.0, "c": 0.0, "d": 0.0}) == ["b", "c", "d"]


def test_an_order_by_who_asked_first_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        FairTurns, "_first", lambda turns, _clock: min(turns._waiting, key=lambda each: each.number)
    )
    with pytest.raises(AssertionError):
        test_whose_frame_is_oldest_goes_first()


def together(turns: FairTurns, threads: int) -> int:
    """How many turns were held at once, at most."""
    lock, held, most, done = threading.Lock(), 0, 0, threading.Event()

    def hold() -> None:
        nonlocal held, most
        with turns.turn("a"):
            with lock:
                held += 1
                most = max(most, held)
            done.wait(10)
            with lock:
                held -= 1

    workers = [threading.Thread(target=hold) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        wait_until(lambda: held + turns.waiting == threads)
    finally:
        done.set()
        for worker in workers:
            worker.join(10)
    return most


@pytest.mark.parametrize(("slots", "threads"), [(1, 3), (2, 5), (4, 2)])
def test_no_more_turns_at_once_than_slots(slots: int, threads: int) -> None:
    assert together(FairTurns(slots), threads) == min(slots, threads)


def test_a_turn_that_fails_is_over() -> None:
    turns = FairTurns(1)
    with pytest.raises(KeyError), turns.turn("a"):
        raise KeyError
    with turns.turn("b"):
        pass
    assert turns.figures()["a"].turns == 1


def in_a_thread(call: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def test_what_each_camera_waited_and_held_is_known() -> None:
    clock = Clock()
    turns = FairTurns(1, clock)

    def second() -> None:
        with turns.turn("b"):
            clock.seconds += 2

    with turns.turn("a"):
        thread = in_a_thread(second)
        wait_until(lambda: turns.waiting == 1)
        clock.seconds += 5
    thread.join(10)
    first, other = turns.figures()["a"], turns.figures()["b"]
    assert (first.turns, first.wait_seconds, first.held_seconds) == (1, 0, 5)
    assert (other.turns, other.wait_seconds, other.longest_wait_seconds, other.held_seconds) == (1, 5, 5, 2)
    assert other.recent_held_seconds == 2
    assert turns.waiting == 0


def test_a_removed_camera_is_forgotten_and_its_turn_ends_as_usual() -> None:
    turns = FairTurns(1)
    with turns.turn("a"):
        turns.forget("a")
    assert turns.figures() == {}
    with turns.turn("b"):
        pass


@pytest.mark.parametrize(("fps", "priority"), [(0, 1), (-1, 1), (1, 0)])
def test_a_share_must_be_above_nothing(fps: float, priority: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        FairTurns(1).ask("a", fps, priority)
    with pytest.raises(ValueError, match="slots"):
        FairTurns(0)
    with pytest.raises(ValueError, match="priority"), FairTurns(1).turn("a", priority=0):
        pass
