"""A whole worker in its real processes: supervisor here, decoders and a matching process with fake models beside it."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiqyn.embedded.redis import EmbeddedRedis
from pipelines.camera_status import WorkerReport
from pipelines.config import Config
from pipelines.live.children import Program
from pipelines.live.supervisor import Supervisor
from pipelines.live.supervisor_options import SupervisorOptions, SupervisorTimes
from tests.live_matcher import LOAD_VARIABLE, MEMORY_VARIABLE, SLOW_VARIABLE
from tests.template_scan import Leak, TemplateScanner
from tests.waiting import wait_until
from tests.worker_bench import Bench
from vision.types import Float32

ROOT = Path(__file__).parents[1]


class LiveBench(Bench):
    """As `Bench`; its cameras are decoded by processes of their own."""

    def __init__(self, tmp_path: Path, server: EmbeddedRedis, **times: float) -> None:
        super().__init__(tmp_path, server)
        self.times = SupervisorTimes(**times)
        self.standby = False
        self.load_seconds = 0.0
        self.slow = False
        self.report: WorkerReport | None = None

    def add_camera(self, camera_id: str, address: str, **settings: Any) -> None:
        """A live camera, every frame looked at."""
        usual = {
            "allow_local": True,
            "inference_fps": 10,
            "motion_gate": {"enabled": False},
            "max_pixels": 320 * 240,
        }
        self.cameras[camera_id] = {**usual, "source": address, **settings}

    def config(self) -> Config:
        """Its settings."""
        return Config.model_validate(
            {
                "paths": {"data_dir": self.tmp_path / "data", "keys_dir": self.tmp_path / "keys"},
                "worker": {"id": "w1"},
                "redis": {"username": "worker:w1", "password": self.server.password("worker:w1")},
                "cameras": self.cameras,
            }
        )

    def options(self, *, exit_when_done: bool = False) -> SupervisorOptions:
        """With the matching process of the tests."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            MEMORY_VARIABLE: str(memory_sockets(self.tmp_path) / "m"),
            LOAD_VARIABLE: str(self.load_seconds),
            SLOW_VARIABLE: "yes" if self.slow else "",
        }
        matcher = Program((sys.executable, "-m", "tests.live_matcher"), environment)
        options = SupervisorOptions(
            lambda: self.server.url, exit_when_done, standby=self.standby, matcher=matcher
        )
        decoder = replace(
            options.decoder, environment={**options.decoder.environment, "PYTHONPATH": str(ROOT)}
        )
        return replace(options, decoder=decoder, times=self.times)

    @contextmanager
    def supervised(self, *, exit_when_done: bool = False) -> Iterator[Supervisor]:
        """A supervisor in a thread; ended and joined on leaving. `report` is how it ended."""
        supervisor = Supervisor(self.config(), self.options(exit_when_done=exit_when_done))

        def run() -> None:
            self.report = supervisor.run()

        thread = threading.Thread(target=run, name="supervisor")
        thread.start()
        try:
            yield supervisor
        finally:
            supervisor.stop()
            thread.join(60)
        assert not thread.is_alive()

    def phase(self, camera_id: str = "gate") -> str:
        """What its hash says it does."""
        return self.state(camera_id).get("phase", "")

    def accounting(self, camera_id: str = "gate") -> dict[str, Any]:
        """What its hash says became of the frames."""
        return dict(json.loads(self.state(camera_id).get("frame_accounting", "{}")))


def matcher_pid(supervisor: Supervisor) -> int:
    """Of the matching process that runs; 0 where none does."""
    active = supervisor._active
    return active.child.pid if active is not None and active.beat_heard else 0


def decoder_pid(supervisor: Supervisor, camera_id: str = "gate") -> int:
    """Of a camera's decoder; 0 where none runs."""
    child = supervisor._slots[camera_id].child
    return child.pid if child is not None else 0


def memory_sockets(folder: Path) -> Path:
    """A folder of a bench's own with a short name: a socket's address has a hundred characters at most."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    place = Path(tempfile.gettempdir()) / f"m-{name}"
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def memory_of(bench: LiveBench, pid: int) -> bytes:
    """Every readable byte of a matching process."""
    path = memory_sockets(bench.tmp_path) / f"m.{pid}"
    wait_until(path.exists)
    parts = []
    with socket.socket(socket.AF_UNIX) as asker:
        asker.connect(str(path))
        while part := asker.recv(1 << 20):
            parts.append(part)
    return b"".join(parts)


def copies_in(memory: bytes, templates: Float32) -> list[Leak]:
    """Templates, or sixteen numbers in a row of one, in a process's memory: exact copies, scaled to length
    1 or not, where numbers lie.

    Memory is too large for the scan of every window that files get; that scan is made around what is found here.
    """
    rows = np.atleast_2d(np.asarray(templates, np.float32))
    scaled = rows / np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    scanner = TemplateScanner(rows)
    found: list[Leak] = []
    for number_type, bits in ((np.float32, np.uint32), (np.float64, np.uint64)):
        words = np.frombuffer(memory, bits, len(memory) // np.dtype(bits).itemsize)
        for row in np.concatenate([rows, scaled]).astype(number_type):
            wanted = row.view(bits)
            # A copy of part of it holds one of these, and the numbers behind it.
            for at in range(0, len(wanted), len(wanted) // 4):
                for place in np.flatnonzero(words == wanted[at]):
                    if np.array_equal(words[place : place + 16], wanted[at : at + 16]):
                        around = slice(max(0, place - 2 * len(wanted)), place + 2 * len(wanted))
                        where = f"memory, number {place}"
                        found += scanner.scan_bytes(words[around].tobytes(), where) or [
                            Leak(f"{where}, in part", int(place), row.dtype.name, 0.0)
                        ]
    return found


@pytest.fixture
def live_bench(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[LiveBench]:
    """A bench, closed on leaving."""
    bench = LiveBench(tmp_path, redis_server)
    yield bench
    bench.close()
