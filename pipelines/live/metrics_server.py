"""The worker's small HTTP endpoint: `/metrics`, `/health` and `/ready`, and nothing else.

It answers from threads of its own, so that a probe learns that the worker hangs instead of hanging with it. On this
machine's own address unless the settings say otherwise; beyond it metrics need a bearer token.
"""

from __future__ import annotations

import json
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from pipelines.config_metrics import MetricsAccess, MetricsSettings, check_metrics_address
from pipelines.errors import ConfigError
from pipelines.live.health import Answer, WorkerHealth
from pipelines.live.metrics import WorkerMetrics
from pipelines.metrics_registry import CONTENT_TYPE

MOST_AT_ONCE: Final = 8
REQUEST_SECONDS: Final = 5.0
"""A client that takes longer to ask, or to read the answer, is left."""

_CLOSE_SECONDS: Final = 0.1


class PortTakenError(ConfigError):
    """The address cannot be listened on: somebody else does, or it is none of this machine's."""


class MetricsServer:
    """Answers until it is closed; a context manager."""

    def __init__(
        self, settings: MetricsSettings, access: MetricsAccess, metrics: WorkerMetrics, health: WorkerHealth
    ) -> None:
        """
        Args:
            settings: where to listen; `metrics_port` is set.
            access: who may read the metrics.
            metrics: what is told.
            health: what probes are told.

        Raises:
            ConfigError: others could reach the address, and nothing guards it.
            PortTakenError: it cannot be listened on.
        """
        check_metrics_address(settings.metrics_host, access)
        port = settings.metrics_port or 0
        try:
            self._server = _Server(settings.metrics_host, port, access, metrics, health)
        except OSError as error:
            raise PortTakenError(
                f"worker.metrics_port: {settings.metrics_host}:{port} cannot be listened on: "
                f"{error.strerror or error}; choose another"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_CLOSE_SECONDS,), name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    """One thread a request, and few at once."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(
        self, host: str, port: int, access: MetricsAccess, metrics: WorkerMetrics, health: WorkerHealth
    ) -> None:
        bare = host.strip("[]")
        family, _, _, _, address = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)[0]
        self.address_family = family
        self.access, self.metrics, self.health = access, metrics, health
        self._places = threading.Semaphore(MOST_AT_ONCE)
        super().__init__((str(address[0]), port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Turns away whoever comes while all threads are taken."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers one request."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is no event of ours."""


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answers one of the three."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._metrics()
        elif path == "/health":
            self._probe(self.server.health.live())
        elif path == "/ready":
            self._probe(self.server.health.ready())
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"no such page\n")

    def version_string(self) -> str:
        """Names the program, not its parts and their versions."""
        return "aiqyn"

    def log_message(self, *_: object) -> None:
        """A probe every few seconds is not worth a line."""

    def _metrics(self) -> None:
        authorization = self.headers.get("Authorization")
        forwarded = any(self.headers.get(name) for name in ("Forwarded", "X-Forwarded-For"))
        if not self.server.access.allows(authorization, self.client_address[0], forwarded=forwarded):
            self._answer(HTTPStatus.UNAUTHORIZED, "text/plain", b"a bearer token is needed\n")
            return
        self._answer(HTTPStatus.OK, CONTENT_TYPE, self.server.metrics.registry.text())

    def _probe(self, answer: Answer) -> None:
        document = {
            "status": "ok" if answer.well else "unavailable",
            "parts": dict(answer.parts),
            "notices": list(answer.notices),
        }
        status = HTTPStatus.OK if answer.well else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, "application/json", json.dumps(document).encode())

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
