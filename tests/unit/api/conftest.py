"""A seeded service and its clients, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_client import Clients, FakeChance, FakeClock
from tests.seeds import Seeded, seed


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def chance() -> FakeChance:
    return FakeChance()


@pytest.fixture
def seeded(tmp_path: Path, clock: FakeClock, chance: FakeChance) -> Iterator[Seeded]:
    made = seed(tmp_path, clock=clock, chance=chance)
    yield made
    made.services.close()


@pytest.fixture
def clients(seeded: Seeded) -> Iterator[Clients]:
    made = Clients(seeded)
    yield made
    made.close()
