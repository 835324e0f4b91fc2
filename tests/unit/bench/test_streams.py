"""The benchmark of eight cameras: what its figures are made of."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from bench.streams import (
    Streams,
    difference,
    figures,
    latencies,
    memory_mb,
    sparse_stretches,
    stolen_seconds,
)
from pipelines.accounting import FrameAccounting

GOOD = FrameAccounting(read=144_000, decoded=144_000, not_sampled=115_200, gated=14_400, inferred=14_400)


def failed(found: Streams) -> list[str]:
    return [figure.name for figure in figures(found) if not figure.passed]


def steady(minutes: int = 30, mb: float = 1000.0, grows_by: float = 0.0) -> list[tuple[float, float]]:
    """Memory every five seconds; what it grows by is spread over the run."""
    end = minutes * 60.0
    return [(at, mb * (1 + grows_by * at / end)) for at in map(float, range(0, minutes * 60, 5))]


@pytest.fixture
def good() -> Streams:
    return Streams(1800.0, 20, GOOD, [0.2] * 99 + [3.0], steady())


def test_a_good_run_passes(good: Streams) -> None:
    assert failed(good) == []


def test_frames_dropped_by_a_machine_that_is_short_are_told(good: Streams) -> None:
    dropped = {"overtaken": 1, "stopped": 1}
    good.frames = FrameAccounting(read=144_000, decoded=144_000, inferred=143_998, dropped=dropped)
    assert good.dropped == {"overtaken": 1}
    assert failed(good) == ["frames dropped other than by rate and gate, overtaken 1"]


def test_frames_that_vanish_from_the_accounting_are_told(good: Streams) -> None:
    good.frames = FrameAccounting(read=129_600, decoded=129_600, not_sampled=115_200, inferred=14_400)
    assert failed(good) == ["frames told of by frames sent"]


def test_a_sparse_camera_shows_one_visit_in_each_round() -> None:
    for begin in (0.0, 30.0, 90.0):
        stretches = sparse_stretches((0.5, 4.5, 22.0), begin, 120.0)
        assert sum(until - since for since, until in stretches) == pytest.approx(120.0)
        visits = [number for number, (since, _) in enumerate(stretches) if since == 4.5]
        (visit,) = visits
        assert sum(until - since for since, until in stretches[:visit]) == pytest.approx(begin)
        assert all(
            0.5 <= since <= until <= 4.5 for since, until in stretches[:visit] + stretches[visit + 1 :]
        )


def test_a_camera_that_does_not_run_is_told(good: Streams) -> None:
    good.problems["busy-3"] = "waiting not_admitted: this machine is full"
    assert failed(good) == ["camera busy-3 runs"]


def test_late_candidates_are_told_and_none_at_all_is_no_proof(good: Streams) -> None:
    good.latencies_seconds = [0.2] * 80 + [3.0] * 20
    (late,) = failed(good)
    assert late.startswith("p95")
    good.latencies_seconds = []
    (none,) = failed(good)
    assert none.startswith("p95")


@pytest.mark.parametrize(("grows_by", "passes"), [(0.0, True), (0.03, True), (0.06, False), (-0.5, True)])
def test_memory_that_grows_is_told(good: Streams, grows_by: float, passes: bool) -> None:
    good.memory_mb = steady(grows_by=grows_by)
    assert (failed(good) == []) is passes


def test_memory_of_the_first_minutes_does_not_count(good: Streams) -> None:
    good.memory_mb = [(at, 300.0 if at < 290 else mb) for at, mb in good.memory_mb]
    assert failed(good) == []


def test_what_became_of_the_frames_between_two_moments() -> None:
    before = FrameAccounting(read=10, decoded=10, inferred=7, gated=1, dropped={"a": 1, "b": 1})
    after = FrameAccounting(read=20, decoded=20, inferred=14, gated=2, dropped={"a": 3, "b": 1})
    assert difference(after, before) == FrameAccounting(
        read=10, decoded=10, inferred=7, gated=1, dropped={"a": 2}
    )


def test_time_runs_from_the_deciding_picture_to_the_entry() -> None:
    decided = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    milliseconds = round(decided.timestamp() * 1000) + 250

    def received(candidate_id: str, revision: int) -> Any:
        candidate = SimpleNamespace(candidate_id=candidate_id, revision=revision)
        return SimpleNamespace(entry_id=f"{milliseconds}-0", candidate=candidate)

    found = latencies([received("a", 1), received("a", 2), received("b", 1)], {("a", 2): decided})
    assert found == [pytest.approx(0.25)]


@pytest.fixture
def child() -> Iterator[int]:
    waiting = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate(b"\n")


def test_memory_is_that_of_a_process_and_of_those_below_it(child: int) -> None:
    own = memory_mb(os.getpid())
    assert 0 < memory_mb(child) < own
    assert memory_mb(2**22 + 1) == 0


def test_what_the_host_took_is_told_beside_what_was_lost(good: Streams) -> None:
    good.stolen_seconds = [100.0, 100.5, 102.0, 102.1]
    told = next(figure for figure in figures(good) if "host" in figure.name)
    assert told.value == "2.1 s in all, at most 1.5 s within 5 s"
    assert stolen_seconds() >= 0
