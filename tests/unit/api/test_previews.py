"""Previews over HTTP: who may look, that looking is noted once, and that what a worker writes is not believed blindly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import select

from aiqyn.embedded.redis import EmbeddedRedis
from api.previews import MAX_PREVIEW_BYTES, ONE_LOOK
from api.store.models import LedgerEntry
from pipelines.streams import preview_key, preview_wanted_key
from tests.api_client import Clients, FakeClock
from tests.redis_server import redis_program, redis_server, worker_redis
from tests.seeds import CAMERA, seed

__all__ = ["redis_program", "redis_server", "worker_redis"]

PATH = f"/cameras/{CAMERA}/preview"
JPEG = b"\xff\xd8\xff a jpeg"


@pytest.fixture
def clients(tmp_path: Path, redis_server: EmbeddedRedis, clock: FakeClock) -> Iterator[Clients]:
    made = Clients(
        seed(
            tmp_path / "service",
            clock=clock,
            redis_url=redis_server.url,
            redis_username="api",
            redis_password=redis_server.password("api"),
        )
    )
    yield made
    made.close()


@pytest.fixture
def previews(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    """Who writes previews: the worker itself, or a user of its own before Redis 7."""
    old = redis_server.server.version < (7, 0)
    with redis_server.connect("worker:w1:previews" if old else "worker:w1") as client:
        yield client


def looks(clients: Clients) -> list[str]:
    with clients.seeded.services.database.read() as session:
        rows = session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "preview_viewed"))
        return [json.loads(row.document)["object"] for row in rows]


def test_asked_first_and_then_shown(clients: Clients, previews: Redis, worker_redis: Redis) -> None:
    person = clients.login("aigul")
    pending = person.get(PATH)
    assert (pending.status_code, pending.content, pending.headers["retry-after"]) == (204, b"", "1")
    assert worker_redis.get(preview_wanted_key(CAMERA)) == b"1"
    previews.set(preview_key(CAMERA), JPEG, px=4000)
    shown = person.get(PATH)
    assert (shown.status_code, shown.content) == (200, JPEG)
    assert (shown.headers["content-type"], shown.headers["cache-control"]) == ("image/jpeg", "no-store")


@pytest.mark.parametrize(("username", "status"), [("saule", 204), ("erlan", 204), ("root", 403)])
def test_who_may_look(clients: Clients, username: str, status: int) -> None:
    assert clients.login(username).get(PATH).status_code == status


def test_a_camera_that_is_not_there(clients: Clients) -> None:
    assert clients.login("aigul").get("/cameras/nowhere/preview").status_code == 404


@pytest.mark.parametrize("content", [b"<script>", b"", JPEG + b"x" * MAX_PREVIEW_BYTES])
def test_what_is_no_small_jpeg_is_not_shown(clients: Clients, previews: Redis, content: bytes) -> None:
    previews.set(preview_key(CAMERA), content)
    assert clients.login("aigul").get(PATH).status_code == 204


def test_looking_is_noted_once_a_look(clients: Clients, clock: FakeClock) -> None:
    one, other = clients.login("aigul"), clients.login("daniyar")
    for _ in range(5):
        one.get(PATH)
        other.get(PATH)
        clock.forward(seconds=1)
    assert looks(clients) == [f"camera:{CAMERA}"] * 2
    clock.now += ONE_LOOK + timedelta(seconds=1)
    one.get(PATH)
    assert len(looks(clients)) == 3
