"""A whole site of real processes in one folder: private Redis, keys, a list of real people, `aiqyn work`, RTSP cameras.

The service is left out: galleries are published as it would, and candidates are read as it would, so that what is
measured is the worker.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import numpy as np
import yaml

from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.embedded.redis_server import find_server
from aiqyn.embedded.stack import free_port
from api.keys.store import KeyStore
from pipelines import streams
from pipelines.accounting import FrameAccounting
from pipelines.acl import WorkerAccount
from pipelines.build import PerceptionOptions, build_perception
from pipelines.bus import CandidateConsumer, ReceivedCandidate
from pipelines.config import Config, load_config
from pipelines.enrol import enrol_folder
from pipelines.events import utc_now
from pipelines.galleries import GalleryPackage
from pipelines.gallery_bus import GalleryPublisher
from weights.catalog import load_catalog
from weights.store import WeightStore

WORKER_ID = "w1"
DEPLOYMENT = "d1"
DEBIAN_PYTHON = "/usr/bin/python3"
END_SECONDS = 60.0


class SiteError(Exception):
    """A part of the site did not come up, or did not do in time what it was waited for."""


@contextmanager
def rtsp_server(files: Sequence[Path], port: int = 0) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server of files as cameras and its port; killed on leaving.

    Args:
        files: H.264 in MP4; number n is `rtsp://127.0.0.1:PORT/n`.
        port: 0 for any free one.

    Raises:
        SiteError: `gir1.2-gst-rtsp-server-1.0` or `python3-gi` is missing, or the port is taken.
    """
    program = Path(__file__).with_name("rtsp_server.py")
    command = [DEBIAN_PYTHON, str(program), str(port), *map(str, files)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said.strip().isdigit():
                raise SiteError("no RTSP server: install gir1.2-gst-rtsp-server-1.0 and python3-gi")
            yield process, int(said)
        finally:
            process.kill()


@dataclass(slots=True)
class Site:
    """One folder, its Redis, and the worker that runs in it."""

    folder: Path
    config: Config
    config_path: Path
    keys: KeyStore
    redis: EmbeddedRedis
    log: IO[str]
    work: subprocess.Popen[str] | None = None

    def start_work(self, *through: str) -> subprocess.Popen[str]:
        """`aiqyn work`; its log is `work.log` in the folder.

        Args:
            through: a command that runs what follows it.
        """
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AIQYN_REDIS")
        }
        command = [
            *through,
            sys.executable,
            "-m",
            "aiqyn",
            "work",
            "--config",
            str(self.config_path),
            "--json",
        ]
        self.work = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment
        )
        return self.work

    def stop_work(self) -> dict[str, Any]:
        """Ends it as a service manager does; how it ended, by its own word."""
        if self.work is None:
            return {}
        self.work.send_signal(signal.SIGTERM)
        try:
            said, _ = self.work.communicate(timeout=END_SECONDS)
        finally:
            self.work.kill()
            self.work = None
        return dict(json.loads(said)) if said.strip() else {}

    def state(self, camera_id: str) -> dict[str, str]:
        """The fields of `aiqyn:camera:<id>`."""
        with self.redis.connect() as client:
            fields: Any = client.hgetall(streams.camera_key(camera_id))
        return {name.decode(): value.decode() for name, value in fields.items()}

    def accounting(self, camera_id: str) -> FrameAccounting:
        """What became of the camera's frames, as last told. Building it checks the sum."""
        return FrameAccounting(**json.loads(self.state(camera_id)["frame_accounting"]))

    def wait_for(self, what: str, condition: Callable[[], bool], seconds: float = 60.0) -> float:
        """Waits until something is so; how long that took, in seconds.

        Raises:
            SiteError: not in time, or the worker ended.
        """
        began = time.monotonic()
        while not condition():
            if self.work is not None and self.work.poll() is not None:
                raise SiteError(f"{what}: the worker ended with {self.work.returncode}")
            if time.monotonic() - began > seconds:
                raise SiteError(f"{what}: not within {seconds:g} s")
            time.sleep(0.05)
        return time.monotonic() - began

    def running(self, camera_id: str) -> bool:
        """Whether the camera gives pictures and is searched."""
        return self.state(camera_id).get("phase") == "running"

    def candidates(self) -> list[ReceivedCandidate]:
        """What was not read before, every revision, signatures checked; acknowledged."""
        found: list[ReceivedCandidate] = []
        with self.redis.connect() as client:
            consumer = CandidateConsumer(client, self.keys.worker_verifying_keys, "bench")
            while received := consumer.read(block_seconds=0.05):
                consumer.ack([one.entry_id for one in received])
                found += received
        return found

    def publish(self, references: Path, version: int = 1) -> GalleryPackage:
        """A gallery of one folder of people, active on every camera for a day."""
        store = WeightStore(self.config.paths.weights_dir, load_catalog(self.config.paths.weights_dir))
        perception = build_perception(store, PerceptionOptions.of(self.config))
        enrolled = enrol_folder(references, perception.engines())
        embedder = next(model for model in perception.models if model.role == "embedder")
        package = GalleryPackage(
            deployment_id=DEPLOYMENT,
            watchlist_id="bench",
            worker_id=WORKER_ID,
            version=version,
            cameras=tuple(self.config.cameras),
            active_from=utc_now() - timedelta(minutes=1),
            active_until=utc_now() + timedelta(days=1),
            embedder_id=embedder.id,
            embedder_sha256=embedder.sha256,
            preprocessing=perception.preprocessing,
            false_alerts_per_1000_faces=1.0,
            subject_ids=tuple(one.subject_id for one in enrolled.references),
            templates=np.stack([one.embedding for one in enrolled.references]),
        )
        with self.redis.connect() as client:
            GalleryPublisher(client, self.keys.galleries_key()).publish(
                package, self.keys.worker_sealing_key(WORKER_ID)
            )
        return package


@contextmanager
def site(folder: Path, cameras: Mapping[str, Mapping[str, Any]], **sections: Any) -> Iterator[Site]:
    """A site with Redis up and nothing published; everything it started is ended on leaving.

    Args:
        folder: an empty folder.
        cameras: settings by camera.
        sections: further sections of the settings file.
    """
    settings = {
        "paths": {"data_dir": "data", "keys_dir": "keys"},
        "cameras": {name: dict(camera) for name, camera in cameras.items()},
        **sections,
        "worker": {"id": WORKER_ID, **sections.get("worker", {})},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "aiqyn.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    config = load_config(path, environment={})
    keys = KeyStore.init(config.paths.keys_dir)
    keys.create_worker(WORKER_ID)
    weights = WeightStore(config.paths.weights_dir, load_catalog(config.paths.weights_dir))
    redis = EmbeddedRedis(
        find_server(weights),
        config.paths.data_dir,
        workers=[WorkerAccount(WORKER_ID, tuple(config.cameras))],
        passwords=keys.redis_passwords(),
    )
    with redis, (folder / "work.log").open("w", encoding="utf-8") as log:
        here = Site(folder, config, path, keys, redis, log)
        try:
            yield here
        finally:
            here.stop_work()


def free_rtsp_port() -> int:
    """A port nobody listens on, for a server that has to come back on it."""
    return free_port(8554)
