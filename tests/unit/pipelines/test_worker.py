"""`pipelines.worker`: painted recordings through a whole worker, on real Redis servers.

The models are the fakes of `tests.fake_engine`; everything else is what ships.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis import Redis

from aiqyn.embedded.redis import EmbeddedRedis
from pipelines.camera_status import Phase
from pipelines.errors import ConfigError, SpoolError
from pipelines.events import utc_now
from pipelines.evidence import EvidenceReader
from pipelines.worker import Worker
from pipelines.worker_keys import WorkerKeys
from tests.fake_engine import (
    FakeEmbedder,
    face_of,
    paint,
)
from tests.worker_bench import (
    ANN,
    BEA,
    MODELS,
    RECORDED_AT,
    STRANGER,
    Bench,
    SlowEmbedder,
    embedded,
    make_package,
    quiet,
)
from vision.images import decode_image, encode_png
from vision.video import open_source


@pytest.fixture
def bench(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[Bench]:
    bench = Bench(tmp_path, redis_server)
    yield bench
    bench.close()


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
            time.sleep(0.4)
            assert embedded(bench) == 0
            assert bench.state("gate")["deployment_id"] == ""
            bench.publish()
            wait_for(bench.candidates)

    def test_a_list_for_other_cameras_searches_nothing_here(self, bench: Bench) -> None:
        bench.add_recording("gate", [ANN])
        bench.publish(cameras=("dock",))
        with bench.running():
            time.sleep(0.5)
            assert embedded(bench) == 0
        assert bench.candidates() == []

    def test_an_expired_list_searches_nothing(self, bench: Bench) -> None:
        bench.add_recording("gate", [ANN])
        bench.publish(
            active_from=utc_now() - timedelta(hours=2), active_until=utc_now() - timedelta(seconds=1)
        )
        with bench.running():
            time.sleep(0.5)
            assert embedded(bench) == 0

    def test_a_list_sealed_for_another_worker_is_not_even_seen(self, bench: Bench) -> None:
        bench.add_recording("gate", [ANN])
        bench.store.create_worker("w2")
        bench.publisher.publish(replace(make_package(), worker_id="w2"), bench.store.worker_sealing_key("w2"))
        with bench.running():
            time.sleep(0.5)
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

    def test_what_was_being_looked_at_when_a_list_was_revoked_is_no_match(self, bench: Bench) -> None:
        bench.add_recording("gate", [ANN], pictures=40)
        revoking = RevokingEmbedder()
        bench.perception = replace(bench.perception, embedder=revoking)
        with bench.running() as worker:
            revoking.revoke = lambda: self._revoke(bench, worker)
            bench.publish()
            wait_for(lambda: revoking.faces_embedded >= revoking.revoke_at)
            wait_for(lambda: quiet(revoking), seconds=8)
        assert bench.candidates() == []

    @staticmethod
    def _revoke(bench: Bench, worker: Worker) -> None:
        bench.publisher.withdraw("d1", "w1")
        wait_for(lambda: worker._watches.active["gate"]._slot.current() is None)

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
            wait_for(lambda: "enrol --refresh" in bench.state("gate").get("lists_refused", ""))
            assert list(json.loads(bench.state("gate")["lists_refused"])) == ["d1"]
            time.sleep(0.5)
            assert embedded(bench) == 0
            bench.publish(version=2)
            wait_for(bench.candidates)
            wait_for(lambda: bench.state("gate")["lists_refused"] == "{}")

    def test_a_wanted_rate_of_its_own_makes_a_threshold_of_its_own(self, bench: Bench) -> None:
        for version, (camera_id, rate) in enumerate([("gate", 0.5), ("yard", 50.0)], start=1):
            bench.cameras.clear()
            bench.add_recording(camera_id, [ANN])
            bench.publish(version=version, cameras=(camera_id,), false_alerts_per_1000_faces=rate)
            bench.run()
        threshold = {found.camera_id: found.threshold for found in bench.candidates()}
        assert threshold["gate"] > threshold["yard"]

    def test_of_list_and_camera_the_stricter_rate_holds(self, bench: Bench) -> None:
        rates = {"gate": (50.0, None), "yard": (50.0, 0.5), "lane": (0.5, 50.0)}
        for version, (camera_id, (listed, own)) in enumerate(rates.items(), start=1):
            bench.cameras.clear()
            extra: dict[str, Any] = {} if own is None else {"false_alerts_per_1000_faces": own}
            bench.add_recording(camera_id, [ANN], **extra)
            bench.publish(version=version, cameras=(camera_id,), false_alerts_per_1000_faces=listed)
            bench.run()
        threshold = {found.camera_id: found.threshold for found in bench.candidates()}
        assert threshold["gate"] < threshold["yard"] == threshold["lane"]


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
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """And the log says where, without any variable: among these may be templates."""
        bench.add_recording("gate", [ANN])
        bench.add_recording("yard", [BEA])
        real = open_source

        def broken(location: str, options: Any) -> Any:
            template_like = [0.123456789] * 3
            if "yard" in location and template_like:
                raise ZeroDivisionError(str(template_like))
            return real(location, options)

        monkeypatch.setattr("pipelines.camera_sources.open_source", broken)
        bench.publish()
        report = bench.run()
        assert report.failed == ("yard",)
        assert report.cameras["yard"].detail == "unexpected ZeroDivisionError"
        assert [one.camera_id for one in bench.candidates()] == ["gate"]
        log = "".join(capsys.readouterr())
        assert "camera_crashed" in log
        assert "0.123456789" not in log

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


def test_a_worker_without_cameras_waits_for_some(bench: Bench) -> None:
    assert bench.run().cameras == {}
    with bench.running() as worker:
        bench.publish()
        bench.add_recording("gate", [ANN])
        worker.take_cameras(bench.config().cameras, "")
        wait_for(lambda: bench.state("gate").get("phase") == "ended")
        assert [one.subject_id for one in bench.candidates()] == ["s-ann"]
        worker.take_cameras({}, "")
        wait_for(lambda: bench.state("gate")["detail"] == "is in the settings no more")


class RevokingEmbedder(FakeEmbedder):
    """Has the list revoked during the look that would decide."""

    revoke: Callable[[], None]
    revoke_at = 1

    def embed(self, image: Any, landmarks: Any) -> Any:
        """As the fake's."""
        rows = super().embed(image, landmarks)
        if self.faces_embedded == self.revoke_at:
            self.revoke()
        return rows


def _away(*_: object, **__: object) -> None:
    from redis.exceptions import ConnectionError as RedisConnectionError

    raise RedisConnectionError("away")


def test_a_revision_is_the_same_candidate_and_stores_no_picture_twice(bench: Bench) -> None:
    bench.add_recording("gate", [ANN])
    bench.publish()
    report = bench.run()
    revisions = bench.revisions()
    assert [one.revision for one in revisions] == list(range(1, len(revisions) + 1))
    assert len(revisions) > 1
    assert len({one.candidate_id for one in revisions}) == 1
    assert report.cameras["gate"].candidates == 1
    by_frame: dict[int, set[str]] = {}
    for one in revisions:
        assert [item.kind for item in one.evidence[:3]] == ["frame_redacted", "probe", "frame"]
        assert {item.kind for item in one.evidence[3:]} <= {"probe"}
        by_frame.setdefault(one.frame_index, set()).add(one.evidence[0].ref)
    assert all(len(refs) == 1 for refs in by_frame.values())
