"""One camera of a worker, in a thread of its own: opened, searched while a deployment says so, opened again.

Outside a deployment nothing is searched: a camera is not even opened, a recording waits where it is.
"""

from __future__ import annotations

import threading
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from pipelines.accounting import FrameAccounting
from pipelines.analysis import total_accounting
from pipelines.analyze_inputs import record_input
from pipelines.camera_run import WAIT_SECONDS, CameraRun, upstream_of
from pipelines.camera_sources import CameraSources, CountsUpstream, SourcesHere
from pipelines.camera_status import CameraStatus, Phase
from pipelines.config import CameraConfig
from pipelines.errors import PipelineError
from pipelines.live.messages import DecoderState
from pipelines.search_lists import ListSlot, SearchList
from pipelines.session import SessionOptions
from pipelines.sightings import Origin, SourceClock
from pipelines.watch_parts import WatchParts
from vision.errors import SourceOpenError, VisionError
from vision.locations import redact_url, scheme_of
from vision.sources import FrameSource

FIRST_RETRY_SECONDS = 1.0
ANY_RATE = 1000.0
"""False alerts per 1,000 faces a camera without a wish of its own allows: the list's rate holds."""
LONGEST_RETRY_SECONDS = 60.0
REOPEN_SECONDS = 4.0
"""Sums that begin anew wait until the service, which looks every two seconds, has had the last ones of before."""


_log = structlog.get_logger(__name__)


_READING = frozenset({Phase.OPENING, Phase.RUNNING})
_NOT_READING = frozenset({Phase.OPENING, Phase.RETRYING, Phase.FAILED})
"""What a decoder is doing when it gives no pictures, in the words of `DecoderState`, which are these."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a camera stands: what its thread said last, and the source it reads; replaced as a whole."""

    status: CameraStatus
    source: FrameSource | None = None


