"""Metrics of one worker, in a registry of its own; names and labels stand in docs/metrics.md.

Labels are bounded: cameras and models are those of the settings, every other label takes one of a few known
words and `other`. No metric names a person, a list or a subject, or counts how many are on one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, fields
from importlib import metadata
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from pipelines.accounting import FrameAccounting
from pipelines.metrics_registry import PlainRegistry

OTHER: Final = "other"

PHASES: Final = ("waiting", "opening", "running", "retrying", "failed", "ended", "stopped")
DROP_REASONS: Final = frozenset({
    "overtaken", "decoder_died", "matcher_died", "matcher_away", "not_converted", "too_large", "not_searched",
    "stopped", "inference_failed",
})  # fmt: skip
GAP_REASONS: Final = frozenset({
    "unreachable", "refused", "stalled", "frozen", "undecodable", "decoder_died", "matcher_away", "not_searched",
    "worker_away",
})  # fmt: skip
DEATHS: Final = frozenset({"signal", "limit", "exit", "hung", "gallery_changed"})

LATENCY_BUCKETS: Final = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
INFERENCE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
BATCH_BUCKETS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)

_SUMMED: Final = ("undecodable", "not_sampled", "gated", "inferred")
"""The fates of a frame that are one number each; `dropped` is the fifth, by reason."""


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


class WorkerMetrics:
    """What a worker counts and measures. Every method is cheap and safe to call from any thread."""

    def __init__(self) -> None:
        """An empty registry, with the process's own memory, processor time and descriptors in it."""
        self.registry = PlainRegistry()
        self._mutex = threading.Lock()
        self._accounted: dict[str, FrameAccounting] = {}
        self._totals: dict[tuple[str, ...], float] = {}
        self._cameras: set[str] = set()
        self._deployments: set[str] = set()
        ProcessCollector(namespace="aiqyn", registry=self.registry)
        self._gauge("build_info", "The build that runs.", "version").labels(metadata.version("aiqyn")).set(1)
        self._make_camera_metrics()
        self._make_candidate_metrics()
        self._make_state_metrics()

    def cameras_are(self, configured_fps: dict[str, float]) -> None:
        """Which cameras there are, with the rate their frames are to be looked at; forgets all others."""
        with self._mutex:
            gone, self._cameras = self._cameras - set(configured_fps), set(configured_fps)
        for camera_id in gone:
            self.forget_camera(camera_id)
        for camera_id, inference_fps in configured_fps.items():
            self._configured_fps.labels(camera_id).set(inference_fps)

    def forget_camera(self, camera_id: str) -> None:
        """Takes a camera that is no longer configured out of everything."""
        with self._mutex:
            self._accounted.pop(camera_id, None)
            for key in [key for key in self._totals if camera_id in key[1:]]:
                del self._totals[key]
        for metric in self._by_camera:
            metric.remove_by_labels({"camera_id": camera_id})

    def frames(self, camera_id: str, accounting: FrameAccounting) -> None:
        """What became of a camera's frames, as a running sum; one that became smaller has begun anew."""
        with self._mutex:
            before = self._accounted.get(camera_id, FrameAccounting())
            if _began_anew(before, accounting):
                before = FrameAccounting()
            self._accounted[camera_id] = accounting
        self._read.labels(camera_id).inc(accounting.read - before.read)
        for fate in _SUMMED:
            grown = getattr(accounting, fate) - getattr(before, fate)
            self._fates.labels(camera_id, fate).inc(grown)
        dropped = 0
        for reason, count in accounting.dropped.items():
            grown = count - before.dropped.get(reason, 0)
            self._dropped.labels(camera_id, _known(reason, DROP_REASONS)).inc(grown)
            dropped += grown
        self._fates.labels(camera_id, "dropped").inc(dropped)

    def phase(self, camera_id: str, phase: str) -> None:
        """What a camera is doing."""
        for one in PHASES:
            self._phase.labels(camera_id, one).set(one == phase)

    def reconnects(self, camera_id: str, total: int) -> None:
        """How often a camera was opened again, as a running sum."""
        self._grow(self._reconnects.labels(camera_id), ("reconnects", camera_id), total)

    def last_frame(self, camera_id: str, unix_seconds: float) -> None:
        """When the newest frame of a camera was taken."""
        self._last_frame.labels(camera_id).set(unix_seconds)

    def turns(self, waiting: int, wait_seconds: dict[str, float]) -> None:
        """The queue in front of the device.

        Args:
            waiting: cameras that wait for it now.
            wait_seconds: how long each has waited for it, as a running sum.
        """
        self._waiting.set(waiting)
        for camera_id, seconds in wait_seconds.items():
            self._grow(self._turn_wait.labels(camera_id), ("turn_wait", camera_id), seconds)

    def in_gap(self, camera_id: str, *, lasts: bool) -> None:
        """Whether a camera gives nothing to look at now."""
        self._in_gap.labels(camera_id).set(lasts)

    def gap_grew(self, camera_id: str, reason: str, seconds: float, *, new: bool) -> None:
        """A stretch without pictures became longer.

        Args:
            camera_id: where.
            reason: why.
            seconds: by how much.
            new: whether it had not been told of before.
        """
        labels = (camera_id, _known(reason, GAP_REASONS))
        self._gaps.labels(*labels).inc(new)
        self._gap_seconds.labels(*labels).inc(max(0.0, seconds))

    def candidates(self, camera_id: str, published: int, lost: int) -> None:
        """Findings of a camera, as running sums: those put on disk, and those that could not be."""
        self._grow(self._published.labels(camera_id), ("published", camera_id), published)
        self._grow(self._lost.labels(camera_id), ("lost", camera_id), lost)

    def latency(self, camera_id: str, seconds: float) -> None:
        """From the capture of the deciding picture until its candidate was on disk."""
        self._latency.labels(camera_id).observe(max(0.0, seconds))

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
        self._replacements.labels(_known(process, {"decoder", "matcher"}), _known(why, DEATHS)).inc()

    def _grow(self, counter: Counter, key: tuple[str, ...], total: float) -> None:
        """Brings a counter to a running sum that is kept elsewhere and may begin anew."""
        with self._mutex:
            before = self._totals.get(key, 0.0)
            self._totals[key] = total
        counter.inc(total if total < before else total - before)

    def _make_camera_metrics(self) -> None:
        self._read = self._counter("frames_read", "Frames the source announced or delivered.", "camera_id")
        self._fates = self._counter("frames", "Frames read, by what became of them.", "camera_id", "fate")
        self._dropped = self._counter("frames_dropped", "Frames dropped, by reason.", "camera_id", "reason")
        self._configured_fps = self._gauge(
            "camera_configured_fps", "Frames a second that are to be looked at.", "camera_id"
        )
        self._phase = self._gauge("camera_phase", "1 for what a camera is doing.", "camera_id", "phase")
        self._reconnects = self._counter("camera_reconnects", "Times a camera was opened again.", "camera_id")
        self._turn_wait = self._counter(
            "camera_turn_wait_seconds", "Time frames waited for the device.", "camera_id"
        )
        self._last_frame = self._gauge(
            "camera_last_frame_timestamp_seconds", "When the newest frame was taken.", "camera_id"
        )
        self._in_gap = self._gauge("camera_in_gap", "1 while a camera gives nothing to look at.", "camera_id")
        self._gaps = self._counter("camera_gaps", "Gaps, those that last among them.", "camera_id", "reason")
        self._gap_seconds = self._counter(
            "camera_gap_seconds", "Time without anything to look at.", "camera_id", "reason"
        )

    def _make_candidate_metrics(self) -> None:
        self._published = self._counter("candidates_published", "Candidates put on disk.", "camera_id")
        self._lost = self._counter("candidates_lost", "Findings that could not be published.", "camera_id")
        self._latency = Histogram(
            "aiqyn_candidate_latency_seconds",
            "From the capture of the deciding picture to the candidate on disk.",
            ("camera_id",),
            registry=self.registry,
            buckets=LATENCY_BUCKETS,
        )
        self._by_camera: Iterable[Counter | Gauge | Histogram] = (
            self._read, self._fates, self._dropped, self._configured_fps, self._phase, self._reconnects,
            self._turn_wait, self._last_frame, self._in_gap, self._gaps, self._gap_seconds, self._published,
            self._lost, self._latency,
        )  # fmt: skip
        self._evidence_up = self._gauge("evidence_up", "1 while new evidence is written.")
        self._evidence_waiting = self._gauge("evidence_waiting", "Evidence on disk for a store that is away.")
        self._evidence_refused = self._counter(
            "evidence_refused", "Pictures and clips that could not be stored."
        )

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

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"aiqyn_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"aiqyn_{name}", text, labels, registry=self.registry)


def _known(word: str, words: Iterable[str]) -> str:
    return word if word in words else OTHER


def _began_anew(before: FrameAccounting, now: FrameAccounting) -> bool:
    counts = [one.name for one in fields(FrameAccounting) if one.name != "dropped"]
    smaller = any(getattr(now, name) < getattr(before, name) for name in counts)
    return smaller or any(now.dropped.get(reason, 0) < count for reason, count in before.dropped.items())
