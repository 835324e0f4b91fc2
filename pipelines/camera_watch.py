"""One camera of a worker, in a thread of its own: opened, searched while a deployment says so, opened again.

Outside a deployment nothing is searched: a camera is not even opened, a recording waits where it is.
"""

from __future__ import annotations

import threading
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import structlog

from pipelines.accounting import FrameAccounting
from pipelines.analyze_inputs import record_input
from pipelines.camera_run import WAIT_SECONDS, CameraRun, WatchParts
from pipelines.config import CameraConfig
from pipelines.errors import PipelineError
from pipelines.search_lists import ListSlot, SearchList
from pipelines.session import SessionOptions
from pipelines.sightings import Origin, SourceClock
from vision.errors import SourceOpenError, VisionError
from vision.locations import redact_url, scheme_of
from vision.sources import FrameSource, SourceOptions
from vision.video import open_source

FIRST_RETRY_SECONDS = 1.0
ANY_RATE = 1000.0
"""False alerts per 1,000 faces a camera without a wish of its own allows: the list's rate holds."""
LONGEST_RETRY_SECONDS = 60.0

_log = structlog.get_logger(__name__)


class Phase(StrEnum):
    """What a camera is doing."""

    WAITING = "waiting"
    OPENING = "opening"
    RUNNING = "running"
    RETRYING = "retrying"
    ENDED = "ended"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """What a camera is doing, for those who watch over it.

    Attributes:
        phase: in one word.
        detail: why, where there is more to say; free of credentials.
        deployment_id: under which it is searched; None: it is not.
        gallery_version: of the list in force.
        frame_accounting: what became of the frames since it was opened last.
        candidates: published since this process began.
        lost: findings that could not be published, since this process began.
    """

    phase: Phase = Phase.WAITING
    detail: str = ""
    deployment_id: str | None = None
    gallery_version: int | None = None
    frame_accounting: FrameAccounting = field(default_factory=FrameAccounting)
    candidates: int = 0
    lost: int = 0


class CameraWatch:
    """Watches one camera until a recording ends, or the worker stops."""

    def __init__(
        self, camera_id: str, config: CameraConfig, parts: WatchParts, now: Callable[[], datetime]
    ) -> None:
        """
        Args:
            camera_id: names it.
            config: what to open and how.
            parts: shared by all cameras of the worker.
            now: the machine's clock.
        """
        self.camera_id = camera_id
        self._config = config
        self._parts = parts
        self._now = now
        self._live = scheme_of(config.source) is not None
        self._slot = ListSlot(now)
        self._status = CameraStatus()
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._thread = threading.Thread(target=self._run, name=f"camera {camera_id}", daemon=True)

    @property
    def status(self) -> CameraStatus:
        """As of now."""
        return self._status

    @property
    def done(self) -> bool:
        """Whether its thread has ended."""
        return not self._thread.is_alive()

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def join(self, timeout_seconds: float) -> None:
        """Waits for the end; the worker's `stop` must be set, or a recording must be over."""
        self._slot.wake()
        self._thread.join(timeout_seconds)

    def set_list(self, search_list: SearchList | None) -> None:
        """Puts another list in force from the next frame on; None: nothing may be searched."""
        self._slot.put(search_list)

    def _run(self) -> None:
        try:
            while self._wait_until_searched():
                if self._play_once() or not self._live:
                    break
                self._parts.stop.wait(self._retry_seconds)
                self._retry_seconds = min(2 * self._retry_seconds, LONGEST_RETRY_SECONDS)
        except Exception as error:  # noqa: BLE001 the thread's edge: one broken camera stops no other
            # Places only: a logged traceback may show variables, and among these are templates.
            places = [
                f"{place.filename}:{place.lineno}" for place in traceback.extract_tb(error.__traceback__)
            ]
            _log.error("camera_crashed", camera_id=self.camera_id, places=places)
            self._fail(f"unexpected {type(error).__name__}")
        if self._parts.stop.is_set() and self._status.phase is not Phase.FAILED:
            self._tell(Phase.STOPPED)

    def _wait_until_searched(self) -> bool:
        """Waits until something may be searched; False where the worker stops first."""
        while not self._parts.stop.is_set():
            if self._slot.current() is not None:
                return True
            if self._status.phase is not Phase.WAITING:
                self._tell(Phase.WAITING, "no active deployment")
            self._slot.wait(WAIT_SECONDS)
        return False

    def _play_once(self) -> bool:
        """Opens the source and plays it; True where it came to its proper end."""
        self._tell(Phase.OPENING)
        try:
            with self._opened() as source:
                self._play(source)
        except (VisionError, PipelineError, OSError) as error:
            if self._live:
                self._tell(Phase.RETRYING, str(error))
                _log.warning("camera_lost", camera_id=self.camera_id, reason=str(error))
            else:
                self._fail(str(error))
            return False
        if self._live and not self._parts.stop.is_set():
            self._retry_seconds = FIRST_RETRY_SECONDS
            return False  # left because nothing may be searched, or the camera hung up
        self._tell(Phase.ENDED)
        return True

    def _opened(self) -> FrameSource:
        options = SourceOptions(
            open_timeout_seconds=self._config.open_timeout_seconds,
            rtsp_transport=self._config.rtsp_transport,
        )
        return open_source(self._config.address(), options)

    def _play(self, source: FrameSource) -> None:
        options = SessionOptions(
            self._config.inference_fps,
            self._config.false_alerts_per_1000_faces or ANY_RATE,
            min_looks=self._parts.min_looks,
            region_crops=self._config.region_crops,
        )
        run = CameraRun(source, self._origin(source), options, self._slot, self._parts)
        before = self._status

        def told() -> None:
            searched = run.in_force.package if run.in_force else None
            self._retry_seconds = FIRST_RETRY_SECONDS
            self._status = CameraStatus(
                Phase.RUNNING if searched else Phase.WAITING,
                deployment_id=searched.deployment_id if searched else None,
                gallery_version=searched.version if searched else None,
                frame_accounting=run.accounting(),
                candidates=before.candidates + run.candidates,
                lost=before.lost + run.lost,
            )

        try:
            run.play(told)
        finally:
            told()

    def _origin(self, source: FrameSource) -> Origin:
        if self._live:
            clock = SourceClock(live=True, now=self._now)
            return Origin(self.camera_id, uuid.uuid4().hex, None, clock)
        path = Path(self._config.source)
        try:
            sha256 = record_input(path).sha256
        except OSError as error:
            raise SourceOpenError(redact_url(str(path)), error.strerror or "cannot be read") from error
        clock = SourceClock(False, self._config.recorded_at, source.start_seconds, self._now)
        return Origin(self.camera_id, sha256, sha256, clock)

    def _fail(self, reason: str) -> None:
        self._tell(Phase.FAILED, reason)
        _log.error("camera_failed", camera_id=self.camera_id, reason=reason)

    def _tell(self, phase: Phase, detail: str = "") -> None:
        self._status = replace(
            self._status, phase=phase, detail=detail, deployment_id=None, gallery_version=None
        )
