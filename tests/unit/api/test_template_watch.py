"""`api.template_watch` on a real Redis: what workers report, and who is told of a refusal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from aiqyn.embedded.redis import EmbeddedRedis
from api.template_watch import CameraReport, CameraReports
from pipelines.streams import camera_key
from tests.api_client import Clients
from tests.redis_server import api_redis, redis_program, redis_server, worker_redis
from tests.seeds import CAMERA, DEPLOYMENT, Seeded, seed

__all__ = ["api_redis", "redis_program", "redis_server", "worker_redis"]


@pytest.fixture
def live(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[Seeded]:
    made = seed(
        tmp_path / "service",
        redis_url=redis_server.url,
        redis_username="api",
        redis_password=redis_server.password("api"),
    )
    yield made
    made.services.close()


STATE = {"worker_id": "w1", "deployment_id": "d1", "gallery_version": "3", "lists_refused": '{"d2": "why"}'}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, CameraReport("w1", "d1", 3, {"d2": "why"})),
        ({"gallery_version": ""}, CameraReport("w1", "d1", None, {"d2": "why"})),
        ({"gallery_version": "-1"}, CameraReport("w1", "d1", None, {"d2": "why"})),
        ({"gallery_version": "9" * 400}, CameraReport("w1", "d1", None, {"d2": "why"})),
        ({"lists_refused": "{"}, CameraReport("w1", "d1", 3, {})),
        ({"lists_refused": "[1]"}, CameraReport("w1", "d1", 3, {})),
        ({"lists_refused": "[" * 5000}, CameraReport("w1", "d1", 3, {})),
        ({"lists_refused": '{"d2": "two\\nlines"}'}, CameraReport("w1", "d1", 3, {"d2": "two lines"})),
    ],
)
def test_whatever_stands_there_is_read_as_a_report(
    api_redis: Redis, worker_redis: Redis, changes: dict[str, str], expected: CameraReport
) -> None:
    state: dict[Any, Any] = STATE | changes
    worker_redis.hset(camera_key(CAMERA), mapping=state)
    assert CameraReports(api_redis).of([CAMERA, "never-reported"]) == [expected]


def test_ready_says_that_a_list_is_refused_and_names_nobodys_list(live: Seeded, worker_redis: Redis) -> None:
    clients = Clients(live)
    assert live.services.templates is not None
    assert clients.http.get("/ready").json()["notices"] == []
    refused: dict[Any, Any] = {
        "worker_id": "w1",
        "lists_refused": json.dumps({DEPLOYMENT: "templates are of embedder X"}),
    }
    worker_redis.hset(camera_key(CAMERA), mapping=refused)
    live.services.templates.run_once()
    ready = clients.http.get("/ready")
    (notice,) = ready.json()["notices"]
    assert ready.status_code == 200  # people can still judge what there is
    assert "aiqyn enrol --refresh" in notice
    assert DEPLOYMENT not in notice
    assert live.services.templates.notices == (
        f"deployment {DEPLOYMENT}, worker w1: templates are of embedder X",
    )
    clients.close()