class CameraWatch:
    """Watches one camera until a recording ends, or it is stopped."""

    def __init__(
        self,
        camera_id: str,
        config: CameraConfig,
        parts: WatchParts,
        now: Callable[[], datetime],
        sources: CameraSources | None = None,
    ) -> None:
        """
        Args:
            camera_id: names it.
            config: what to open and how.
            parts: shared by all cameras of the worker.
            now: the machine's clock.
            sources: opens it; None: in this process.
        """
        self.camera_id = camera_id
        self._config = config
        self._stop = threading.Event()
        self._parts = replace(parts, stop=self._stop)
        self._now = now
        self._live = scheme_of(config.source) is not None
        self._playing: CameraRun | None = None
        self._sampled_upstream = False
        self._slot = ListSlot(now)
        self._sources = sources or SourcesHere()
        self._standing = _Standing(CameraStatus())
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._first_wait_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name=f"camera {camera_id}", daemon=True)

    @property
    def status(self) -> CameraStatus:
        """As of now; while a source is read, with what its decoder says and counts."""
        standing = self._standing
        status, source = standing.status, standing.source
        if source is None:
            return status
        total = total_accounting((status.frame_accounting, upstream_of(source)))
        return replace(_with_state(status, self._sources.state(self.camera_id)), frame_accounting=total)

    @property
    def done(self) -> bool:
        """Whether its thread has ended, or never began and will not."""
        return not self._thread.is_alive() and (self._thread.ident is not None or self._stop.is_set())

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Has it end soon; from any thread."""
        self._stop.set()
        self._slot.wake()
        self._wake_source()

    def join(self, timeout_seconds: float) -> None:
        """Waits for the end; it must have been stopped, or a recording must be over."""
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)

    def go_on_from(self, before: CameraStatus) -> None:
        """Takes over what was counted of this camera by a watch that has ended; before `start`."""
        status = CameraStatus(
            frame_accounting=before.frame_accounting,
            candidates=before.candidates,
            lost=before.lost,
            masked_detections=before.masked_detections,
            faces_searched=before.faces_searched,
        )
        self._standing = _Standing(status)
        self._first_wait_seconds = REOPEN_SECONDS

    def change(self, config: CameraConfig) -> None:
        """Goes by other settings from the next picture on; whoever decodes it is told by others.

        Args:
            config: of the same camera, whose ring goes on.
        """
        before, self._config = self._config, config
        playing = self._playing
        if playing is not None:
            playing.change(self._options(), config.clip, another_scene=before.source != config.source)

    def set_list(self, search_list: SearchList | None) -> None:
        """Puts another list in force from the next frame on; None: nothing may be searched."""
        self._slot.put(search_list)
        if search_list is None and self._live:
            self._wake_source()  # it may be long until the next picture; a recording waits where it is

    def _wake_source(self) -> None:
        source = self._standing.source
        if source is not None and isinstance(source, CountsUpstream):
            source.wake()

    def _run(self) -> None:
        try:
            self._stop.wait(self._first_wait_seconds)
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
        if self._parts.stop.is_set() and self._standing.status.phase is not Phase.FAILED:
            self._tell(Phase.STOPPED)

    def _wait_until_searched(self) -> bool:
        """Waits until something may be searched; False where the worker stops first."""
        while not self._parts.stop.is_set():
            if self._slot.current() is not None:
                return True
            if self._standing.status.phase is not Phase.WAITING:
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
        return self._sources.open(self.camera_id, self._config)

    def _play(self, source: FrameSource) -> None:
        self._sampled_upstream = isinstance(source, CountsUpstream)
        run = self._playing = CameraRun(
            source, self._origin(source), self._options(), self._slot, self._parts
        )
        before = self._standing.status

        def told(*, over: bool = False) -> None:
            searched = run.in_force.package if run.in_force else None
            self._retry_seconds = FIRST_RETRY_SECONDS
            status = CameraStatus(
                Phase.RUNNING if searched else Phase.WAITING,
                deployment_id=searched.deployment_id if searched else None,
                gallery_version=searched.version if searched else None,
                frame_accounting=run.accounting() if over else run.accounting_here(),
                candidates=before.candidates + run.candidates,
                lost=before.lost + run.lost,
                masked_detections=before.masked_detections + run.masked_detections,
                faces_searched=before.faces_searched + run.faces_searched,
            )
            if over:
                status = _with_state(status, self._sources.state(self.camera_id))
            self._standing = _Standing(status, None if over else source)

        self._standing = _Standing(replace(before, frame_accounting=FrameAccounting()), source)
        try:
            run.play(told)
        finally:
            self._playing = None
            source.close()  # first, as what was under way upstream gets its fate then
            told(over=True)

    def _options(self) -> SessionOptions:
        return SessionOptions(
            None if self._sampled_upstream else self._config.inference_fps,
            self._config.false_alerts_per_1000_faces or ANY_RATE,
            min_looks=self._parts.min_looks,
            region_crops=self._config.region_crops,
        )

    def _origin(self, source: FrameSource) -> Origin:
        desk = self._parts.clips
        clips = desk.keeper(self.camera_id, self._config.clip) if desk else None
        if self._live:
            clock = SourceClock(
                live=True, now=self._now, clock_error=self._parts.observing.clock.uncertainty_seconds
            )
            return Origin(
                self.camera_id, uuid.uuid4().hex, None, clock, clips=clips, previews=self._parts.previews
            )
        path = Path(self._config.source)
        try:
            sha256 = record_input(path).sha256
        except OSError as error:
            raise SourceOpenError(redact_url(str(path)), error.strerror or "cannot be read") from error
        clock = SourceClock(False, self._config.recorded_at, source.start_seconds, self._now)
        return Origin(self.camera_id, sha256, sha256, clock, clips=clips, previews=self._parts.previews)

    def _fail(self, reason: str) -> None:
        self._tell(Phase.FAILED, reason)
        _log.error("camera_failed", camera_id=self.camera_id, reason=reason)

    def _tell(self, phase: Phase, detail: str = "") -> None:
        status = replace(
            self._standing.status, phase=phase, detail=detail, deployment_id=None, gallery_version=None
        )
        self._standing = _Standing(status)


def _with_state(status: CameraStatus, state: DecoderState | None) -> CameraStatus:
    """The status with what the decoder says; where that has no camera, so has this process."""
    if state is None:
        return status
    status = replace(status, decoding=state.decoding, fps=state.fps, reconnects=state.reconnects)
    if status.phase in _READING and state.phase in _NOT_READING:
        return replace(status, phase=Phase(state.phase), detail=state.detail)
    return status
