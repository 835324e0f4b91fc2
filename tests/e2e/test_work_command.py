"""`aiqyn work` as a process of its own: real models, real Redis, started and ended as a supervisor does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.embedded.redis_server import RedisServer
from api.keys.store import KeyStore
from pipelines.acl import WorkerAccount
from pipelines.streams import camera_key
from tests.worker_bench import ANN, record

pytestmark = pytest.mark.models


@pytest.fixture
def config(tmp_path: Path) -> Path:
    recording = record(tmp_path / "gate.mkv", [ANN], pictures=4)
    settings = {
        "paths": {"data_dir": "data", "keys_dir": "keys"},
        "worker": {"id": "w1"},
        "cameras": {"gate": {"source": str(recording)}},
    }
    path = tmp_path / "aiqyn.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture
def running_redis(redis_program: RedisServer, config: Path) -> Iterator[EmbeddedRedis]:
    """A server on the same data folder: the worker finds it, and gets in with the password of its keys."""
    store = KeyStore.init(config.parent / "keys")
    store.create_worker("w1")
    with EmbeddedRedis(
        redis_program,
        config.parent / "data",
        workers=[WorkerAccount("w1", ("gate",))],
        passwords=store.redis_passwords(),
    ) as server:
        yield server


@contextmanager
def work(config: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "aiqyn", "work", "--config", str(config), "--json", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIQYN_REDIS")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def phase_of(server: EmbeddedRedis) -> str | None:
    with server.connect() as client:
        fields: Any = client.hgetall(camera_key("gate"))
    return fields[b"phase"].decode() if fields else None


def test_it_waits_for_a_deployment_and_ends_when_asked(running_redis: EmbeddedRedis, config: Path) -> None:
    with work(config) as process:
        deadline = time.monotonic() + 60
        while phase_of(running_redis) != "waiting":
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert core.split()[4:6] == ["0", "0"]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    document = json.loads(out)
    assert document["cameras"]["gate"]["phase"] == "stopped"
    assert document["candidates_waiting"] == 0
    assert phase_of(running_redis) == "stopped"
    for line in err.splitlines():
        assert json.loads(line)["event"]
    password = KeyStore.open(config.parent / "keys").redis_passwords()["worker:w1"]
    assert password not in out + err


def test_without_redis_it_says_what_to_do(config: Path) -> None:
    KeyStore.init(config.parent / "keys").create_worker("w1")
    with work(config) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("error: redis.url is not set")
    assert err.count("\n") == 1


def test_without_keys_it_says_what_to_do(config: Path) -> None:
    with work(config) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "aiqyn keys init" in err
    assert err.count("\n") == 1
