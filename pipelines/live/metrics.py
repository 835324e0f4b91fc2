"""Metrics of one worker, in a registry of its own; names and labels stand in docs/metrics.md.

Labels are bounded: cameras and models are those of the settings, every other label takes one of a few known
words and `other`. No metric names a person, a list or a subject, or counts how many are on one.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Final

from prometheus_client import Histogram
from prometheus_client.process_collector import ProcessCollector

from pipelines.live.camera_metrics import CameraMetrics, known

DEATHS: Final = frozenset({"signal", "limit", "exit", "hung", "gallery_changed"})

INFERENCE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
BATCH_BUCKETS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True, slots=True)
class SpoolState:
    """The queue on disk in front of Redis.

    Attributes:
        entries: candidates that wait.
        size_bytes: what they take.
        limit_bytes: what they may take.
        refused: candidates that found no room, since this process began.
        damaged: entries found damaged, since this process began.
    """

    entries: int = 0
    size_bytes: int = 0
    limit_bytes: int = 0
    refused: int = 0
    damaged: int = 0


class WorkerMetrics(CameraMetrics):
    """What a worker counts and measures. Every method is cheap and safe to call from any thread."""

    def __init__(self) -> None:
        """An empty registry, with the process's own memory, processor time and descriptors in it."""
        super().__init__()
        self._deployments: set[str] = set()
        ProcessCollector(namespace="aiqyn", registry=self.registry)
        self._gauge("build_info", "The build that runs.", "version").labels(metadata.version("aiqyn")).set(1)
        self._make_state_metrics()

    def turns(self, waiting: int, wait_seconds: dict[str, float]) -> None:
        """The queue in front of the device.

        Args:
            waiting: cameras that wait for it now.
            wait_seconds: how long each has waited for it, as a running sum.
        """
        self._waiting.set(waiting)
        for camera_id, seconds in wait_seconds.items():
            self._grow(self._turn_wait.labels(camera_id), ("turn_wait", camera_id), seconds)

    def evidence(self, *, accepting: bool, waiting: int, refused: int) -> None:
        """How the store of evidence fares.

        Args:
            accepting: whether new pictures and clips are written, there or on this disk.
            waiting: those on this disk, sealed, for a store that is away.
            refused: those that could not be written, as a running sum.
        """
        self._evidence_up.set(accepting)
        self._evidence_waiting.set(waiting)
        self._grow(self._evidence_refused, ("evidence_refused",), refused)

    def inference(self, model_id: str, seconds: float, batch_size: int = 1) -> None:
        """One call of a model.

        Args:
            model_id: of the catalogue.
            seconds: how long the call took.
            batch_size: inputs in it.
        """
        self._inference.labels(model_id).observe(seconds)
        self._batch.labels(model_id).observe(batch_size)

    def spool(self, state: SpoolState) -> None:
        """The queue on disk as it is now."""
        self._spool_entries.set(state.entries)
        self._spool_bytes.set(state.size_bytes)
        self._spool_limit.set(state.limit_bytes)
        self._grow(self._spool_refused, ("spool_refused",), state.refused)
        self._grow(self._spool_damaged, ("spool_damaged",), state.damaged)

    def bus(self, *, reachable: bool) -> None:
        """Whether Redis took what it was last given."""
        self._bus_up.set(reachable)

    def galleries(self, versions: dict[str, int]) -> None:
        """The gallery version searched under each deployment in force."""
        with self._mutex:
            gone, self._deployments = self._deployments - set(versions), set(versions)
        for deployment_id in gone:
            self._gallery.remove(deployment_id)
        for deployment_id, version in versions.items():
            self._gallery.labels(deployment_id).set(version)

    def clock(self, *, synchronised: bool | None, uncertainty_seconds: float | None, jumps: int) -> None:
        """How far this machine's clock can be trusted; None: not known."""
        unknown = float("nan")
        self._clock_synchronised.set(unknown if synchronised is None else synchronised)
        self._clock_uncertainty.set(unknown if uncertainty_seconds is None else uncertainty_seconds)
        self._grow(self._clock_jumps, ("clock_jumps",), jumps)

    def replaced(self, process: str, why: str) -> None:
        """A child process died and was replaced.

        Args:
            process: `decoder` or `matcher`.
            why: one of `DEATHS`.
        """
        self._replacements.labels(known(process, {"decoder", "matcher"}), known(why, DEATHS)).inc()

    def _make_state_metrics(self) -> None:
        self._waiting = self._gauge("inference_waiting", "Frames that wait for the device now.")
        self._inference = Histogram(
            "aiqyn_inference_seconds",
            "Time of one call of a model.",
            ("model_id",),
            registry=self.registry,
            buckets=INFERENCE_BUCKETS,
        )
        self._batch = Histogram(
            "aiqyn_inference_batch_size",
            "Inputs in one call of a model.",
            ("model_id",),
            registry=self.registry,
            buckets=BATCH_BUCKETS,
        )
        self._spool_entries = self._gauge("spool_entries", "Candidates on disk that Redis has not taken.")
        self._spool_bytes = self._gauge("spool_bytes", "What they take.")
        self._spool_limit = self._gauge("spool_limit_bytes", "What they may take.")
        self._spool_refused = self._counter("spool_refused", "Candidates that found no room on disk.")
        self._spool_damaged = self._counter("spool_damaged", "Entries on disk found damaged, set aside.")
        self._bus_up = self._gauge("bus_up", "1 while Redis takes what it is given.")
        self._gallery = self._gauge("gallery_version", "The gallery version searched.", "deployment_id")
        self._clock_synchronised = self._gauge(
            "clock_synchronised", "1 while the clock follows a reference; NaN where that is not known."
        )
        self._clock_uncertainty = self._gauge(
            "clock_uncertainty_seconds", "How far the clock may be off; NaN where nothing bounds it."
        )
        self._clock_jumps = self._counter(
            "clock_jumps", "Times the clock was set by more than half a second."
        )
        self._replacements = self._counter(
            "process_replacements", "Child processes that died and were replaced.", "process", "why"
        )
        self._evidence_up = self._gauge("evidence_up", "1 while new evidence is written.")
        self._evidence_waiting = self._gauge("evidence_waiting", "Evidence on disk for a store that is away.")
        self._evidence_refused = self._counter(
            "evidence_refused", "Pictures and clips that could not be stored."
        )
