"""`api.processes`: a real service of two processes on PostgreSQL, which one of them outlives and the other does not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from api.keys.store import KeyStore

pytestmark = [pytest.mark.system, pytest.mark.models("redis-server")]

WAIT_SECONDS = 60.0


class Service:
    """A running `aiqyn serve`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.address = f"http://127.0.0.1:{port}"
        self.log = log

    def further(self) -> int | None:
        """The process that only answers; None where there is none just now."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                command = stat.with_name("cmdline").read_bytes()
                parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if parent == self.process.pid and b"spawn_main" in command:
                return int(stat.parent.name)
        return None

    def wait(self, what: Callable[[], object]) -> None:
        """Waits until something holds."""
        until = time.monotonic() + WAIT_SECONDS
        while not what():
            assert time.monotonic() < until, self.log.read_text()[-4000:]
            time.sleep(0.1)

    def answers(self, connections: int = 12) -> list[httpx.Response]:
        """The health, over so many connections: they come to both processes, but for one time in two thousand."""
        found = []
        for _ in range(connections):
            with httpx.Client(timeout=10) as client:
                found.append(client.get(f"{self.address}/health"))
        return found

    def listening(self) -> int:
        """How many sockets listen on the port: one for each process that has begun to answer."""
        port = f":{int(self.address.rsplit(':', 1)[1]):04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(line[1].endswith(port) and line[3] == "0A" for line in lines)

    def well(self) -> bool:
        """Whether both processes answer, over every connection."""
        try:
            return self.listening() == 2 and all(one.status_code == httpx.codes.OK for one in self.answers())
        except httpx.TransportError:
            return False

    def notices(self) -> list[str]:
        """What there is to mend."""
        return list(httpx.get(f"{self.address}/ready", timeout=10).json()["notices"])


@contextmanager
def running(folder: Path, url: str) -> Iterator[Service]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "paths": {"data_dir": "data", "keys_dir": "keys"},
        "api": {"port": port, "database_url": url, "processes": 2},
    }
    (folder / "aiqyn.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    KeyStore.init(folder / "keys", data_dir=folder / "data")
    command = [sys.executable, "-m", "aiqyn", "serve", "--config", str(folder / "aiqyn.yaml")]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ)) as process,
    ):
        service = Service(process, port, folder / "log")
        try:
            yield service
        finally:
            process.kill()
            process.wait(30)


@pytest.fixture
def service(tmp_path: Path, url: str) -> Iterator[Service]:
    with running(tmp_path, url) as made:
        made.wait(lambda: made.well() and not made.notices())
        yield made


def test_every_process_says_how_the_one_service_fares(service: Service) -> None:
    answers = [one.json()["parts"] for one in service.answers()]
    assert all(parts == answers[0] for parts in answers)
    assert {"process", "hold-clock", "intake"} <= set(answers[0])
    counted = {
        httpx.get(f"{service.address}/metrics", timeout=10).text.count("aiqyn_build_info{") for _ in range(8)
    }
    assert counted == {1}


def test_one_that_is_killed_is_started_again_and_told_of(service: Service) -> None:
    killed = service.further()
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    service.wait(lambda: "process_ended" in service.log.read_text())
    service.wait(lambda: service.further() not in {None, killed} and service.well() and not service.notices())


def test_none_is_left_when_the_service_ends(service: Service) -> None:
    further = service.further()
    service.process.terminate()
    service.process.wait(30)
    service.wait(lambda: not alive(further))
    with pytest.raises(httpx.TransportError):
        service.answers()


def test_none_outlives_a_first_process_that_is_killed(service: Service) -> None:
    further = service.further()
    service.process.kill()
    service.wait(lambda: not alive(further))


def test_a_second_service_does_not_take_half_of_the_operators(service: Service, tmp_path: Path) -> None:
    settings = yaml.safe_load((tmp_path / "aiqyn.yaml").read_text("utf-8"))
    settings["paths"] = {"data_dir": "second", "keys_dir": "second-keys"}
    (tmp_path / "second.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    KeyStore.init(tmp_path / "second-keys", data_dir=tmp_path / "second")
    command = [sys.executable, "-m", "aiqyn", "serve", "--config", str(tmp_path / "second.yaml")]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode != 0
    assert "cannot be listened on" in second.stderr
    assert service.well()


def alive(process: int | None) -> bool:
    assert process is not None
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
