"""The short version of line 2 of issue 3: killed workers, a killed Redis, a killed service, a full spool."""

from __future__ import annotations

import pytest

from aiqyn.embedded.redis_server import RedisServer
from bench.acceptance.kills import KillPlan, measure
from tests.redis_server import find_kind

pytestmark = pytest.mark.system

PLAN = KillPlan(
    worker_kills=4,
    outage_seconds=3.0,
    intake_kills=1,
    service_kills=0,
    overflow=10,
    limit_bytes=64 * 1024,
    pause_seconds=0.02,
)


def test_every_candidate_that_was_spooled_is_shown_once() -> None:
    server = find_kind("7")
    assert isinstance(server, RedisServer), server
    found = list(measure(PLAN, server))
    assert [f"{figure.name}: {figure.value} ({figure.target})" for figure in found if not figure.passed] == []
    assert len(found) == 14
