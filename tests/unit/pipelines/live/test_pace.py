"""Time that goes on across openings, and pictures that come too late."""

from __future__ import annotations

import pytest

from pipelines.live.pace import Allowance, Backlog, ContinuedTime, Pace


def test_a_first_opening_keeps_the_cameras_own_times() -> None:
    time = ContinuedTime(live=True)
    assert [time.place(pts, 100 + pts) for pts in (7.0, 7.04, 7.08)] == [7.0, 7.04, 7.08]
    assert time.shift_seconds == 0


def test_between_openings_the_machines_clock_goes_on() -> None:
    time = ContinuedTime(live=True)
    time.place(50.0, 100.0)
    time.open()
    assert time.place(0.0, 103.5) == pytest.approx(53.5)
    assert time.place(0.04, 103.6) == pytest.approx(53.54)
    assert time.shift_seconds == pytest.approx(53.5)
    time.open()
    assert time.place(900.0, 104.6) == pytest.approx(54.54)


def test_a_new_process_goes_on_after_the_one_before() -> None:
    time = ContinuedTime(live=True)
    time.go_on_after(20.0, 3.0, 500.0)
    assert time.place(1.0, 500.5) == pytest.approx(23.5)
    backwards = ContinuedTime(live=True)
    backwards.go_on_after(20.0, -60.0, 500.0)  # the machine's clock was set back meanwhile
    assert backwards.place(1.0, 500.5) == pytest.approx(20.5)


def test_times_never_fall() -> None:
    time = ContinuedTime(live=True)
    placed = [time.place(pts, 10 + at) for at, pts in enumerate((1.0, 0.9, 1.1, 1.1, 0.0))]
    assert placed == sorted(placed)


def test_a_recordings_times_are_its_own() -> None:
    time = ContinuedTime(live=False)
    time.place(50.0, 0.0)
    time.open()
    assert [time.place(pts, 1.0) for pts in (3.0, 2.0)] == [3.0, 2.0]


class Reader:
    """Reads a camera of 25 pictures a second whose pictures arrive at given times, taking some time for each."""

    def __init__(self) -> None:
        self.backlog = Backlog()
        self.now = 0.0
        self.next = 0

    def read(self, seconds: float, *, per_picture: float, delay: float = 0.0) -> list[Pace]:
        """Reads on for a while; `delay` is how long pictures are on their way, `per_picture` to decode one."""
        paces = []
        until = self.now + seconds
        while self.now < until:
            arrives = self.next / 25 + delay
            waited = max(0.0, arrives - self.now)
            self.now += waited + per_picture
            pace = self.backlog.see(self.next / 25, waited, self.now)
            paces.append(pace)
            self.next += 1
            if pace is Pace.HOPELESS:
                self.next = max(self.next, round(self.backlog.timely_pts_seconds(self.now) * 25))
        return paces


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_who_keeps_up_is_never_late(reader: Reader) -> None:
    assert set(reader.read(60, per_picture=0.005)) == {Pace.KEPT}
    assert set(reader.read(60, per_picture=0.035)) == {Pace.KEPT}


def test_after_a_pause_pictures_are_passed_over_until_the_newest(reader: Reader) -> None:
    reader.read(10, per_picture=0.005)
    reader.now += 3.0  # the machine did something else
    paces = reader.read(0.001, per_picture=0.005)
    assert reader.backlog.late_seconds == pytest.approx(3.0, abs=0.05)
    paces += reader.read(3, per_picture=0.005)
    assert reader.backlog.late_seconds == pytest.approx(0.0, abs=0.05)
    assert paces[0] is Pace.LATE
    assert Pace.HOPELESS not in paces, "decoding is fast enough to make up for it"
    assert 40 < paces.count(Pace.LATE) < 75
    assert set(paces[75:]) == {Pace.KEPT}


def test_decoding_slower_than_the_camera_is_hopeless_and_the_lag_stays_bounded(reader: Reader) -> None:
    reader.read(5, per_picture=0.005)
    paces = reader.read(120, per_picture=0.06)
    assert Pace.HOPELESS in paces
    assert paces.count(Pace.KEPT) > 0.2 * len(paces)
    lag = reader.now - reader.next / 25
    assert lag < Backlog.LATE_SECONDS + 2 * Backlog.HOPELESS_AFTER_SECONDS


def test_a_longer_way_is_got_used_to(reader: Reader) -> None:
    reader.read(10, per_picture=0.005)
    reader.read(12, per_picture=0.005, delay=2.0)
    assert set(reader.read(10, per_picture=0.005, delay=2.0)) == {Pace.KEPT}


def test_a_small_delay_is_none(reader: Reader) -> None:
    reader.read(5, per_picture=0.005)
    reader.now += 0.8
    assert set(reader.read(5, per_picture=0.005)) == {Pace.KEPT}


def test_a_new_opening_starts_anew(reader: Reader) -> None:
    reader.read(5, per_picture=0.005)
    reader.backlog.reset()
    reader.now += 100
    assert reader.backlog.see(5.0, 0.0, reader.now) is Pace.KEPT


class TestAllowance:
    def test_a_camera_of_its_rate_is_never_refused(self) -> None:
        allowance = Allowance(2.0)
        assert all(allowance.take(number / 2) for number in range(1000))

    def test_what_came_together_after_a_silence_is_let_through(self) -> None:
        allowance = Allowance(2.0)
        assert allowance.take(0.0)
        assert [allowance.take(2.0 + number / 1000) for number in range(4)] == [True, True, True, False]

    def test_a_time_that_runs_away_buys_nothing(self) -> None:
        allowance = Allowance(0.1)
        assert sum(allowance.take(number / 100) for number in range(6000)) == 3 + 6

    def test_without_a_rate_everything_is_looked_at(self) -> None:
        allowance = Allowance(None)
        assert all(allowance.take(0.0) for _ in range(100))
