"""Faces of one camera followed in time: detections → tracks → good looks → decisions.

Everything known of a face nobody is looking for lives in this object and dies with its track.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pipelines.findings import BestLook, FaceSeen, Finding, ObjectSeen, TrackSummary
from pipelines.stages import Engines, as_xyxy, person_around, roomier
from vision.face.quality import FaceQuality
from vision.identify.calibration import OperatingPoint
from vision.identify.fusion import Decision, FusionOptions, FusionStep, TrackFusion
from vision.identify.gallery import Gallery
from vision.types import Faces, Float32, Frame, Int64

_FULL_SIZE_PX = 112.0
"""The embedders' input: a larger face brings nothing more."""


@dataclass(frozen=True, slots=True)
class FaceTrackOptions:
    """How faces are followed and how often they are looked at.

    Attributes:
        forget_after_seconds: a track not seen for so long has ended and is forgotten; below 1.
        tracking_box_factor: side of the box given to the tracker by side of the face.
        dense_looks: until so many looks are fused, every good one is taken.
        recheck_seconds: later, one look in so many seconds notices that the track changed hands;
            a look clearly better than all before is always taken.
    """

    forget_after_seconds: float = 0.8
    tracking_box_factor: float = 3.0
    dense_looks: int = 10
    recheck_seconds: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.forget_after_seconds < 1:
            raise ValueError(
                f"forget_after_seconds must be above 0 and below 1, got {self.forget_after_seconds}: "
                "a face that matches nobody is forgotten within a second of its track's end"
            )
        if self.tracking_box_factor < 1:
            raise ValueError(f"tracking_box_factor must be at least 1, got {self.tracking_box_factor}")


@dataclass(frozen=True, slots=True)
class Watch:
    """The list a session searches, and the thresholds it is searched with."""

    gallery: Gallery
    point: OperatingPoint


@dataclass(slots=True)
class _Track:
    """One face track, mutable; the tracker's id is the key it is held under."""

    track_id: int
    start_pts_seconds: float
    last_pts_seconds: float
    fusion: TrackFusion
    frames_seen: int = 0
    best: BestLook | None = None
    best_weight: float = 0.0
    aside: BestLook | None = None
    last_look_pts_seconds: float = float("-inf")

    def wants(self, weight: float, pts_seconds: float, options: FaceTrackOptions) -> bool:
        return (
            self.fusion.frames_fused < options.dense_looks
            or self.aside is not None
            or pts_seconds - self.last_look_pts_seconds >= options.recheck_seconds
            or weight > 1.2 * self.best_weight
        )

    def summary(self, before: TrackSummary | None = None) -> TrackSummary:
        return before or TrackSummary(
            track_id=self.track_id,
            start_pts_seconds=self.start_pts_seconds,
            end_pts_seconds=self.last_pts_seconds,
            frames_seen=self.frames_seen,
            frames_fused=self.fusion.frames_fused,
            resembled=self.fusion.identification,
        )


