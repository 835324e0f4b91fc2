"""`aiqyn serve` and `aiqyn work` on defaults alone: no settings but folders, no Redis but the private one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aiqyn.embedded.stack import free_port
from api.keys.store import KeyStore

pytestmark = pytest.mark.models("redis-server")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A running service on fresh folders: its settings file and its address."""
    port = free_port(0)
    settings = tmp_path / "aiqyn.yaml"
    settings.write_text(f"paths: {{data_dir: data, keys_dir: keys}}\napi: {{port: {port}}}\n")
    KeyStore.init(tmp_path / "keys", data_dir=tmp_path / "data").create_worker("worker-1")
    log = (tmp_path / "serve.log").open("wb")
    command = [sys.executable, "-m", "aiqyn", "serve", "--config", str(settings)]
    with log, subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ)) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(address, process, tmp_path / "serve.log")
            yield settings, address
        finally:
            process.terminate()
            process.wait(20)


def test_the_service_brings_its_own_redis(served: tuple[Path, str]) -> None:
    settings, address = served
    assert httpx.get(f"{address}/ready").json()["parts"]["bus"] == "ok"
    assert (settings.parent / "data" / "redis" / "address").read_text().startswith("unix://")


def test_a_second_service_on_the_same_folder_says_so(served: tuple[Path, str]) -> None:
    settings, _ = served
    command = [sys.executable, "-m", "aiqyn", "serve", "--config", str(settings), "--port", str(free_port(0))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "another embedded Redis runs on this data folder" in done.stderr
    assert "Traceback" not in done.stderr


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{address}/ready", timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"not ready: {log.read_text()}")
