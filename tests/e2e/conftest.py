"""Real Redis servers; a seeded service and its clients, whole and broken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from api.review.policies import ReviewPolicy
from tests.api_client import Clients, FakeChance, FakeClock
from tests.redis_server import api_redis, integrator_redis, redis_program, redis_server, worker_redis
from tests.seeds import seed
from tests.unguarded import open_unguarded_database

__all__ = ["api_redis", "integrator_redis", "redis_program", "redis_server", "worker_redis"]

POLICY = ReviewPolicy(hold=timedelta(seconds=10), control_share=0.0, control_spread=timedelta(0))


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[Clients]:
    """The service as it ships."""
    made = Clients(seed(tmp_path, policy=POLICY, clock=FakeClock(), chance=FakeChance()))
    yield made
    made.close()


@pytest.fixture
def unguarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    """The service over a database that refuses nothing; tests take further guards away themselves."""
    (tmp_path / "data").mkdir()
    monkeypatch.setattr("api.services.open_database", open_unguarded_database)
    made = Clients(seed(tmp_path, policy=POLICY, clock=FakeClock(), chance=FakeChance()))
    yield made
    made.close()
