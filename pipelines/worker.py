"""What matches faces: cameras in threads, their lists out of Redis, their candidates through the spool to it.

Three kinds of threads. A camera's never waits for Redis. The bus thread does: it follows galleries, sends what waits
on disk, and tells how the cameras are. The main thread puts lists in force and ends them by the clock, whatever Redis
does. While Redis is away cameras go on under the lists they have, until those end.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from pipelines.build import Perception
from pipelines.bus import CandidatePublisher
from pipelines.camera_states import CameraStates
from pipelines.camera_status import CameraStatus, Phase, WorkerReport
from pipelines.camera_watch import CameraWatch
from pipelines.config import CameraConfig, Config
from pipelines.errors import BusError, SpoolError
from pipelines.events import Candidate
from pipelines.gallery_bus import GalleryFollower
from pipelines.gallery_versions import GalleryVersions
from pipelines.list_keeper import ListKeeper
from pipelines.live.clips import ClipDesk
from pipelines.live.gaps import GapLog, GapLogError
from pipelines.live.given_cameras import GivenCameraFollower
from pipelines.live.machine_load import MachineLoad
from pipelines.live.metrics import SpoolState
from pipelines.live.observing import WorkerView
from pipelines.live.overlays import OverlayFollower, configured_masks
from pipelines.live.preview import PreviewWriter
from pipelines.live.schedule import FairTurns
from pipelines.manifest import this_software
from pipelines.sightings import CandidateMaker
from pipelines.spool import Spool
from pipelines.streams import GALLERY_CHANNEL, bus_errors
from pipelines.thread_budget import plan_threads
from pipelines.watch_parts import WatchParts
from pipelines.watches import Watches
from pipelines.worker_evidence import open_worker_evidence
from pipelines.worker_keys import WorkerKeys
from pipelines.worker_place import WorkerPlace, check_worker

TURN_SECONDS = 0.2
GALLERY_CHECK_SECONDS = 1.0
"""How often the index is looked at without a message."""

JOIN_SECONDS = 15.0
FLUSH_SECONDS = 0.5
"""A long backlog does not keep revocations and states waiting."""

LAST_FLUSH_SECONDS = 10.0
EVIDENCE_CLOSE_SECONDS = 5.0
REPLACED_JOIN_SECONDS = 1.0
"""Who is to be replaced leaves at once: what is not sent by then, the next one sends."""

_Taken = tuple[Mapping[str, CameraConfig], str, Mapping[str, str]]
"""Cameras there are from now on, what is said of the settings, and which given cameras are refused."""

_log = structlog.get_logger(__name__)


class Worker:
    """All cameras of one worker."""

    def __init__(
        self,
        config: Config,
        keys: WorkerKeys,
        perception: Perception,
        redis: Redis,
        place: WorkerPlace | None = None,
    ) -> None:
        """
        Args:
            config: whose cameras are watched.
            keys: the worker's own.
            perception: models, loaded.
            redis: a client of the worker's user.
            place: the process around it; None: a process of its own, cameras in it.

        Raises:
            ConfigError: the keys are another worker's than `worker.id`.
            EvidenceError, SpoolError, GapLogError, SealingError: the data folder cannot be used.
        """
        check_worker(config, keys)
        self._place = place = place or WorkerPlace()
        self._keys = keys
        self._perception = perception
        self._redis = redis
        self._stop = threading.Event()
        self._turn_wanted = threading.Event()
        plan = plan_threads(config.worker)
        self._turns = FairTurns(plan.inference_threads)
        self._load = MachineLoad(config.cameras, self._turns, place.frame_seconds)
        self._bus_was_away = False
        self._next_check_seconds = 0.0
        data_dir = config.paths.data_dir
        self._spool = Spool(data_dir / "spool" / keys.worker_id, limit_bytes=config.redis.spool_limit_bytes)
        self.gaps = GapLog(data_dir / "gaps" / keys.worker_id, now=place.now)
        traceparent = place.observing.tracing.traceparent
        self._publisher = CandidatePublisher(
            redis, self._spool, keys.worker_id, keys.candidates, traceparent=traceparent
        )
        versions = GalleryVersions(data_dir / "galleries" / f"{keys.worker_id}.json")
        self._follower = GalleryFollower(redis, keys, versions)
        self._lists = ListKeeper(self._follower, perception.models, perception.preprocessing, place.now)
        self._overlays = OverlayFollower(
            redis,
            keys.gallery_signers,
            data_dir / "overlays" / keys.worker_id,
            configured_masks(config.cameras),
        )
        self._given = GivenCameraFollower(redis, keys.gallery_signers, data_dir / "cameras", keys.worker_id)
        self._refused: Mapping[str, str] = {}
        self._mask(config.cameras)
        self.evidence = open_worker_evidence(config, keys)
        self._previews = PreviewWriter(redis, keys.worker_id, config.cameras)
        self.clips = ClipDesk(place.ask_clip, self.evidence, self._publish) if place.ask_clip else None
        self._states = CameraStates(
            redis, keys.worker_id, self._lists, self.gaps, place.now, lambda: self.evidence.state
        )
        place.observing.health.models_loaded()
        parts = self._parts(config)
        self._watches = Watches(
            config.cameras,
            lambda camera_id, camera: CameraWatch(camera_id, camera, parts, place.now, place.sources),
        )
        self._taken: deque[_Taken] = deque(maxlen=1)
        self._looked_up: frozenset[str] = frozenset()
        self._name_cameras()

    @property
    def statuses(self) -> dict[str, CameraStatus]:
        """What each camera is doing, as of now; one the machine has no room for waits, and says so."""
        refused = self._load.standing.refused
        found = self._watches.statuses
        return {
            camera_id: replace(status, detail=refused[camera_id])
            if camera_id in refused and status.phase is Phase.WAITING
            else status
            for camera_id, status in found.items()
        }

    def stop(self) -> None:
        """Asks everything to end; `run` returns soon after. Safe in a signal handler."""
        self._stop.set()
        self._turn_wanted.set()

    def take_cameras(
        self, cameras: Mapping[str, CameraConfig], note: str, refused: Mapping[str, str] | None = None
    ) -> None:
        """Goes on with these cameras, soon; from any thread.

        Args:
            cameras: all there are from now on.
            note: what of the settings is not in force, in a line; told with the state of each camera.
            refused: why cameras that are given are not watched, by id.
        """
        self._taken.append((cameras, note, refused or {}))
        self._turn_wanted.set()

    def run(self, *, exit_when_done: bool = False) -> WorkerReport:
        """Watches all cameras until `stop`.

        Args:
            exit_when_done: returns once every camera has ended and everything is sent, too.
        """
        self._watches.start()
        self._previews.start()
        bus = threading.Thread(target=self._serve_bus, name="bus", daemon=True)
        bus.start()
        replace = False
        try:
            while not self._stop.is_set() and not replace:
                self._put_cameras_in_force()
                done = self._watches.done
                replace = self._put_lists_in_force() and self._place.replaceable
                if exit_when_done and done and not len(self._spool):
                    break
                if not bus.is_alive():
                    raise BusError("what talks to Redis ended unexpectedly; the log says where")
                self._place.beat()
                self._place.observing.turned(self._view)
                self._turn_wanted.wait(TURN_SECONDS)
                self._turn_wanted.clear()
        finally:
            self._stop.set()
            report = self._end(bus, replace=replace)
        return report

    def _put_cameras_in_force(self) -> None:
        """Takes other settings where they came, and lets go of cameras that have been left."""
        taken = self._taken.pop() if self._taken else None
        if taken is not None:
            cameras, self._states.note, refused = taken
            self._watches.withdraw(self._refused.keys() - refused.keys() - cameras.keys())
            self._refused = refused
            self._looked_up &= cameras.keys()
            self._overlays.configure(configured_masks(cameras))
            self._watches.change(cameras)
            self._load.cameras_are(cameras)
            self._mask(cameras)
            self._next_check_seconds = 0.0  # masks of a new camera are looked up at once
        if self._watches.settle() or taken is not None:
            self._name_cameras()

    def _name_cameras(self) -> None:
        """Says which cameras there are to whoever keeps something of each."""
        watched = dict.fromkeys(self._watches.statuses) | self._watches.cameras
        rates = {name: 0.0 if one is None else one.inference_fps for name, one in watched.items()}
        self._place.observing.cameras_are(rates)
        self._previews.cameras_are(watched)

    def _put_lists_in_force(self) -> bool:
        """Whether somebody may no longer be searched who could be until now."""
        # Not before its masks were looked up: no camera is opened without them.
        ready = {name: watch for name, watch in self._watches.active.items() if name in self._looked_up}
        losses = self._lists.put_in_force(ready, self._load.admitted)
        for loss in losses:
            _log.info("matching_stopped", deployment_id=loss.deployment_id, reason=loss.reason)
        return bool(losses)

    def _serve_bus(self) -> None:
        with self._redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
            while not self._stop.is_set():
                if not self._turn(channel):
                    self._stop.wait(TURN_SECONDS)

    def _turn(self, channel: Any) -> bool:
        """One round of what Redis is needed for; False where it is away."""
        try:
            self._follow(channel)
            self._publisher.flush(limit_seconds=FLUSH_SECONDS)
            self._tell_states()
        except (BusError, SpoolError) as error:
            if not self._bus_was_away:
                _log.warning("bus_away", reason=str(error))
            self._bus_was_away = True
            return False
        if self._bus_was_away:
            _log.info("bus_back")
        self._bus_was_away = False
        return True

    def _tell_states(self, *, now: bool = False) -> None:
        gone = self._watches.gone
        refused = {name: CameraStatus(Phase.FAILED, reason) for name, reason in self._refused.items()}
        if self._states.tell(self.statuses | refused | gone, self._publisher.state, now=now or bool(gone)):
            self._watches.told(gone)

    def _follow(self, channel: Any) -> None:
        """Waits a moment for a message; looks at the index when one came, and when it is time."""
        announced = False
        with bus_errors("the gallery channel cannot be followed"):
            if not channel.subscribed:
                channel.subscribe(GALLERY_CHANNEL)
            while channel.get_message(timeout=0 if announced else TURN_SECONDS) is not None:
                announced = True
        if announced or time.monotonic() >= self._next_check_seconds:
            # Masks first: without a list no camera is opened, so none is before its masks were looked up.
            if self._given.refresh():
                self._place.give(self._given.cameras)
            asked = self._overlays.cameras
            self._mask(self._overlays.refresh())
            self._looked_up = asked
            self._follower.refresh(self._place.now())
            self._next_check_seconds = time.monotonic() + GALLERY_CHECK_SECONDS
            self._turn_wanted.set()

    def _mask(self, camera_ids: Iterable[str]) -> None:
        for camera_id in camera_ids:
            self._place.mask(camera_id, self._overlays.masks(camera_id))

    def _view(self) -> WorkerView:
        """This worker as of now; says on disk besides that it lives, and which cameras are to be seen."""
        statuses = self.statuses
        try:
            self.gaps.beat([name for name, status in statuses.items() if status.deployment_id is not None])
        except GapLogError as error:
            _log.error("gaps_not_kept", reason=str(error))
        sent = self._publisher.state
        return WorkerView(
            statuses=statuses,
            spool=SpoolState(sent.waiting, sent.waiting_bytes, sent.limit_bytes, sent.lost, sent.damaged),
            bus_reachable=not self._bus_was_away,
            evidence=self.evidence.state,
            gaps=self.gaps,
            turns=self._turns,
        )

    def _end(self, bus: threading.Thread, *, replace: bool) -> WorkerReport:
        self._place.leaving(replace)
        if replace and self.clips is not None:
            self.clips.close()  # somebody may no longer be searched: nothing more is said of anybody
        deadline = time.monotonic() + (REPLACED_JOIN_SECONDS if replace else JOIN_SECONDS)
        self._watches.close(deadline - time.monotonic())
        bus.join(max(0.0, deadline - time.monotonic()))
        if not replace:
            self._last_flush()
        if self.clips is not None:
            self.clips.close()
        waiting = len(self._spool)
        self._spool.close()
        self.gaps.close()
        self._previews.close(0.0 if replace else JOIN_SECONDS)
        self.evidence.close(0.0 if replace else EVIDENCE_CLOSE_SECONDS)
        return WorkerReport(self.statuses, waiting, replace)

    def _last_flush(self) -> None:
        deadline = time.monotonic() + LAST_FLUSH_SECONDS
        while True:
            try:
                self._publisher.flush()
                self._tell_states(now=True)
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
            self.evidence,
            perception.models,
            perception.preprocessing,
            this_software(),
        )
        return WatchParts(
            engines=perception.engines,
            maker=maker,
            publish=self._publish,
            inference=self._turns,
            stop=self._stop,
            min_looks=config.identification.min_looks,
            masks=self._overlays.masks,
            clips=self.clips,
            previews=self._previews,
            observing=self._place.observing,
        )
