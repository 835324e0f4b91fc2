"""A worker in its real processes, watched from outside: its endpoint outlives the matching process that answers it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import httpx
import pytest

from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.embedded.stack import free_port
from pipelines.config import Config
from pipelines.live.gaps import GapLog
from tests.live_bench import LiveBench, matcher_pid
from tests.live_camera import live_camera
from tests.redis_server import redis_program, redis_server
from tests.waiting import wait_until
from tests.worker_bench import STRANGER

pytestmark = pytest.mark.system  # takes its time

__all__ = ["redis_program", "redis_server"]


class ObservedBench(LiveBench):
    """As `LiveBench`, with a port."""

    port = 0

    def config(self) -> Config:
        """With where it answers."""
        config = super().config()
        worker = config.worker.model_copy(update={"metrics_port": self.port})
        return config.model_copy(update={"worker": worker})

    def get(self, path: str) -> httpx.Response | None:
        """What the worker answers; None where nobody does."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)
        except httpx.TransportError:
            return None

    def tells(self, line: str) -> bool:
        """Whether a line stands in its metrics."""
        response = self.get("/metrics")
        return response is not None and line in response.text.splitlines()


def test_a_killed_matcher_is_seen_counted_and_answered_for_again(
    tmp_path: Path, redis_server: EmbeddedRedis
) -> None:
    bench = ObservedBench(tmp_path, redis_server)
    bench.port = free_port(0)
    bench.publish()
    with live_camera([STRANGER]) as camera:
        bench.add_camera("gate", camera.address)
        watch_a_kill(bench)
    assert bench.get("/health") is None
    told = json.loads(bench.state("gate")["gaps"])["gaps"]
    away = [gap for gap in told if gap["reason"] == "worker_away"]
    bench.close()
    assert len(away) == 1
    assert away[0]["ended_by_restart"]
    with GapLog(tmp_path / "data" / "gaps" / "w1") as log:
        assert [gap.reason for gap in log.newest("gate")].count("worker_away") >= 1


def watch_a_kill(bench: ObservedBench) -> None:
    """Kills the matching process once it runs, and waits until the next one answers for it."""
    with bench.supervised() as supervisor:
        wait_until(
            lambda: bench.tells('aiqyn_camera_phase{camera_id="gate",phase="running"} 1.0'), seconds=60
        )
        health = bench.get("/health")
        assert health is not None
        assert health.json()["parts"] == {"process": "ok", "matcher": "ok"}
        killed = matcher_pid(supervisor)
        os.kill(killed, signal.SIGKILL)
        replaced = 'aiqyn_process_replacements_total{process="matcher",why="signal"} 1.0'
        wait_until(lambda: bench.tells(replaced), seconds=60)
        ready = bench.get("/ready")
        assert ready is not None
        assert {"matcher", "models", "bus", "clock"} <= set(ready.json()["parts"])
        wait_until(lambda: "worker_away" in bench.state("gate").get("gaps", ""), seconds=20)
