"""What `aiqyn work` runs: cameras in threads, their lists out of Redis, their candidates through the spool to it.

The main thread follows galleries, sends what waits on disk and tells how the cameras are; cameras never wait for
Redis. While it is away they go on under the lists they have, until those end.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from pipelines.build import Perception
from pipelines.bus import CandidatePublisher, bus_errors
from pipelines.camera_run import WatchParts
from pipelines.camera_watch import CameraStatus, CameraWatch, Phase
from pipelines.config import Config
from pipelines.errors import BusError, ConfigError, SpoolError
from pipelines.events import Candidate, utc_now
from pipelines.evidence import EvidenceStore
from pipelines.galleries import GalleryPackage
from pipelines.gallery_bus import GalleryFollower
from pipelines.live.schedule import FairTurns
from pipelines.manifest import this_software
from pipelines.search_lists import SearchList, choose_lists, prepare_list
from pipelines.sightings import CandidateMaker
from pipelines.spool import Spool
from pipelines.streams import GALLERY_CHANNEL, camera_key
from pipelines.worker_keys import WorkerKeys
from vision.errors import GalleryError

TURN_SECONDS = 0.2
GALLERY_CHECK_SECONDS = 2.0
"""How often the index is looked at without a message; a withdrawn list is searched no longer than this."""

STATUS_SECONDS = 1.0
JOIN_SECONDS = 15.0
LAST_FLUSH_SECONDS = 10.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """How a worker ended.

    Attributes:
        cameras: the last status of each.
        waiting: candidates left on disk; the next start sends them.
    """

    cameras: dict[str, CameraStatus]
    waiting: int

    @property
    def failed(self) -> tuple[str, ...]:
        """Cameras that failed."""
        return tuple(name for name, status in self.cameras.items() if status.phase is Phase.FAILED)


class Worker:
    """All cameras of one worker."""

    def __init__(
        self,
        config: Config,
        keys: WorkerKeys,
        perception: Perception,
        redis: Redis,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """
        Args:
            config: whose cameras are watched.
            keys: the worker's own.
            perception: models, loaded.
            redis: a client of the worker's user.
            now: the machine's clock.

        Raises:
            ConfigError: no camera, or the keys are another worker's than `worker.id`.
            EvidenceError, SpoolError: the data folder cannot be used.
        """
        if not config.cameras:
            raise ConfigError("cameras: none is configured; a worker needs at least one")
        if keys.worker_id != config.worker.id:
            raise ConfigError(
                f"worker.id is {config.worker.id!r}, the keys are those of {keys.worker_id!r}: set worker.id or "
                "worker.keys_dir"
            )
        self._keys = keys
        self._perception = perception
        self._redis = redis
        self._now = now
        self._stop = threading.Event()
        self._spool = Spool(config.paths.data_dir / "spool" / keys.worker_id)
        self._publisher = CandidatePublisher(redis, self._spool, keys.worker_id, keys.candidates)
        self._follower = GalleryFollower(redis, keys)
        self._bus_was_away = False
        self._prepared: dict[tuple[str, int], SearchList | None] = {}
        self._refused: dict[tuple[str, int], str] = {}
        self._next_check_seconds = self._next_status_seconds = 0.0
        parts = self._parts(config)
        self._watches = {
            camera_id: CameraWatch(camera_id, camera, parts, now)
            for camera_id, camera in config.cameras.items()
        }
        self._crowded: dict[str, tuple[str, ...]] = {}

    @property
    def statuses(self) -> dict[str, CameraStatus]:
        """What each camera is doing, as of now."""
        return {camera_id: watch.status for camera_id, watch in self._watches.items()}

    def stop(self) -> None:
        """Asks everything to end; `run` returns soon after. Safe in a signal handler."""
        self._stop.set()

    def run(self, *, exit_when_done: bool = False) -> WorkerReport:
        """Watches all cameras until `stop`.

        Args:
            exit_when_done: returns once every camera has ended and everything is sent, too.
        """
        for watch in self._watches.values():
            watch.start()
        try:
            with self._redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
                while not self._stop.is_set():
                    done = all(watch.done for watch in self._watches.values())
                    self._turn(channel)
                    if exit_when_done and done and not len(self._spool):
                        break
                    self._stop.wait(TURN_SECONDS)
        finally:
            self._stop.set()
            report = self._end()
        return report

    def _turn(self, channel: Any) -> None:
        try:
            self._follow(channel)
            self._publisher.flush()
            self._tell_status()
            if self._bus_was_away:
                _log.info("bus_back")
            self._bus_was_away = False
        except (BusError, SpoolError) as error:
            if not self._bus_was_away:
                _log.warning("bus_away", reason=str(error))
            self._bus_was_away = True
        # Also while Redis is away: a deployment ends by the clock.
        self._put_lists_in_force()

    def _follow(self, channel: Any) -> None:
        announced = False
        with bus_errors("the gallery channel cannot be followed"):
            if not channel.subscribed:
                channel.subscribe(GALLERY_CHANNEL)
            while channel.get_message(timeout=0) is not None:
                announced = True
        if announced or time.monotonic() >= self._next_check_seconds:
            self._follower.refresh(self._now())
            self._next_check_seconds = time.monotonic() + GALLERY_CHECK_SECONDS

    def _put_lists_in_force(self) -> None:
        active = self._follower.active(self._now())
        packages = {(package.deployment_id, package.version): package for package in active.values()}
        for key in set(self._prepared) - set(packages):
            del self._prepared[key]  # nothing of a list that was withdrawn is kept
            self._refused.pop(key, None)
        usable = [package for key, package in packages.items() if self._prepare(key, package) is not None]
        for camera_id, (package, waiting) in choose_lists(usable, self._watches).items():
            chosen = self._prepared[package.deployment_id, package.version] if package else None
            self._watches[camera_id].set_list(chosen)
            if waiting and self._crowded.get(camera_id) != waiting:
                _log.warning("deployments_wait", camera_id=camera_id, deployment_ids=waiting)
            self._crowded[camera_id] = waiting

    def _prepare(self, key: tuple[str, int], package: GalleryPackage) -> SearchList | None:
        if key not in self._prepared:
            try:
                self._prepared[key] = prepare_list(
                    package, self._perception.models, self._perception.preprocessing
                )
            except GalleryError as error:
                _log.error("list_refused", deployment_id=package.deployment_id, reason=str(error))
                self._prepared[key] = None
                self._refused[key] = str(error)
        return self._prepared[key]

    def _tell_status(self, *, now: bool = False) -> None:
        if not now and time.monotonic() < self._next_status_seconds:
            return
        self._next_status_seconds = time.monotonic() + STATUS_SECONDS
        with bus_errors("the state of the cameras cannot be told"):
            for camera_id, watch in self._watches.items():
                self._redis.hset(camera_key(camera_id), mapping=self._state(camera_id, watch.status))

    def _state(self, camera_id: str, status: CameraStatus) -> dict[Any, Any]:
        """The fields of the hash `aiqyn:camera:<id>`; empty text where there is nothing to say."""
        return {
            "worker_id": self._keys.worker_id,
            "phase": status.phase.value,
            "detail": status.detail,
            "deployment_id": status.deployment_id or "",
            "gallery_version": status.gallery_version or "",
            "deployments_waiting": json.dumps(self._crowded.get(camera_id, ())),
            "lists_refused": json.dumps({name: reason for (name, _), reason in self._refused.items()}),
            "frame_accounting": json.dumps(asdict(status.frame_accounting), sort_keys=True),
            "candidates": status.candidates,
            "candidates_lost": status.lost,
            "candidates_waiting": len(self._spool),
            "updated_at": self._now().isoformat(),
        }

    def _end(self) -> WorkerReport:
        for watch in self._watches.values():
            watch.set_list(None)
        deadline = time.monotonic() + JOIN_SECONDS
        for watch in self._watches.values():
            watch.join(max(0.1, deadline - time.monotonic()))
        self._last_flush()
        waiting = len(self._spool)
        self._spool.close()
        return WorkerReport(self.statuses, waiting)

    def _last_flush(self) -> None:
        deadline = time.monotonic() + LAST_FLUSH_SECONDS
        while True:
            try:
                self._publisher.flush()
                self._tell_status(now=True)
                return
            except (BusError, SpoolError, RedisError) as error:
                if time.monotonic() > deadline or not len(self._spool):
                    _log.warning("candidates_wait_on_disk", count=len(self._spool), reason=str(error))
                    return
                time.sleep(TURN_SECONDS)

    def _publish(self, candidate: Candidate) -> Candidate:
        return self._publisher.publish(candidate)

    def _parts(self, config: Config) -> WatchParts:
        perception = self._perception
        maker = CandidateMaker(
            self._keys.worker_id,
            EvidenceStore(config.evidence_address(), self._keys.evidence_public),
            perception.models,
            perception.preprocessing,
            this_software(),
        )
        return WatchParts(
            engines=perception.engines,
            maker=maker,
            publish=self._publish,
            inference=FairTurns(),
            stop=self._stop,
            min_looks=config.identification.min_looks,
        )
