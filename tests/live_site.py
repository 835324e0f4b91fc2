"""A worker in its real processes whose settings lie in a file, to be changed while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import yaml

from pipelines.live.reloading import reread_config
from pipelines.live.supervisor import Supervisor
from pipelines.live.supervisor_options import SupervisorOptions
from tests.live_bench import LiveBench
from tests.waiting import wait_until


class Site:
    """A worker whose settings lie in a file."""

    def __init__(self, bench: LiveBench) -> None:
        self.bench = bench
        self.path = bench.tmp_path / "aiqyn.yaml"
        self.defaults: dict[str, Any] = {}

    def write(self) -> None:
        """The bench's cameras, as settings of a file."""
        document = {
            "paths": {"data_dir": "data", "keys_dir": "keys"},
            "worker": {"id": "w1"},
            "camera_defaults": self.defaults,
            "cameras": self.bench.cameras,
        }
        self.path.write_text(yaml.safe_dump(document))

    @contextmanager
    def working(self) -> Iterator[Supervisor]:
        """A supervisor that can read the file again."""
        self.write()
        options = self.bench.options
        environment = {
            "AIQYN_REDIS__USERNAME": "worker:w1",
            "AIQYN_REDIS_PASSWORD": self.bench.server.password("worker:w1"),
        }

        def reading(**given: Any) -> SupervisorOptions:
            return replace(
                options(**given), read_settings=lambda: reread_config(self.path, environment=environment)
            )

        self.bench.options = reading  # type: ignore[method-assign]
        with self.bench.supervised() as supervisor:
            if self.defaults:
                supervisor.reload()
            yield supervisor

    def reload(self, supervisor: Supervisor) -> None:
        """Writes the file and says so."""
        self.write()
        supervisor.reload()

    def inferred(self, camera_id: str) -> int:
        """Frames looked at so far, as its hash has them."""
        return int(self.bench.accounting(camera_id).get("inferred", 0))

    def goes_on(self, camera_id: str) -> None:
        """Waits until more frames of a camera are looked at."""
        before = self.inferred(camera_id)
        wait_until(lambda: self.inferred(camera_id) > before + 2, seconds=30)
