"""A whole worker for tests: keys, folders, a real Redis, painted recordings, and models that are fakes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np

from aiqyn.embedded.redis import EmbeddedRedis
from api.keys.store import KeyStore
from pipelines import streams
from pipelines.build import Perception
from pipelines.bus import CandidateConsumer
from pipelines.camera_status import WorkerReport
from pipelines.config import Config
from pipelines.events import Candidate, ModelRef, utc_now
from pipelines.galleries import GalleryPackage
from pipelines.gallery_bus import GalleryPublisher
from pipelines.stages import Engines
from pipelines.worker import Worker
from pipelines.worker_keys import WorkerKeys
from pipelines.worker_place import WorkerPlace
from tests.fake_engine import (
    CALIBRATION,
    EMBEDDER_ID,
    FakeEmbedder,
    FakeFaceDetector,
    Painted,
    face_of,
    fake_engines,
    new_tracker,
    paint,
    square,
)

ANN, BEA, STRANGER = 10, 60, 110
RECORDED_AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
MODELS = (ModelRef(role="embedder", id=EMBEDDER_ID, sha256="a" * 64),)
PREPROCESSING = "embedder:bgr/112x112"


@dataclass(frozen=True, slots=True)
class FakePerception(Perception):
    """Perception whose engines are the fakes."""

    def engines(self) -> Engines:
        """All of one embedder, so that a test can count what was computed."""
        assert isinstance(self.embedder, FakeEmbedder)
        return fake_engines(embedder=self.embedder)


def make_perception() -> FakePerception:
    return FakePerception(
        detector=None,
        face_detector=FakeFaceDetector(),
        embedder=FakeEmbedder(),
        embedder_id=EMBEDDER_ID,
        calibration=CALIBRATION,
        new_face_tracker=new_tracker,
        new_object_tracker=new_tracker,
        models=MODELS,
        preprocessing=PREPROCESSING,
        providers=(),
    )


def record(path: Path, people: list[int], pictures: int) -> Path:
    """A lossless recording, five pictures a second, of people standing side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = paint([Painted(person, square(30 + 80 * place, 60)) for place, person in enumerate(people)])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=5)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "bgr0"
        for _ in range(pictures):
            picture = av.VideoFrame.from_ndarray(image, "bgr24")
            container.mux(stream.encode(picture.reformat(format="bgr0")))
        container.mux(stream.encode())
    return path


class Bench:
    """A worker with its keys, folders and Redis, and the service's side of them."""

    def __init__(self, tmp_path: Path, server: EmbeddedRedis) -> None:
        self.tmp_path = tmp_path
        self.server = server
        self.store = KeyStore.init(tmp_path / "keys")
        self.keys = WorkerKeys.load(self.store.create_worker("w1"))
        self.perception = make_perception()
        self.api = server.connect()
        self.redis = server.connect("worker:w1")
        self.publisher = GalleryPublisher(self.api, self.store.galleries_key())
        self.cameras: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        self.api.close()
        self.redis.close()

    def add_recording(self, camera_id: str, people: list[int], pictures: int = 6, **settings: Any) -> Path:
        path = record(self.tmp_path / "media" / f"{camera_id}.mkv", people, pictures)
        self.cameras[camera_id] = {"source": str(path), **settings}
        return path

    def publish(self, **changes: Any) -> GalleryPackage:
        package = replace(make_package(), **changes)
        self.publisher.publish(package, self.store.worker_sealing_key("w1"))
        return package

    def config(self) -> Config:
        return Config.model_validate(
            {
                "paths": {"data_dir": self.tmp_path / "data", "keys_dir": self.tmp_path / "keys"},
                "worker": {"id": "w1"},
                "cameras": self.cameras,
            }
        )

    def worker(self, place: WorkerPlace | None = None) -> Worker:
        return Worker(self.config(), self.keys, self.perception, self.redis, place)

    def run(self) -> WorkerReport:
        return self.worker().run(exit_when_done=True)

    @contextmanager
    def running(self) -> Iterator[Worker]:
        """A worker in a thread; ended and joined on leaving."""
        worker = self.worker()
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield worker
        finally:
            worker.stop()
            thread.join(30)
        assert not thread.is_alive()

    def candidates(self) -> list[Candidate]:
        """What was not read before, without later revisions."""
        return [candidate for candidate in self.revisions() if candidate.revision == 1]

    def revisions(self) -> list[Candidate]:
        """What was not read before, every revision."""
        consumer = CandidateConsumer(self.api, self.store.worker_verifying_keys, "test")
        found: list[Candidate] = []
        while received := consumer.read(block_seconds=0.05):
            found += [one.candidate for one in received]
        assert consumer.dead_count == 0
        return found

    def state(self, camera_id: str) -> dict[str, str]:
        fields: Any = self.api.hgetall(streams.camera_key(camera_id))
        return {name.decode(): value.decode() for name, value in fields.items()}


def make_package(people: dict[str, int] | None = None) -> GalleryPackage:
    people = people or {"s-ann": ANN, "s-bea": BEA}
    return GalleryPackage(
        deployment_id="d1",
        watchlist_id="missing",
        worker_id="w1",
        version=1,
        cameras=("gate", "yard"),
        active_from=utc_now() - timedelta(minutes=1),
        active_until=utc_now() + timedelta(hours=1),
        embedder_id=EMBEDDER_ID,
        embedder_sha256="a" * 64,
        preprocessing=PREPROCESSING,
        false_alerts_per_1000_faces=1.0,
        subject_ids=tuple(people),
        templates=np.stack([face_of(person) for person in people.values()]),
    )


class SlowEmbedder(FakeEmbedder):
    """Takes its time, so that a test can act while a recording runs."""

    def embed(self, image: Any, landmarks: Any) -> Any:
        """As the fake's, later."""
        time.sleep(0.1)
        return super().embed(image, landmarks)


def embedded(bench: Bench) -> int:
    """Templates computed so far."""
    assert isinstance(bench.perception.embedder, FakeEmbedder)
    return bench.perception.embedder.faces_embedded


def quiet(embedder: FakeEmbedder) -> bool:
    """Whether no template is computed for a while."""
    before = embedder.faces_embedded
    time.sleep(0.6)
    return embedder.faces_embedded == before
