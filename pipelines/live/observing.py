"""By what a worker is watched: its metrics, its health, its clock, and its spans."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from pipelines.camera_status import CameraStatus
from pipelines.config_metrics import MetricsSettings, metrics_access
from pipelines.events import utc_now
from pipelines.evidence import EvidenceState
from pipelines.live.clock_check import ClockCheck
from pipelines.live.gaps import GapLog
from pipelines.live.health import WorkerHealth
from pipelines.live.metrics import SpoolState, WorkerMetrics
from pipelines.live.metrics_server import MetricsServer, PortTakenError
from pipelines.live.schedule import FairTurns
from pipelines.tracing import Tracing
from vision.runtime import RunWatch

LOOK_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)
_GAPS_LOOKED_AT: Final = 16
"""Newest gaps of a camera; more do not begin within `LOOK_SECONDS`."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as it is at one moment.

    Attributes:
        statuses: of its cameras, by id.
        spool: the queue on disk.
        bus_reachable: whether Redis took what it was last given.
        evidence: how the store of evidence fares.
        gaps: of its cameras.
        turns: the queue in front of the device.
    """

    statuses: Mapping[str, CameraStatus]
    spool: SpoolState
    bus_reachable: bool
    evidence: EvidenceState
    gaps: GapLog
    turns: FairTurns


@dataclass(slots=True)
class Observing:
    """Everything of one process that is there to be watched; always there, and cheap.

    Attributes:
        metrics: what is counted and measured.
        health: what probes are told.
        clock: how far the machine's clock can be trusted.
        tracing: spans, where they are asked for.
    """

    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)
    health: WorkerHealth = field(default_factory=WorkerHealth)
    clock: ClockCheck = field(default_factory=ClockCheck)
    tracing: Tracing = field(default_factory=Tracing)
    _next_seconds: float = field(default=0.0, init=False)
    _read: dict[str, int] = field(default_factory=dict, init=False)
    _gap_seconds: dict[str, dict[int, float]] = field(default_factory=dict, init=False)

    def serve(self, settings: MetricsSettings) -> MetricsServer | None:
        """Answers `/metrics`, `/health` and `/ready` from now on; None where no port is set.

        Where somebody else has the port that is an error in the log, and None: cameras are watched all the same.

        Raises:
            ConfigError: others could reach the address and nothing guards it, or the token is none.
        """
        if settings.metrics_port is None:
            return None
        try:
            return MetricsServer(settings, metrics_access(), self.metrics, self.health)
        except PortTakenError as error:
            _log.error("metrics_not_served", reason=str(error))
            return None

    def watch_of(self, model_id: str) -> RunWatch:
        """What is entered around every call of a model, with the rows in it."""

        def watch(rows: int) -> AbstractContextManager[None]:
            return self._measured(model_id, rows)

        return watch

    @contextmanager
    def _measured(self, model_id: str, rows: int) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.metrics.inference(model_id, time.perf_counter() - began, rows)

    def cameras_are(self, configured_fps: Mapping[str, float]) -> None:
        """Which cameras there are, with the rate their frames are to be looked at; forgets all others."""
        self.metrics.cameras_are(dict(configured_fps))
        for known in (self._read, self._gap_seconds):
            for camera_id in known.keys() - configured_fps.keys():
                known.pop(camera_id, None)

    def turned(self, view: Callable[[], WorkerView]) -> None:
        """The worker's turn came round; about once a second it is looked at.

        Args:
            view: gives it; asked only when it is time.
        """
        self.health.turned()
        if time.monotonic() < self._next_seconds:
            return
        self._next_seconds = time.monotonic() + LOOK_SECONDS
        self._look(view())

    def _look(self, view: WorkerView) -> None:
        state = self.clock.look()
        self.health.clock(state)
        self.metrics.clock(
            synchronised=state.synchronised, uncertainty_seconds=state.uncertainty_seconds, jumps=state.jumps
        )
        self.health.bus(reachable=view.bus_reachable, spool=view.spool)
        self.metrics.bus(reachable=view.bus_reachable)
        self.metrics.spool(view.spool)
        self.metrics.evidence(
            accepting=view.evidence.phase != "full",
            waiting=view.evidence.waiting,
            refused=view.evidence.refused,
        )
        self.metrics.galleries(
            {
                status.deployment_id: status.gallery_version
                for status in view.statuses.values()
                if status.deployment_id is not None and status.gallery_version is not None
            }
        )
        for camera_id, status in view.statuses.items():
            self._camera(camera_id, status, view.gaps)
        waited = {name: figures.wait_seconds for name, figures in view.turns.figures().items()}
        self.metrics.turns(
            view.turns.waiting, {name: waited[name] for name in view.statuses if name in waited}
        )

    def _camera(self, camera_id: str, status: CameraStatus, gaps: GapLog) -> None:
        self.metrics.phase(camera_id, status.phase.value)
        self.metrics.frames(camera_id, status.frame_accounting)
        self.metrics.reconnects(camera_id, status.reconnects)
        self.metrics.candidates(camera_id, status.candidates, status.lost)
        self.metrics.masked(camera_id, status.masked_detections)
        self.metrics.faces(camera_id, status.faces_searched)
        read = status.frame_accounting.read
        if read and read != self._read.get(camera_id):
            self.metrics.last_frame(camera_id, time.time())
        self._read[camera_id] = read
        self._camera_gaps(camera_id, gaps)

    def _camera_gaps(self, camera_id: str, gaps: GapLog) -> None:
        newest = gaps.newest(camera_id, _GAPS_LOOKED_AT)
        now = utc_now()
        began_to_look = camera_id not in self._gap_seconds
        before = self._gap_seconds.get(camera_id, {})
        counted: dict[int, float] = {}
        for gap in newest:
            lasted = max(0.0, ((gap.ended_at or now) - gap.began_at).total_seconds())
            counted[gap.number] = lasted
            if began_to_look and gap.ended_at is not None:
                continue  # of an earlier process: its counters are gone, and so is its part in them
            new = gap.number not in before
            self.metrics.gap_grew(camera_id, gap.reason, lasted - before.get(gap.number, 0.0), new=new)
        self._gap_seconds[camera_id] = counted
        self.metrics.in_gap(camera_id, lasts=bool(newest) and newest[-1].ended_at is None)
