"""The part of a worker's metrics that each camera has; names and labels stand in docs/metrics.md."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import fields
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

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
    "settings_changed", "worker_away",
})  # fmt: skip

LATENCY_BUCKETS: Final = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)

_SUMMED: Final = ("undecodable", "not_sampled", "gated", "inferred")
"""The fates of a frame that are one number each; `dropped` is the fifth, by reason."""


class CameraMetrics:
    """What is counted and measured of each camera; safe to call from any thread."""

    def __init__(self) -> None:
        self.registry = PlainRegistry()
        self._mutex = threading.Lock()
        self._accounted: dict[str, FrameAccounting] = {}
        self._totals: dict[tuple[str, ...], float] = {}
        self._cameras: set[str] = set()
        self._make_camera_metrics()
        self._make_candidate_metrics()

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
            self._dropped.labels(camera_id, known(reason, DROP_REASONS)).inc(grown)
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
        labels = (camera_id, known(reason, GAP_REASONS))
        self._gaps.labels(*labels).inc(new)
        self._gap_seconds.labels(*labels).inc(max(0.0, seconds))

    def candidates(self, camera_id: str, published: int, lost: int) -> None:
        """Findings of a camera, as running sums: those put on disk, and those that could not be."""
        self._grow(self._published.labels(camera_id), ("published", camera_id), published)
        self._grow(self._lost.labels(camera_id), ("lost", camera_id), lost)

    def masked(self, camera_id: str, total: int) -> None:
        """People, vehicles and faces dropped under a detection mask, as a running sum."""
        self._grow(self._masked.labels(camera_id), ("masked", camera_id), total)

    def faces(self, camera_id: str, total: int) -> None:
        """Faces of which a look was held against a list, as a running sum."""
        self._grow(self._faces.labels(camera_id), ("faces", camera_id), total)

    def latency(self, camera_id: str, seconds: float) -> None:
        """From the capture of the deciding picture until its candidate was on disk."""
        self._latency.labels(camera_id).observe(max(0.0, seconds))

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
        self._masked = self._counter(
            "masked_detections", "People, vehicles and faces dropped under a detection mask.", "camera_id"
        )
        self._faces = self._counter(
            "faces_searched", "Faces of which a look was held against a list.", "camera_id"
        )
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
            self._lost, self._masked, self._faces, self._latency,
        )  # fmt: skip

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"aiqyn_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"aiqyn_{name}", text, labels, registry=self.registry)


def known(word: str, words: Iterable[str]) -> str:
    """The word, where it is one of these; else `other`, so that a label stays bounded."""
    return word if word in words else OTHER


def _began_anew(before: FrameAccounting, now: FrameAccounting) -> bool:
    counts = [one.name for one in fields(FrameAccounting) if one.name != "dropped"]
    smaller = any(getattr(now, name) < getattr(before, name) for name in counts)
    return smaller or any(now.dropped.get(reason, 0) < count for reason, count in before.dropped.items())
