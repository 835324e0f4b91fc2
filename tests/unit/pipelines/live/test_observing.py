"""`pipelines.live.observing`: a whole worker as it is watched, and what becomes of its figures."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import structlog

from aiqyn.embedded.redis import EmbeddedRedis
from pipelines.accounting import FrameAccounting
from pipelines.camera_status import CameraStatus, Phase
from pipelines.config_metrics import MetricsSettings
from pipelines.evidence import EvidenceState
from pipelines.live.clock_check import ClockCheck, KernelClock
from pipelines.live.gaps import GapLog
from pipelines.live.metrics import SpoolState
from pipelines.live.observing import Observing, WorkerView
from pipelines.live.schedule import FairTurns
from pipelines.worker_place import WorkerPlace
from tests.redis_server import redis_program, redis_server
from tests.unit.pipelines.live.test_metrics import values
from tests.waiting import wait_until
from tests.worker_bench import ANN, Bench

__all__ = ["redis_program", "redis_server"]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def bench(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[Bench]:
    bench = Bench(tmp_path, redis_server)
    yield bench
    bench.close()


def in_step() -> ClockCheck:
    return ClockCheck(kernel=lambda: KernelClock(True, 0.01))


def test_a_whole_worker_is_counted_and_answers(bench: Bench) -> None:
    bench.add_recording("gate", [ANN], pictures=8)
    bench.publish()
    observing = Observing(clock=in_step())
    worker = bench.worker(place=WorkerPlace(observing=observing))
    thread = threading.Thread(target=worker.run)
    server = observing.serve(MetricsSettings(metrics_port=0))
    assert server is not None
    with server:
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.port}"
            published = 'aiqyn_candidates_published_total{camera_id="gate"} 1.0'
            wait_until(lambda: published in httpx.get(f"{address}/metrics").text, seconds=20)
            found = values(observing.metrics)
            ready = httpx.get(f"{address}/ready")
            assert (ready.status_code, ready.json()["notices"]) == (200, [])
            assert httpx.get(f"{address}/health").status_code == 200
        finally:
            worker.stop()
            thread.join(30)
    assert not thread.is_alive()
    read = found["aiqyn_frames_read_total{camera_id=gate}"]
    fates = [value for name, value in found.items() if name.startswith("aiqyn_frames_total")]
    assert read == sum(fates) > 0
    assert found["aiqyn_camera_configured_fps{camera_id=gate}"] == 5.0
    assert found["aiqyn_clock_synchronised"] == 1
    assert found["aiqyn_bus_up"] == found["aiqyn_evidence_up"] == 1
    assert found["aiqyn_spool_limit_bytes"] > 0


def test_without_a_port_nothing_answers() -> None:
    assert Observing().serve(MetricsSettings()) is None


def test_a_port_that_is_taken_stops_no_camera() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, structlog.testing.capture_logs() as lines:
        assert Observing().serve(MetricsSettings(metrics_port=taken.getsockname()[1])) is None
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["metrics_not_served"]


def test_calls_of_a_model_are_timed_and_counted() -> None:
    observing = Observing()
    with observing.watch_of("centerface")(4):
        time.sleep(0.002)
    found = values(observing.metrics)
    assert found["aiqyn_inference_seconds_count{model_id=centerface}"] == 1
    assert found["aiqyn_inference_seconds_sum{model_id=centerface}"] >= 0.002
    assert found["aiqyn_inference_batch_size_sum{model_id=centerface}"] == 4


class Looks:
    """An observed worker of one camera, looked at whenever a test says so."""

    def __init__(self, gaps: GapLog) -> None:
        self.observing = Observing(clock=in_step())
        self.gaps = gaps
        self.status = CameraStatus(Phase.RUNNING)

    def look(self, *, bus_reachable: bool = True) -> dict[str, float]:
        view = WorkerView(
            {"gate": self.status},
            SpoolState(limit_bytes=100),
            bus_reachable,
            EvidenceState(),
            self.gaps,
            FairTurns(),
        )
        self.observing._next_seconds = 0.0
        self.observing.turned(lambda: view)
        return values(self.observing.metrics)


@pytest.fixture
def looks(tmp_path: Path) -> Iterator[Looks]:
    with GapLog(tmp_path / "gaps") as gaps:
        yield Looks(gaps)


SECONDS = "aiqyn_camera_gap_seconds_total{camera_id=gate,reason=stalled}"
COUNT = "aiqyn_camera_gaps_total{camera_id=gate,reason=stalled}"
IN_GAP = "aiqyn_camera_in_gap{camera_id=gate}"


def test_a_gap_grows_while_it_lasts_and_is_counted_once(looks: Looks) -> None:
    began = datetime.now(UTC) - timedelta(seconds=30)
    assert looks.look()[IN_GAP] == 0
    looks.gaps.note("gate", "stalled", began, None)
    found = looks.look()
    assert (found[IN_GAP], found[COUNT]) == (1, 1)
    assert 30 <= found[SECONDS] < 60
    looks.gaps.note("gate", "stalled", began, began + timedelta(seconds=90))
    found = looks.look()
    assert (found[IN_GAP], found[COUNT]) == (0, 1)
    assert found[SECONDS] == pytest.approx(90)
    assert looks.look()[SECONDS] == pytest.approx(90)


def test_gaps_of_an_earlier_process_are_not_counted_again(looks: Looks) -> None:
    looks.gaps.note("gate", "stalled", NOON, NOON + timedelta(seconds=5))
    assert SECONDS not in looks.look()


def test_when_the_last_frame_came_moves_with_the_frames(looks: Looks) -> None:
    name = "aiqyn_camera_last_frame_timestamp_seconds{camera_id=gate}"
    assert name not in looks.look()  # nothing came yet: no time is made up
    looks.status = CameraStatus(
        Phase.RUNNING, frame_accounting=FrameAccounting(read=1, decoded=1, inferred=1)
    )
    first = looks.look()[name]
    assert abs(first - time.time()) < 60
    assert looks.look()[name] == first


def test_a_bus_that_is_away_is_seen(looks: Looks) -> None:
    assert looks.look(bus_reachable=False)["aiqyn_bus_up"] == 0
    assert looks.observing.health.ready().notices == ("Redis is away; candidates wait on disk",)


def test_a_view_is_asked_for_once_a_second_and_the_turn_counts_always() -> None:
    observing = Observing(clock=in_step())
    observing._next_seconds = time.monotonic() + 60

    def never() -> WorkerView:
        raise AssertionError("asked")

    observing.turned(never)
    assert observing.health.live().well