class FaceTracks:
    """Follows the faces of one camera and says when one of them resembles a listed subject.

    Args:
        engines: models and trackers.
        options: how faces are followed.
        fusion: how looks become decisions.
        on_track_end: told of every track that ended, after its templates are gone.
    """

    def __init__(
        self,
        engines: Engines,
        options: FaceTrackOptions,
        fusion: FusionOptions,
        on_track_end: Callable[[TrackSummary], None],
    ) -> None:
        self._engines = engines
        self._options = options
        self._fusion_options = fusion
        self._on_track_end = on_track_end
        self._tracker = engines.new_face_tracker()
        self._tracks: dict[int, _Track] = {}
        self._last_track_id = 0

    def __len__(self) -> int:
        return len(self._tracks)

    def update(
        self, frame: Frame, objects: tuple[ObjectSeen, ...], watch: Watch | None
    ) -> tuple[tuple[FaceSeen, ...], tuple[Finding, ...]]:
        """Takes one frame in.

        Args:
            frame: not older than the one before.
            objects: people seen in the same frame, to be attached to their faces.
            watch: the list; None where no list is in force: then no template is computed at all.

        Returns:
            Every face found, and what became evident.
        """
        faces = self._engines.face_detector.detect(frame.image)
        tracked = self._tracker.update(roomier(faces, self._options.tracking_box_factor), frame.pts_seconds)
        seen = tracked.detection_index >= 0
        rows = tracked.detection_index[seen]
        tracks = [self._touch(int(key), frame.pts_seconds) for key in tracked.track_id[seen]]
        findings: list[Finding] = []
        if watch is not None and len(rows):
            findings = self._look(frame, faces, rows, tracks, objects, watch)
        ids = {int(row): track.track_id for row, track in zip(rows, tracks, strict=True)}
        return (
            tuple(
                FaceSeen(as_xyxy(faces.xyxy[row]), float(faces.confidence[row]), ids.get(row))
                for row in range(len(faces))
            ),
            tuple(findings),
        )

    def expire(self, pts_seconds: float) -> None:
        """Ends tracks that have not been seen for too long at this time."""
        limit = pts_seconds - self._options.forget_after_seconds
        for key in [key for key, track in self._tracks.items() if track.last_pts_seconds < limit]:
            self._end(key)

    def end_all(self) -> None:
        """Ends every track now: the scene changed, the source ended, or the session stops."""
        for key in list(self._tracks):
            self._end(key)
        self._tracker.reset()

    def forget_answers(self) -> None:
        """Drops what the tracks resembled on a list that is no longer in force."""
        for track in self._tracks.values():
            track.fusion.forget_answers()

    def _touch(self, key: int, pts_seconds: float) -> _Track:
        track = self._tracks.get(key)
        if track is None:
            track = _Track(self._next_track_id(), pts_seconds, pts_seconds, TrackFusion(self._fusion_options))
            self._tracks[key] = track
        track.last_pts_seconds = pts_seconds
        track.frames_seen += 1
        return track

    def _next_track_id(self) -> int:
        self._last_track_id += 1
        return self._last_track_id

    def _end(self, key: int) -> None:
        track = self._tracks.pop(key)
        summary = track.summary()
        track.fusion.forget()
        track.best = track.aside = None
        self._on_track_end(summary)

    def _look(
        self,
        frame: Frame,
        faces: Faces,
        rows: Int64,
        tracks: list[_Track],
        objects: tuple[ObjectSeen, ...],
        watch: Watch,
    ) -> list[Finding]:
        shown = faces[rows]
        qualities = self._engines.measure_quality(frame.image, shown)
        wanted = [
            i
            for i, (track, quality) in enumerate(zip(tracks, qualities, strict=True))
            if quality.good and track.wants(look_weight(quality), frame.pts_seconds, self._options)
        ]
        if not wanted:
            return []
        looks = shown[np.array(wanted, np.int64)]
        embeddings = self._engines.embedder.embed(frame.image, looks.landmarks)
        boxes = [as_xyxy(row) for row in faces.xyxy]
        findings = []
        for place, i in enumerate(wanted):
            own = int(rows[i])
            look = BestLook(
                frame=frame,
                xyxy=boxes[own],
                landmarks=looks.landmarks[place],
                quality=qualities[i],
                person_xyxy=person_around(boxes[own], objects),
                others_xyxy=tuple(box for row, box in enumerate(boxes) if row != own),
            )
            finding = self._take(tracks[i], look, embeddings[place], watch)
            if finding is not None:
                findings.append(finding)
        return findings

    def _take(self, track: _Track, look: BestLook, embedding: Float32, watch: Watch) -> Finding | None:
        if not np.isfinite(embedding).all() or not embedding.any():
            return None
        before = track.summary()
        weight = look_weight(look.quality)
        track.last_look_pts_seconds = look.pts_seconds
        step = track.fusion.add(embedding, weight, watch.gallery, watch.point)
        if not step.fused:
            track.aside = look
            return None
        if step.split:
            self._split(track, before, look)
        track.aside = None
        if weight > track.best_weight:
            track.best, track.best_weight = look, weight
        return _finding(track, look, step, watch.point)

    def _split(self, track: _Track, before: TrackSummary, look: BestLook) -> None:
        """The track changed hands: what it was has ended, and a new one began with two looks."""
        first = track.aside or look
        self._on_track_end(replace(before, end_pts_seconds=first.pts_seconds))
        track.track_id = self._next_track_id()
        track.start_pts_seconds = first.pts_seconds
        track.frames_seen = track.fusion.frames_fused
        track.best, track.best_weight = first, look_weight(first.quality)


def look_weight(quality: FaceQuality) -> float:
    """How much one look counts in the fused template, above 0, at most 1.

    Confidence × size up to the embedder's input × how frontal it is. A profile keeps a quarter:
    it may be all there is.
    """
    size = min(quality.face_size_px / _FULL_SIZE_PX, 1.0)
    frontal = max(0.25, 1.0 - abs(quality.yaw_ratio))
    return max(quality.confidence * size * frontal, 1e-3)


def _finding(track: _Track, look: BestLook, step: FusionStep, point: OperatingPoint) -> Finding | None:
    decision: Decision | None = step.decision
    if decision is None:
        return None
    expected = point.expected_false_alerts_per_1000_faces
    if decision.single_look:
        expected = point.single_look_expected_false_alerts_per_1000_faces
    return Finding(
        track_id=track.track_id,
        track_start_pts_seconds=track.start_pts_seconds,
        pts_seconds=look.pts_seconds,
        subject_id=decision.subject_id,
        similarity=decision.similarity,
        threshold=decision.threshold,
        single_look=decision.single_look,
        frames_fused=decision.frames_fused,
        alternatives=decision.alternatives,
        expected_false_alerts_per_1000_faces=expected,
        calibration=point.calibration,
        # A single look is shown itself: it is all the decision rests on.
        best_look=look if decision.single_look or track.best is None else track.best,
    )
