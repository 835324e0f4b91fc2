"""`api.camera_hashes`: what workers wrote of their cameras, read, and left out where it cannot be believed."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from api.camera_hashes import MAX_GAPS, CameraHashes, read_word
from pipelines.live.gaps import GapLog
from pipelines.streams import camera_key
from tests.redis_server import api_redis, redis_program, redis_server, worker_redis
from tests.seeds import CAMERA
from tests.unit.api.test_camera_watch import COUNTED, LOG

__all__ = ["api_redis", "redis_program", "redis_server", "worker_redis"]

STATE = {
    "worker_id": "w1", "phase": "running", "detail": "", "deployment_id": "d1", "gallery_version": "3",
    "frame_accounting": json.dumps(asdict(COUNTED)), "updated_at": "2026-03-01T12:00:00+00:00",
}  # fmt: skip
TOLD = {"number": 1, "began_at": "2026-03-01T12:00:00+00:00", "ended_at": None, "reason": "stalled",
        "ended_by_restart": False}  # fmt: skip


class TestReading:
    def test_what_a_worker_writes_is_read(
        self, tmp_path: Path, worker_redis: Redis, api_redis: Redis
    ) -> None:
        with GapLog(tmp_path / "gaps") as log:
            noted = log.note(CAMERA, "stalled", datetime(2026, 3, 1, 12, tzinfo=UTC), None)
            state: dict[Any, Any] = STATE | {"gaps": log.told(CAMERA)}
            worker_redis.hset(camera_key(CAMERA), mapping=state)
            (found,) = CameraHashes(api_redis).of([CAMERA, "never-spoke"])
            assert (found.log_id, found.gaps) == (log.log_id, (noted,))
        assert found.accounting == COUNTED
        assert (found.worker_id, found.phase, found.gallery_version) == ("w1", "running", 3)

    @pytest.mark.parametrize(
        ("changes", "field", "expected"),
        [
            ({"phase": "dancing"}, "phase", "unknown"),
            ({"worker_id": "w\x001"}, "worker_id", ""),
            ({"worker_id": "w" * 200}, "worker_id", ""),
            ({"gallery_version": "9" * 400}, "gallery_version", None),
            ({"updated_at": "2026-03-01T12:00:00"}, "reported_at", None),
            ({"updated_at": "soon"}, "reported_at", None),
            ({"masked_detections": "12"}, "masked_detections", 12),
            ({"masked_detections": "-1"}, "masked_detections", 0),
            ({"faces_searched": "12"}, "faces_searched", 12),
            ({}, "faces_searched", None),
            ({"masked_detections": "9" * 40}, "masked_detections", 0),
            ({"settings": "refused:\n /etc/a.yaml:3" + "x" * 900}, "settings_note", ("refused: /etc/a.yaml:3" + "x" * 900)[:500]),
            ({"updated_at": "0001-01-01T00:00:00+14:00"}, "reported_at", None),
            ({"updated_at": "9999-12-31T23:59:59-14:00"}, "reported_at", None),
            ({"updated_at": "9000-01-01T00:00:00+00:00"}, "reported_at", None),
            ({"detail": "rtsp://a:b@c/d\n\x1b[31mred" + "x" * 900}, "detail", ("rtsp://***@c/d [31mred" + "x" * 900)[:500]),
            ({"frame_accounting": "["}, "accounting", None),
            ({"frame_accounting": "[" * 5000}, "accounting", None),
            ({"frame_accounting": json.dumps(asdict(COUNTED) | {"read": 11})}, "accounting", None),
            ({"frame_accounting": json.dumps(asdict(COUNTED) | {"read": -1})}, "accounting", None),
            ({"frame_accounting": json.dumps(asdict(COUNTED) | {"read": 1e400})}, "accounting", None),
            ({"frame_accounting": json.dumps(asdict(COUNTED) | {"dropped": ["x"]})}, "accounting", None),
            ({"gaps": "null"}, "gaps", ()),
            ({"gaps": json.dumps({"log": LOG, "gaps": [TOLD, 7]})}, "gaps", ()),
            ({"gaps": json.dumps({"log": LOG, "gaps": [TOLD | {"number": 2**40}]})}, "gaps", ()),
            ({"gaps": json.dumps({"log": LOG, "gaps": [TOLD | {"ended_at": "2020-01-01T00:00:00Z"}]})}, "gaps", ()),
            ({"gaps": json.dumps({"log": LOG, "gaps": [TOLD | {"reason": "x" * 65}]})}, "gaps", ()),
            ({"gaps": json.dumps({"log": LOG, "gaps": [TOLD | {"reason": "\ud800"}]})}, "gaps", ()),
            ({"gaps": json.dumps({"log": LOG, "gaps": [TOLD | {"reason": "a\x00b"}]})}, "gaps", ()),
            ({"gaps": json.dumps({"log": "\ud800", "gaps": [TOLD]})}, "log_id", ""),
            ({"gaps": json.dumps({"log": LOG, "gaps": [TOLD]}) + " " * 70_000}, "gaps", ()),
        ],
    )  # fmt: skip
    def test_what_cannot_be_believed_is_left_out(
        self, changes: dict[str, str], field: str, expected: object
    ) -> None:
        assert getattr(read_word(CAMERA, STATE | changes), field) == expected

    def test_so_many_gaps_and_no_more(self) -> None:
        told = [TOLD | {"number": number} for number in range(1, MAX_GAPS + 50)]
        found = read_word(CAMERA, STATE | {"gaps": json.dumps({"log": LOG, "gaps": told})})
        assert [one.number for one in found.gaps] == list(range(50, MAX_GAPS + 50))
