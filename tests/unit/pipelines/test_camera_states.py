"""`pipelines.camera_states` on a real Redis: gaps are most of a hash, and told when they change."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from pipelines import camera_states
from pipelines.bus import CandidatePublisher
from pipelines.camera_states import CameraStates
from pipelines.camera_status import CameraStatus
from pipelines.events import utc_now
from pipelines.live.gaps import GapLog
from pipelines.spool import Spool
from pipelines.streams import camera_key
from tests.event_builders import NOON
from tests.redis_server import api_redis, redis_program, redis_server, worker_redis

__all__ = ["api_redis", "redis_program", "redis_server", "worker_redis"]


class NoLists:
    """A worker without lists."""

    def waiting_json(self, _camera_id: str) -> str:
        """None."""
        return "[]"

    def refused_json(self) -> str:
        """None."""
        return "{}"


def test_gaps_are_written_when_they_change_and_now_and_then(
    tmp_path: Path, worker_redis: Redis, api_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[dict[str, Any]] | None:
        """Writes the state, and gives the gaps that stand there; None where none were written."""
        states.tell({"gate": CameraStatus()}, publisher.state, now=True)
        raw: Any = api_redis.hgetall(camera_key("gate"))
        gaps = raw.get(b"gaps")
        worker_redis.hset(camera_key("gate"), "gaps", "")
        return None if not gaps else list(json.loads(gaps)["gaps"])

    with GapLog(tmp_path / "gaps") as gaps, Spool(tmp_path / "spool") as spool:
        publisher = CandidatePublisher(worker_redis, spool, "w1", None)  # type: ignore[arg-type]
        states = CameraStates(worker_redis, "w1", NoLists(), gaps, utc_now)  # type: ignore[arg-type]
        assert told() == []
        assert told() is None
        gaps.note("gate", "stalled", NOON, None)
        (gap,) = told() or []
        assert (gap["reason"], gap["ended_at"]) == ("stalled", None)
        assert told() is None
        gaps.note("gate", "stalled", NOON, NOON + timedelta(seconds=3))
        assert (told() or [])[0]["ended_at"] is not None
        monkeypatch.setattr(camera_states, "GAPS_SECONDS", 0.0)
        assert told() is not None


def test_a_camera_the_acl_file_lacks_costs_the_others_nothing_and_is_said_once(
    tmp_path: Path, worker_redis: Redis, api_redis: Redis
) -> None:
    with GapLog(tmp_path / "gaps") as gaps, Spool(tmp_path / "spool") as spool:
        publisher = CandidatePublisher(worker_redis, spool, "w1", None)  # type: ignore[arg-type]
        states = CameraStates(worker_redis, "w1", NoLists(), gaps, utc_now)  # type: ignore[arg-type]
        states.note = "refused, the earlier ones hold: x"
        said = {
            name: CameraStatus(masked_detections=7, faces_searched=5)
            for name in ("another", "gate", "w1:hall")
        }
        with capture_logs() as logs:
            for _ in range(2):
                assert states.tell(said, publisher.state, now=True)
        assert [(one["event"], one["camera_id"]) for one in logs] == [("state_forbidden", "another")]
        assert api_redis.hgetall(camera_key("another")) == {}
        for camera_id in ("gate", "w1:hall"):
            told: Any = api_redis.hgetall(camera_key(camera_id))
            assert (told[b"masked_detections"], told[b"settings"]) == (b"7", states.note.encode())
            assert told[b"faces_searched"] == b"5"
