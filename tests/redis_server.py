"""Fixtures with a real Redis: each test runs on every kind of server Aiqyn promises to run on.

A folder whose tests use them imports them in its `conftest.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from redis import Redis

from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.embedded.redis_server import PROGRAMS, RedisServer, inspect_server
from pipelines.acl import WorkerAccount
from pipelines.config import load_config
from weights.catalog import load_catalog
from weights.errors import WeightsError
from weights.store import WeightStore

KINDS = (
    "6.2",
    pytest.param("7", marks=pytest.mark.system),
    pytest.param("valkey", marks=pytest.mark.system),
)
"""The oldest server we carry, without selectors; the machine's own of 7.0 or newer, with them: a Debian package;
and Valkey, the machine's own or the one in the weights cache. All but the first are run by `make test-system`."""

WORKERS = (WorkerAccount("w1", ("gate", "yard", "lane")), WorkerAccount("w2", ("dock",)))
INTEGRATORS = ("control-room",)


@cache
def find_kind(kind: str) -> RedisServer | str:
    """The server of that kind, or why there is none."""
    if kind == "6.2":
        return _from_cache("redis-server")
    if kind == "valkey":
        found = shutil.which("valkey-server")
        return _from_cache("valkey-server") if found is None else inspect_server(Path(found))
    for name in reversed(PROGRAMS):
        found = shutil.which(name)
        if found is not None and (server := inspect_server(Path(found))).version >= (7, 0, 0):
            return server
    return "this machine has no redis-server or valkey-server of 7.0 or newer"


def _from_cache(entry_id: str) -> RedisServer | str:
    try:
        store = WeightStore(load_config(None).paths.weights_dir, load_catalog())
        return inspect_server(store.path(entry_id), origin="weights")
    except WeightsError:
        return f"the weights cache lacks {entry_id}: run `make weights-test`"


@pytest.fixture(params=KINDS)
def redis_program(request: pytest.FixtureRequest) -> RedisServer:
    """The server program, of each kind in turn; a missing one is skipped by name."""
    server = find_kind(request.param)
    if isinstance(server, str):
        pytest.skip(server)
    return server


@pytest.fixture
def redis_server(redis_program: RedisServer, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A running private server with the accounts of `WORKERS` and `INTEGRATORS`."""
    with EmbeddedRedis(redis_program, tmp_path / "data", workers=WORKERS, integrators=INTEGRATORS) as server:
        yield server


@pytest.fixture
def api_redis(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    """A client of the service."""
    with redis_server.connect() as client:
        yield client


@pytest.fixture
def worker_redis(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    """A client of worker `w1`."""
    with redis_server.connect("worker:w1") as client:
        yield client


@pytest.fixture
def integrator_redis(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    """A client of the integrator `control-room`."""
    with redis_server.connect("integrator:control-room") as client:
        yield client
