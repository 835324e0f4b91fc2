"""`pipelines.live.clock_check`: what is known of the clock, and what a step of it does."""

from __future__ import annotations

import sys

import pytest
import structlog

from pipelines.live.clock_check import (
    JUMP_REMEMBERED_SECONDS,
    ClockCheck,
    KernelClock,
    read_kernel_clock,
    unsettable_seconds,
)

IN_STEP = KernelClock(True, 0.02)
ADRIFT = KernelClock(False, 16.0)


class Machine:
    """Two clocks and a kernel that are what a test sets them to."""

    def __init__(self, kernel: KernelClock | None = IN_STEP) -> None:
        self.kernel = kernel
        self.wall_seconds = 1_800_000_000.0
        self.steady_seconds = 100.0

    def passes(self, seconds: float, *, wall: float | None = None) -> None:
        """Time goes by; on the wall as much, unless it is said to be another."""
        self.steady_seconds += seconds
        self.wall_seconds += seconds if wall is None else wall

    def check(self) -> ClockCheck:
        return ClockCheck(
            kernel=lambda: self.kernel, wall=lambda: self.wall_seconds, steady=lambda: self.steady_seconds
        )


def test_a_clock_in_step_is_off_by_no_more_than_the_kernel_says() -> None:
    state = Machine().check().state
    assert (state.synchronised, state.uncertainty_seconds, state.problem) == (True, 0.02, None)


@pytest.mark.parametrize(("kernel", "known"), [(ADRIFT, False), (None, None)], ids=["adrift", "not known"])
def test_without_a_reference_nothing_bounds_the_error(kernel: KernelClock | None, known: bool | None) -> None:
    machine = Machine(kernel)
    state = machine.check().state
    assert state.synchronised is known
    assert state.uncertainty_seconds is None
    assert state.problem is not None


@pytest.mark.parametrize("jump", [3.0, -3.0, 0.6])
def test_a_clock_that_was_set_is_noticed_and_remembered_for_a_while(jump: float) -> None:
    machine = Machine()
    check = machine.check()
    machine.passes(1, wall=1 + jump)
    state = check.look()
    assert state.jumps == 1
    assert state.last_jump_seconds == pytest.approx(jump)
    assert state.uncertainty_seconds == pytest.approx(0.02 + abs(jump))
    machine.passes(1)
    assert check.look().jumps == 1
    machine.passes(JUMP_REMEMBERED_SECONDS)
    assert check.look().uncertainty_seconds == pytest.approx(0.02)
    assert check.state.jumps == 1


def test_slewing_is_no_jump() -> None:
    machine = Machine()
    check = machine.check()
    for _ in range(100):
        machine.passes(1, wall=1.0005)  # 500 ppm, the kernel's limit
        check.look()
    assert check.state.jumps == 0


def test_losing_and_finding_the_reference_is_said_once() -> None:
    machine = Machine()
    check = machine.check()
    with structlog.testing.capture_logs() as lines:
        for kernel in (IN_STEP, ADRIFT, ADRIFT, IN_STEP, IN_STEP):
            machine.kernel = kernel
            machine.passes(1)
            check.look()
    assert [line["event"] for line in lines] == ["clock_not_trusted", "clock_trusted"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="adjtimex(2) is Linux's")
def test_the_kernel_answers_and_its_clocks_go_on() -> None:
    found = read_kernel_clock()
    assert found is None or found.max_error_seconds >= 0
    before = unsettable_seconds()
    check = ClockCheck()
    assert check.look().jumps == 0
    assert unsettable_seconds() >= before
