"""The names of everything in Redis, and the connection to it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket
from typing import Any

from redis import ConnectionPool, Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.connection import SSLConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from pipelines.bus_address import BusSecurity, check_address, tls_context
from pipelines.errors import BusError

PREFIX = "aiqyn:"
CANDIDATES = f"{PREFIX}candidates"
CONFIRMED = f"{PREFIX}confirmed"
TRAFFIC = f"{PREFIX}traffic"
JOBS = f"{PREFIX}jobs"
DEAD = f"{PREFIX}dead"
CAMERA_PREFIX = f"{PREFIX}camera:"
PREVIEW_PREFIX = f"{PREFIX}preview:"
WANTED = "wanted:"
"""After `PREVIEW_PREFIX`: somebody looks at that camera. No camera's id may begin so."""
PREVIEW_WANTED_PREFIX = f"{PREVIEW_PREFIX}{WANTED}"
OVERLAYS_PREFIX = f"{PREFIX}overlays:"
CAMERAS_PREFIX = f"{PREFIX}cameras:"
GALLERY_PREFIX = f"{PREFIX}gallery:"
GALLERY_CHANNEL = f"{PREFIX}gallery"
GALLERY_INDEX = "index"
"""In the place of a deployment: the hash that lists a worker's galleries. No deployment may bear this name."""

API_GROUP = "api"
WORKERS_GROUP = "workers"
SCHEMA_FIELD = "schema"
EVENT_FIELD = "event"
REASON_FIELD = "reason"
TRACE_FIELD = "traceparent"
"""Beside a candidate where its worker traces it (W3C Trace Context); nothing that was signed, nothing to believe."""

ENTRY_FIELD = "entry_id"

CONNECT_TIMEOUT_SECONDS = 5.0
REPLY_TIMEOUT_SECONDS = 15.0
"""Longer than the longest blocking read (`pipelines.bus`), shorter than anyone's patience."""


def camera_key(camera_id: str) -> str:
    """The hash with a camera's state."""
    return f"{CAMERA_PREFIX}{camera_id}"


def preview_key(camera_id: str) -> str:
    """The redacted preview of a camera."""
    return f"{PREVIEW_PREFIX}{camera_id}"


def preview_wanted_key(camera_id: str) -> str:
    """Set by the service, with a time to live, while somebody looks at a camera's preview."""
    return f"{PREVIEW_WANTED_PREFIX}{camera_id}"


def overlays_key(camera_id: str) -> str:
    """What people drew on a camera's picture: set by the service, read by the camera's worker."""
    return f"{OVERLAYS_PREFIX}{camera_id}"


def cameras_key(worker_id: str) -> str:
    """The cameras the service gives a worker: set by the service, read by that worker."""
    return f"{CAMERAS_PREFIX}{worker_id}"


def gallery_key(deployment_id: str, worker_id: str) -> str:
    """The sealed gallery of one deployment for one worker."""
    return f"{GALLERY_PREFIX}{deployment_id}:{worker_id}"


def connect(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    retries: int = 3,
    security: BusSecurity | None = None,
) -> Redis:
    """A client that reconnects by itself; nothing is sent before its first command.

    Args:
        url: `unix:///path`, `redis://host:port` on this machine, or `rediss://host:port` (TLS; certificate and host
            name are always verified).
        username: the ACL user; None where the URL names it.
        password: its password; None where the URL holds it.
        retries: further attempts at a command when the connection is lost or does not answer.
        security: how the way there is protected; None: the system's authorities, and nothing in clear over a network.

    Raises:
        BusError: an address of another kind or one that is refused, or certificate files that cannot be used. The
            address is not repeated, it may hold a password.
    """
    security = security or BusSecurity()
    check_address(url, allow_plain=security.allow_plain)
    options: dict[str, Any] = {"username": username, "password": password}
    try:
        options |= parse_url(url)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError) as error:
        raise BusError(
            "redis.url: not an address of Redis; use unix:///path, redis://host:port or rediss://host:port"
        ) from error
    if options.get("connection_class") is SSLConnection:
        options |= {"connection_class": _VerifiedConnection, "context": tls_context(security)}
    pool = ConnectionPool(
        **options,
        protocol=2,
        driver_info=None,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=REPLY_TIMEOUT_SECONDS,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), retries),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )
    return Redis.from_pool(pool)


class _VerifiedConnection(SSLConnection):
    """TLS as `tls_context` says; redis-py's own would believe the system's authorities beside the one named."""

    def __init__(self, *, context: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self._context = context

    def _wrap_socket_with_ssl(self, sock: socket) -> ssl.SSLSocket:
        return self._context.wrap_socket(sock, server_hostname=self.host)


@contextmanager
def bus_errors(what: str) -> Iterator[None]:
    """Turns what redis-py raises into BusError: `what` could not be done, and why."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError) as error:
        raise BusError(f"{what}: Redis cannot be reached ({_reason(error)})") from error
    except RedisError as error:
        raise BusError(f"{what}: Redis refused: {error}") from error


def _reason(error: BaseException) -> str:
    """In a word or a line; a certificate that is not believed says why, as else nobody would find out."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not believed: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or 'it ended the connection'}"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def ensure_streams(redis: Redis) -> None:
    """Makes every stream and group that does not exist; the service does it before anyone else connects.

    A stream that exists cannot be made another kind of value by XADD or HSET, which Redis 6.2's rules need.

    Raises:
        BusError: Redis refused or is away.
    """
    try:
        _ensure_group(redis, CANDIDATES, API_GROUP)
        _ensure_group(redis, JOBS, WORKERS_GROUP)
        for stream in (CONFIRMED, TRAFFIC, DEAD):
            _ensure_group(redis, stream, API_GROUP)
            # No consumer reads it: a group that never acknowledges would hold up trimming for ever.
            redis.xgroup_destroy(stream, API_GROUP)
    except RedisError as error:
        raise BusError(f"cannot make the streams: {error}") from error


def _ensure_group(redis: Redis, stream: str, group: str) -> None:
    try:
        redis.xgroup_create(stream, group, id="0", mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise
