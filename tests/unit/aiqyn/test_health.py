"""`aiqyn.health`: what a container's health check asks, of either program."""

from __future__ import annotations

import pytest

from aiqyn.health import ask, health_address
from pipelines.config_metrics import MetricsAccess, MetricsSettings
from pipelines.live.health import STALE_AFTER_SECONDS, WorkerHealth
from pipelines.live.metrics import WorkerMetrics
from pipelines.live.metrics_server import MetricsServer


@pytest.mark.parametrize(
    ("command", "environment", "address"),
    [
        (b"/opt/aiqyn/bin/python\0/opt/aiqyn/bin/aiqyn\0serve\0", {}, "http://127.0.0.1:8750/health"),
        (b"aiqyn\0serve\0--tls-certificate\0x\0", {"AIQYN_API__PORT": "1"}, "https://127.0.0.1:1/health"),
        (b"aiqyn\0serve\0--tls-certificate=x\0", {}, "https://127.0.0.1:8750/health"),
        (b"/sbin/docker-init\0--\0aiqyn\0work\0", {}, "http://127.0.0.1:9108/health"),
        (b"aiqyn\0work\0", {"AIQYN_WORKER__METRICS_PORT": "2"}, "http://127.0.0.1:2/health"),
    ],
)
def test_it_asks_whichever_runs(command: bytes, environment: dict[str, str], address: str) -> None:
    assert health_address(command, environment) == address


def test_it_tells_life_from_hanging_and_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # never asked by way of a proxy
    seconds = 0.0
    health = WorkerHealth(monotonic=lambda: seconds)
    with MetricsServer(MetricsSettings(metrics_port=0), MetricsAccess(), WorkerMetrics(), health) as server:
        address = f"http://127.0.0.1:{server.port}/health"
        assert ask(address) is None
        seconds = STALE_AFTER_SECONDS + 1
        assert "hangs" in (ask(address) or "")
    assert "refused" in (ask(address) or "")
