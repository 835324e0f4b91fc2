"""The hash `aiqyn:camera:<id>` of each camera: what a worker says of it to whoever watches over the cameras."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import NoPermissionError

from pipelines.bus import PublisherState
from pipelines.camera_status import CameraStatus
from pipelines.evidence import EvidenceState
from pipelines.list_keeper import ListKeeper
from pipelines.live.gaps import GapLog
from pipelines.streams import bus_errors, camera_key

_log = structlog.get_logger(__name__)

STATUS_SECONDS = 1.0
GAPS_SECONDS = 30.0
"""So often gaps are told that have not changed, for a Redis that forgot them; they are most of a hash."""


class CameraStates:
    """Tells the state of cameras, about once a second; for one thread."""

    def __init__(
        self,
        redis: Redis,
        worker_id: str,
        lists: ListKeeper,
        gaps: GapLog,
        now: Callable[[], datetime],
        evidence: Callable[[], EvidenceState] = EvidenceState,
    ) -> None:
        """
        Args:
            redis: a client of the worker's user.
            worker_id: who tells.
            lists: says which deployments wait and which lists are refused.
            gaps: when there was nothing to look at.
            now: the machine's clock.
            evidence: how the worker's evidence store fares.
        """
        self._redis = redis
        self._worker_id = worker_id
        self._lists = lists
        self._gaps = gaps
        self._now = now
        self._evidence = evidence
        self._next_seconds = 0.0
        self._gaps_told: dict[str, tuple[float, str]] = {}
        self._forbidden: set[str] = set()
        self.note = ""
        """What stands in the settings file and is not in force."""

    def tell(self, statuses: Mapping[str, CameraStatus], spool: PublisherState, *, now: bool = False) -> bool:
        """Writes the hash of every camera, if it is time.

        Args:
            statuses: of the cameras, by id.
            spool: what the worker's candidates came to.
            now: whether it is time already.

        Returns:
            Whether it was time.

        Raises:
            BusError: Redis is away or refused.
        """
        if not now and time.monotonic() < self._next_seconds:
            return False
        self._next_seconds = time.monotonic() + STATUS_SECONDS
        stored = self._evidence()
        evidence = {
            "evidence": stored.phase,
            "evidence_detail": stored.detail,
            "evidence_waiting": stored.waiting,
            "evidence_refused": stored.refused,
        }
        waiting = {"candidates_waiting": spool.waiting, "candidates_refused": spool.lost_total}
        with (
            bus_errors("the state of the cameras cannot be told"),
            self._redis.pipeline(transaction=False) as pipe,
        ):
            told: dict[str, dict[str, str]] = {}
            for camera_id, status in statuses.items():
                gaps = told[camera_id] = self._gaps_to_tell(camera_id)
                fields = self._fields(camera_id, status) | waiting | evidence | gaps
                pipe.hset(camera_key(camera_id), mapping=fields)
            self._note_told(told, pipe.execute(raise_on_error=False))
        for camera_id in self._gaps_told.keys() - statuses.keys():
            del self._gaps_told[camera_id]
        return True

    def _note_told(self, told: Mapping[str, dict[str, str]], answers: list[Any]) -> None:
        """A camera this worker may not speak of (the ACL file is older than it) costs the others nothing."""
        for (camera_id, gaps), answer in zip(told.items(), answers, strict=True):
            if isinstance(answer, NoPermissionError):
                if camera_id not in self._forbidden:
                    _log.error(
                        "state_forbidden", camera_id=camera_id, mend="the ACL file of Redis lacks this camera"
                    )
                self._forbidden.add(camera_id)
                continue
            if isinstance(answer, Exception):
                raise answer
            self._forbidden.discard(camera_id)
            if gaps:
                self._gaps_told[camera_id] = (time.monotonic(), gaps["gaps"])

    def _gaps_to_tell(self, camera_id: str) -> dict[str, str]:
        """The gaps, where they are others than Redis has, or were told long ago."""
        gaps = self._gaps.told(camera_id)
        told_at, told = self._gaps_told.get(camera_id, (0.0, ""))
        known = told == gaps and time.monotonic() - told_at < GAPS_SECONDS
        return {} if known else {"gaps": gaps}

    def _fields(self, camera_id: str, status: CameraStatus) -> dict[Any, Any]:
        """Empty text where there is nothing to say."""
        return {
            "worker_id": self._worker_id,
            "phase": status.phase.value,
            "detail": status.detail,
            "deployment_id": status.deployment_id or "",
            "gallery_version": status.gallery_version or "",
            "deployments_waiting": self._lists.waiting_json(camera_id),
            "lists_refused": self._lists.refused_json(),
            "frame_accounting": json.dumps(asdict(status.frame_accounting), sort_keys=True),
            "decoding": status.decoding,
            "fps": "" if status.fps is None else status.fps,
            "reconnects": status.reconnects,
            "candidates": status.candidates,
            "candidates_lost": status.lost,
            "masked_detections": status.masked_detections,
            "faces_searched": status.faces_searched,
            "settings": self.note,
            "updated_at": self._now().isoformat(),
        }
