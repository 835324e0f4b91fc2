"""`pipelines.worker`: painted recordings through a whole worker, on real Redis servers.

The models are the fakes of `tests.fake_engine`; everything else is what ships.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from redis import Redis

from aiqyn.embedded.redis import EmbeddedRedis
from api.keys.store import KeyStore
from pipelines import streams
from pipelines.build import Perception
from pipelines.bus import CandidateConsumer
from pipelines.camera_watch import Phase
from pipelines.config import Config
from pipelines.errors import ConfigError, SpoolError
from pipelines.events import Candidate, ModelRef, utc_now
from pipelines.evidence import EvidenceReader
from pipelines.galleries import GalleryPackage
from pipelines.gallery_bus import GalleryPublisher
from pipelines.stages import Engines
from pipelines.worker import Worker, WorkerReport
from pipelines.worker_keys import WorkerKeys
from tests.fake_engine import (
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
from vision.images import decode_image, encode_png
from vision.video import open_source

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

    def worker(self, **options: Any) -> Worker:
        config = Config.model_validate(
            {
                "paths": {"data_dir": self.tmp_path / "data", "keys_dir": self.tmp_path / "keys"},
                "worker": {"id": "w1"},
                "cameras": self.cameras,
            }
        )
        return Worker(config, self.keys, self.perception, self.redis, **options)

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
        consumer = CandidateConsumer(self.api, self.store.worker_verifying_keys, "test")
        found: list[Candidate] = []
        while received := consumer.read(block_seconds=0.05):
            found += [one.candidate for one in received]
        assert consumer.dead_count == 0
        return found

    def state(self, camera_id: str) -> dict[str, str]:
        fields: Any = self.api.hgetall(streams.camera_key(camera_id))
        return {name.decode(): value.decode() for name, value in fields.items()}


@pytest.fixture
def bench(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[Bench]:
    bench = Bench(tmp_path, redis_server)
    yield bench
    bench.close()


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


def wait_for(condition: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def test_a_listed_person_becomes_a_signed_candidate_with_sealed_evidence(bench: Bench) -> None:
    recording = bench.add_recording("gate", [ANN, STRANGER], recorded_at=RECORDED_AT)
    package = bench.publish()
    report = bench.run()
    assert report.cameras["gate"].phase is Phase.ENDED
    assert (report.waiting, report.failed) == (0, ())
    (candidate,) = bench.candidates()
    assert candidate.subject_id == "s-ann"
    assert candidate.worker_id == "w1"
    assert candidate.status == "unconfirmed"
    assert (candidate.deployment_id, candidate.watchlist_id) == ("d1", "missing")
    assert candidate.observed_at == RECORDED_AT + timedelta(seconds=candidate.pts_seconds)
    assert candidate.observed_at_source == "recorded_at"
    assert candidate.gallery.model_dump() == {"version": 1, "size": 2, "templates": len(package.templates)}
    assert candidate.models == MODELS
    assert candidate.input_sha256 is not None
    assert candidate.frame_accounting.read <= 6
    reader = EvidenceReader(str(bench.tmp_path / "data" / "evidence"), bench.store.evidence_private())
    pictures = {item.kind: decode_image(reader.read(item)) for item in candidate.evidence}
    assert set(pictures) == {"frame_redacted", "probe", "frame"}
    with open_source(recording) as source:
        assert pictures["frame"].shape == next(iter(source)).image.shape
    stranger = np.s_[60:100, 110:150]
    assert np.abs(pictures["frame"][stranger].astype(int) - pictures["frame_redacted"][stranger]).mean() > 20


def test_the_same_recording_again_gives_the_same_ids(bench: Bench) -> None:
    bench.add_recording("gate", [ANN])
    bench.publish()
    bench.run()
    bench.run()
    first, second = bench.candidates()
    assert first.candidate_id == second.candidate_id
    assert first.observed_at is None
    assert first.observed_at_source == "unknown"


class TestOutsideADeployment:
    def test_nothing_is_opened_until_a_list_comes(self, bench: Bench) -> None:
        bench.add_recording("gate", [ANN])
        with bench.running():
            wait_for(lambda: bench.state("gate").get("phase") == "waiting")
            time.sleep(0.5)
            assert embedded(bench) == 0
            assert bench.state("gate")["deployment_id"] == ""
            bench.publish()
            wait_for(bench.candidates)

    def test_a_list_for_other_cameras_searches_nothing_here(self, bench: Bench) -> None:
        bench.add_recording("gate", [ANN])
        bench.publish(cameras=("dock",))
        with bench.running():
            time.sleep(1)
            assert embedded(bench) == 0
        assert bench.candidates() == []

    def test_an_expired_list_searches_nothing(self, bench: Bench) -> None:
        bench.add_recording("gate", [ANN])
        bench.publish(
            active_from=utc_now() - timedelta(hours=2), active_until=utc_now() - timedelta(seconds=1)
        )
        with bench.running():
            time.sleep(1)
            assert embedded(bench) == 0

    def test_a_list_sealed_for_another_worker_is_not_even_seen(self, bench: Bench) -> None:
        bench.add_recording("gate", [ANN])
        bench.store.create_worker("w2")
        bench.publisher.publish(replace(make_package(), worker_id="w2"), bench.store.worker_sealing_key("w2"))
        with bench.running():
            time.sleep(1)
            assert embedded(bench) == 0

    def test_an_empty_list_computes_no_template(self, bench: Bench) -> None:
        bench.add_recording("gate", [ANN])
        bench.publish(subject_ids=(), templates=np.empty((0, 512), np.float32))
        assert bench.run().cameras["gate"].phase is Phase.ENDED
        assert embedded(bench) == 0


class TestLists:
    def test_a_new_version_takes_over_between_frames(self, bench: Bench) -> None:
        """The recording waits while nobody may be searched, so the second list sees what is left of it."""
        bench.add_recording("gate", [ANN, BEA], pictures=12)
        slow = SlowEmbedder()
        bench.perception = replace(bench.perception, embedder=slow)
        with bench.running():
            bench.publish(subject_ids=("s-x",), templates=face_of(200)[np.newaxis])
            wait_for(lambda: slow.faces_embedded >= 2)
            bench.publish(version=2)
            wait_for(lambda: bench.state("gate").get("phase") == "ended")
        found = bench.candidates()
        assert {candidate.subject_id for candidate in found} == {"s-ann", "s-bea"}
        assert {candidate.gallery.version for candidate in found} == {2}

    def test_a_withdrawn_list_stops_the_search_and_the_recording_waits(self, bench: Bench) -> None:
        bench.add_recording("gate", [ANN], pictures=400)
        slow = SlowEmbedder()
        bench.perception = replace(bench.perception, embedder=slow)
        with bench.running():
            bench.publish(subject_ids=("s-x",), templates=face_of(200)[np.newaxis])
            wait_for(lambda: slow.faces_embedded >= 2)
            bench.publisher.withdraw("d1", "w1")
            wait_for(lambda: quiet(slow), seconds=8)
            read = json.loads(bench.state("gate")["frame_accounting"])["read"]
            assert read < 400
        assert bench.candidates() == []

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"embedder_sha256": "b" * 64}, id="another file of the model"),
            pytest.param({"embedder_id": "dlib-resnet"}, id="another model"),
            pytest.param({"preprocessing": "embedder:rgb/112x112"}, id="faces prepared otherwise"),
        ],
    )
    def test_templates_of_another_making_are_not_compared(
        self, bench: Bench, changes: dict[str, Any]
    ) -> None:
        bench.add_recording("gate", [ANN])
        bench.publish(**changes)
        with bench.running():
            time.sleep(0.8)
            assert embedded(bench) == 0
            bench.publish(version=2)
            wait_for(bench.candidates)

    def test_a_wanted_rate_of_its_own_makes_a_threshold_of_its_own(self, bench: Bench) -> None:
        for version, (camera_id, rate) in enumerate([("gate", 0.5), ("yard", 50.0)], start=1):
            bench.cameras.clear()
            bench.add_recording(camera_id, [ANN])
            bench.publish(version=version, cameras=(camera_id,), false_alerts_per_1000_faces=rate)
            bench.run()
        rare, frequent = bench.candidates()
        assert rare.threshold > frequent.threshold


class TestCamerasApart:
    def test_one_bad_camera_does_not_stop_the_other(self, bench: Bench) -> None:
        bench.add_recording("gate", [ANN])
        bench.cameras["yard"] = {"source": str(bench.tmp_path / "missing.mp4")}
        bench.publish()
        report = bench.run()
        assert report.failed == ("yard",)
        assert "missing.mp4" in report.cameras["yard"].detail
        assert report.cameras["gate"].phase is Phase.ENDED
        assert [one.camera_id for one in bench.candidates()] == ["gate"]
        assert bench.state("yard")["phase"] == "failed"

    def test_an_unforeseen_error_ends_one_camera_only(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.add_recording("gate", [ANN])
        bench.add_recording("yard", [BEA])
        real = open_source

        def broken(location: str, options: Any) -> Any:
            if "yard" in location:
                raise ZeroDivisionError
            return real(location, options)

        monkeypatch.setattr("pipelines.camera_watch.open_source", broken)
        bench.publish()
        report = bench.run()
        assert report.failed == ("yard",)
        assert [one.camera_id for one in bench.candidates()] == ["gate"]

    def test_a_camera_that_does_not_answer_is_tried_again(self, bench: Bench) -> None:
        bench.cameras["gate"] = {
            "source": "rtsp://127.0.0.1:9/stream",
            "open_timeout_seconds": 1,
        }
        bench.add_recording("yard", [BEA])
        bench.publish()
        with bench.running():
            wait_for(lambda: bench.state("gate").get("phase") == "retrying")
            wait_for(bench.candidates)
        assert bench.state("gate")["phase"] == "stopped"


class TestRedisAway:
    def test_what_was_found_meanwhile_is_sent_by_the_next_start(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.add_recording("gate", [ANN])
        bench.publish()
        monkeypatch.setattr("pipelines.worker.LAST_FLUSH_SECONDS", 0.1)
        with monkeypatch.context() as patch:
            patch.setattr(Redis, "xadd", _away)
            with bench.running() as worker:
                wait_for(lambda: worker.statuses["gate"].phase is Phase.ENDED)
        assert bench.candidates() == []
        bench.cameras.clear()
        bench.add_recording("yard", [STRANGER])
        assert bench.run().waiting == 0
        assert [one.camera_id for one in bench.candidates()] == ["gate"]

    def test_a_full_spool_is_counted_and_told(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise SpoolError("full")

        monkeypatch.setattr("pipelines.spool.Spool.append", full)
        bench.add_recording("gate", [ANN])
        bench.publish()
        assert bench.run().cameras["gate"].lost == 1
        assert bench.state("gate")["candidates_lost"] == "1"


def test_the_state_of_a_camera_says_what_was_not_seen(bench: Bench) -> None:
    folder = bench.tmp_path / "pictures"
    folder.mkdir()
    for index in range(8):
        (folder / f"{index}.png").write_bytes(encode_png(paint([])))
    (folder / "3.png").write_bytes(b"no picture")
    bench.cameras["gate"] = {"source": str(folder)}
    bench.publish()
    bench.run()
    state = bench.state("gate")
    accounting = json.loads(state["frame_accounting"])
    assert (accounting["read"], accounting["undecodable"]) == (8, 1)
    assert accounting["inferred"] == 7
    assert state["worker_id"] == "w1"
    assert state["candidates"] == "0"
    assert datetime.fromisoformat(state["updated_at"]).tzinfo is not None


def test_keys_of_another_worker_are_refused(bench: Bench) -> None:
    bench.add_recording("gate", [ANN])
    bench.keys = WorkerKeys.load(bench.store.create_worker("w2"))
    with pytest.raises(ConfigError, match=r"worker\.keys_dir"):
        bench.worker()


def test_a_worker_without_cameras_is_refused(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="cameras"):
        bench.worker()


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


def _away(*_: object, **__: object) -> None:
    from redis.exceptions import ConnectionError as RedisConnectionError

    raise RedisConnectionError("away")
