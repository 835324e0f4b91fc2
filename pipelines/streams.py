"""The names of everything in Redis, and the connection to it."""

from __future__ import annotations

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

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
GALLERY_PREFIX = f"{PREFIX}gallery:"
GALLERY_CHANNEL = f"{PREFIX}gallery"
GALLERY_INDEX = "index"
"""In the place of a deployment: the hash that lists a worker's galleries. No deployment may bear this name."""

API_GROUP = "api"
WORKERS_GROUP = "workers"
SCHEMA_FIELD = "schema"
EVENT_FIELD = "event"
REASON_FIELD = "reason"

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


def gallery_key(deployment_id: str, worker_id: str) -> str:
    """The sealed gallery of one deployment for one worker."""
    return f"{GALLERY_PREFIX}{deployment_id}:{worker_id}"


def connect(url: str, *, username: str | None = None, password: str | None = None, retries: int = 3) -> Redis:
    """A client that reconnects by itself; nothing is sent before its first command.

    Args:
        url: `unix:///path`, `redis://host:port` or `rediss://host:port` (TLS, certificates verified).
        username: the ACL user; None where the URL names it.
        password: its password; None where the URL holds it.
        retries: further attempts at a command when the connection is lost or does not answer.

    Raises:
        BusError: an address of another kind. The address is not repeated, it may hold a password.
    """
    credentials = {"username": username, "password": password}
    try:
        return Redis.from_url(
            url,
            **{name: value for name, value in credentials.items() if value is not None},
            protocol=2,
            driver_info=None,
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
            socket_timeout=REPLY_TIMEOUT_SECONDS,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), retries),
            retry_on_error=[RedisConnectionError, RedisTimeoutError],
        )
    except (ValueError, TypeError) as error:
        raise BusError(
            "redis.url: not an address of Redis; use unix:///path, redis://host:port or rediss://host:port"
        ) from error


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
