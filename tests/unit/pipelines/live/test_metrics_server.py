"""`pipelines.live.metrics_server` and `.health`: who may read metrics, and what probes are told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipelines.config_metrics import MetricsAccess, MetricsSettings, check_metrics_address, metrics_access
from pipelines.errors import ConfigError
from pipelines.live.clock_check import ClockState
from pipelines.live.health import STALE_AFTER_SECONDS, WorkerHealth
from pipelines.live.metrics import SpoolState, WorkerMetrics
from pipelines.live.metrics_server import MOST_AT_ONCE, MetricsServer
from tests.waiting import wait_until

TOKEN = "a-token-that-is-long-enough"
LOCAL = MetricsSettings(metrics_port=0)
EMPTY, FULL = SpoolState(limit_bytes=1000), SpoolState(entries=9, size_bytes=950, limit_bytes=1000)
IN_STEP = ClockState(True, 0.01)


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def well(health: WorkerHealth) -> WorkerHealth:
    health.models_loaded()
    health.bus(reachable=True, spool=EMPTY)
    health.clock(IN_STEP)
    return health


@pytest.fixture
def health() -> WorkerHealth:
    return well(WorkerHealth())


def serving(health: WorkerHealth, access: MetricsAccess, settings: MetricsSettings = LOCAL) -> MetricsServer:
    return MetricsServer(settings, access, WorkerMetrics(), health)


@pytest.fixture
def server(health: WorkerHealth) -> Iterator[MetricsServer]:
    with serving(health, MetricsAccess()) as running:
        yield running


def get(server: MetricsServer, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", headers=headers, timeout=10)


class TestMetrics:
    def test_this_machine_may_read_them(self, server: MetricsServer) -> None:
        response = get(server, "/metrics")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "aiqyn_build_info" in response.text
        assert "aiqyn_process_resident_memory_bytes" in response.text

    @pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For"])
    def test_what_a_proxy_passes_on_is_not_this_machine(self, server: MetricsServer, header: str) -> None:
        assert get(server, "/metrics", **{header: "for=10.0.0.9"}).status_code == 401

    @pytest.mark.parametrize(
        ("authorization", "status"),
        [
            (f"Bearer {TOKEN}", 200),
            (f"bearer {TOKEN}", 200),
            (f"Basic {TOKEN}", 401),
            (f"Bearer {TOKEN[:-1]}", 401),
            ("Bearer", 401),
            (None, 401),  # with a token set, this machine needs it too
        ],
    )
    def test_with_a_token_everybody_needs_it(
        self, health: WorkerHealth, authorization: str | None, status: int
    ) -> None:
        with serving(health, MetricsAccess(TOKEN)) as running:
            headers = {} if authorization is None else {"Authorization": authorization}
            response = get(running, "/metrics", **headers)
            assert response.status_code == status
            assert ("aiqyn_" in response.text) == (status == 200)
            assert TOKEN not in response.text

    def test_other_pages_and_methods_are_not_there(self, server: MetricsServer) -> None:
        assert get(server, "/").status_code == 404
        assert get(server, "/metrics/../secrets").status_code == 404
        assert httpx.post(f"http://127.0.0.1:{server.port}/metrics").status_code == 501
        assert "Python" not in get(server, "/").headers["server"]


class TestAccess:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "::ffff:127.0.0.1"])
    def test_loopback_needs_no_token(self, host: str) -> None:
        check_metrics_address(host, MetricsAccess())

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "example.org", "::ffff:10.0.0.5"])  # noqa: S104
    def test_beyond_this_machine_only_with_one(self, health: WorkerHealth, host: str) -> None:
        with pytest.raises(ConfigError, match="AIQYN_METRICS_TOKEN"):
            serving(health, MetricsAccess(), MetricsSettings(metrics_host=host, metrics_port=0))
        check_metrics_address(host, MetricsAccess(TOKEN))

    @pytest.mark.parametrize("token", ["short", "x" * 19, "қ" * 40])
    def test_a_token_somebody_thought_up_is_refused(self, token: str) -> None:
        with pytest.raises(ConfigError, match="AIQYN_METRICS_TOKEN: needs 20") as raised:
            metrics_access({"AIQYN_METRICS_TOKEN": token})
        assert token not in str(raised.value)

    def test_the_token_is_a_variable_or_a_secret_file(self, tmp_path: Path) -> None:
        (tmp_path / "aiqyn_metrics_token").write_text(f"{TOKEN}\n")
        assert metrics_access({}, tmp_path) == MetricsAccess(TOKEN)
        assert metrics_access({"AIQYN_METRICS_TOKEN": TOKEN[::-1]}, tmp_path) == MetricsAccess(TOKEN[::-1])
        assert metrics_access({}, tmp_path / "none") == MetricsAccess()
        assert TOKEN not in repr(MetricsAccess(TOKEN))

    def test_a_port_that_is_taken_is_one_line(self, health: WorkerHealth, server: MetricsServer) -> None:
        with pytest.raises(ConfigError, match=r"worker\.metrics_port: .*cannot be listened on"):
            serving(health, MetricsAccess(), MetricsSettings(metrics_port=server.port))


class TestProbes:
    def test_all_is_well(self, server: MetricsServer) -> None:
        assert get(server, "/health").json()["parts"] == {"process": "ok", "matcher": "ok"}
        ready = get(server, "/ready")
        assert ready.status_code == 200
        assert set(ready.json()["parts"]) == {"process", "matcher", "models", "bus", "clock"}

    def test_a_matcher_that_hangs_is_seen_by_both(self) -> None:
        watch = Stopwatch()
        health = well(WorkerHealth(monotonic=watch))
        with serving(health, MetricsAccess()) as running:
            watch.seconds = STALE_AFTER_SECONDS + 1
            for path in ("/health", "/ready"):
                response = get(running, path)
                assert response.status_code == 503
                assert response.json()["parts"]["matcher"] == "hangs"
            health.turned()
            assert get(running, "/health").status_code == 200

    def test_a_worker_that_said_nothing_yet_lives_and_is_not_ready(self) -> None:
        with serving(WorkerHealth(), MetricsAccess()) as running:
            assert get(running, "/health").status_code == 200
            assert get(running, "/ready").json()["parts"]["models"] == "not loaded"

    def test_without_redis_the_spool_must_have_room(
        self, server: MetricsServer, health: WorkerHealth
    ) -> None:
        health.bus(reachable=False, spool=EMPTY)
        response = get(server, "/ready")
        assert response.status_code == 200
        assert response.json()["notices"] == ["Redis is away; candidates wait on disk"]
        health.bus(reachable=False, spool=FULL)
        assert get(server, "/ready").status_code == 503
        health.bus(reachable=True, spool=FULL)
        assert get(server, "/ready").json()["notices"] == []

    def test_a_clock_adrift_is_said(self, server: MetricsServer, health: WorkerHealth) -> None:
        health.clock(ClockState(False, None))
        response = get(server, "/ready")
        assert (response.status_code, response.json()["parts"]["clock"]) == (503, "not synchronised")
        assert get(server, "/health").status_code == 200  # starting anew would not mend it
        health.clock(ClockState(None, None))
        response = get(server, "/ready")
        assert response.status_code == 200
        assert "does not say" in response.json()["notices"][0]


def test_clients_that_only_connect_do_not_keep_others_out_for_ever(server: MetricsServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(MOST_AT_ONCE)]

    def answers() -> bool:
        try:
            return get(server, "/health").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(lambda: not answers(), seconds=5)
    for one in silent:
        one.close()
    wait_until(answers, seconds=10)
