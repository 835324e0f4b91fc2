"""Faces of one camera followed in time: detections → tracks → good looks → decisions.

Everything known of a face nobody is looking for lives in this object and dies with its track.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from pipelines.face_track import FaceTrack, LookPlan, look_weight
from pipelines.findings import BestLook, FaceSeen, Finding, ObjectSeen, TrackSummary, Xyxy
from pipelines.lineage import Lineage
from pipelines.revisions import RevisionRules, Tellings
from pipelines.stages import Engines, as_xyxy, person_around, roomier
from vision.face.quality import FaceQuality, glance
from vision.identify.calibration import OperatingPoint
from vision.identify.fusion import FusionOptions, TrackFusion
from vision.identify.gallery import Gallery
from vision.types import Faces, Float32, Frame, Int64


@dataclass(frozen=True, slots=True)
class FaceTrackOptions:
    """How faces are followed and how often they are looked at.

    Attributes:
        forget_after_seconds: a track not seen for so long has ended and is forgotten; below 1.
        tracking_box_factor: side of the box given to the tracker by side of the face.
        dense_looks: until so many looks are fused, every good one is taken.
        recheck_seconds: later, one look in so many seconds notices that the track changed hands;
            a look clearly better than all before is always taken.
        max_looks_per_frame: embeddings of one frame at most, so that a crowd costs time for decisions and not
            frames; who was looked at least comes first, and of those who are settled one is looked at.
        revisions: when a finding is told again or taken back.
    """

    forget_after_seconds: float = 0.8
    tracking_box_factor: float = 3.0
    dense_looks: int = 10
    recheck_seconds: float = 0.5
    max_looks_per_frame: int = 6
    revisions: RevisionRules = field(default_factory=RevisionRules)

    def __post_init__(self) -> None:
        if not 0 < self.forget_after_seconds < 1:
            raise ValueError(
                f"forget_after_seconds must be above 0 and below 1, got {self.forget_after_seconds}: "
                "a face that matches nobody is forgotten within a second of its track's end"
            )
        if self.tracking_box_factor < 1:
            raise ValueError(f"tracking_box_factor must be at least 1, got {self.tracking_box_factor}")
        if self.max_looks_per_frame < 1:
            raise ValueError(f"max_looks_per_frame must be at least 1, got {self.max_looks_per_frame}")


@dataclass(frozen=True, slots=True)
class Watch:
    """The list a session searches, and the thresholds it is searched with."""

    gallery: Gallery
    point: OperatingPoint


@dataclass(frozen=True, slots=True)
class _Scene:
    """One frame and what was found in it; `rows` are the tracked faces, `boxes` those of all."""

    frame: Frame
    faces: Faces
    rows: Int64
    boxes: tuple[Xyxy, ...]
    objects: tuple[ObjectSeen, ...]


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
        self._plan = LookPlan(options.dense_looks, options.recheck_seconds)
        self._fusion_options = fusion
        self._on_track_end = on_track_end
        self._tracker = engines.new_face_tracker()
        self._lineage = Lineage()
        self._tracks: dict[int, FaceTrack] = {}
        self._last_track_id = 0
        self._looked_pts_seconds = -math.inf
        self.searched = 0
        """Faces so far of which a look was held against a list: what false alerts are told per thousand of."""

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
        return self.follow(frame, self._engines.face_detector.detect(frame.image), objects, watch)

    def follow(
        self, frame: Frame, faces: Faces, objects: tuple[ObjectSeen, ...], watch: Watch | None
    ) -> tuple[tuple[FaceSeen, ...], tuple[Finding, ...]]:
        """As `update`, where the detector has been run already."""
        self._looked_pts_seconds = frame.pts_seconds
        tracked = self._tracker.update(roomier(faces, self._options.tracking_box_factor), frame.pts_seconds)
        seen = tracked.detection_index >= 0
        rows, keys = tracked.detection_index[seen], tracked.track_id[seen]
        tracks = self._follow(keys, faces.xyxy[rows], frame.pts_seconds)
        boxes = tuple(as_xyxy(row) for row in faces.xyxy)
        findings: list[Finding] = []
        if watch is not None and len(rows):
            findings = self._look(_Scene(frame, faces, rows, boxes, objects), tracks, watch)
        ids = {row: track.track_id for row, track in zip(rows.tolist(), tracks, strict=True)}
        confidence = faces.confidence.tolist()
        seen_now = (FaceSeen(box, confidence[row], ids.get(row)) for row, box in enumerate(boxes))
        return tuple(seen_now), tuple(findings)

    def expire(self, pts_seconds: float) -> None:
        """Ends tracks that have not been seen for too long at this time."""
        limit = pts_seconds - self._options.forget_after_seconds
        for key in [key for key, track in self._tracks.items() if track.held_pts_seconds < limit]:
            self._end(key)

    def hold(self, pts_seconds: float) -> None:
        """Goes on to the time of a frame nobody looked at, because nothing moved since the one before.

        Who was seen in the last frame that was looked at is still there. Whoever was not is forgotten in due
        time, and so is, from the next look on, whom that does not show.
        """
        for track in self._tracks.values():
            if track.last_pts_seconds == self._looked_pts_seconds:
                track.held_pts_seconds = max(track.held_pts_seconds, pts_seconds)
        self._tracker.hold(pts_seconds)
        self._lineage.hold(pts_seconds)
        self.expire(pts_seconds)

    def end_all(self) -> None:
        """Ends every track now: the scene changed, the source ended, or the session stops."""
        for key in list(self._tracks):
            self._end(key)
        self._lineage.reset()
        self._tracker.reset()

    def forget_answers(self) -> None:
        """Drops what the tracks resembled on a list that is no longer in force."""
        for track in self._tracks.values():
            track.fusion.forget_answers()

    def _follow(self, keys: Int64, xyxy: Float32, pts_seconds: float) -> list[FaceTrack]:
        """The tracks of this frame's faces, in their order; new ones begun."""
        self._lineage.observe(keys, xyxy, pts_seconds)
        fresh = [key for key in keys.tolist() if key not in self._tracks]
        seemingly = self._lineage.seems_to_continue() if fresh else {}
        for key in fresh:
            track = self._begin(key, pts_seconds)
            track.continues_track_id = self._lineage.number_before(key) or seemingly.get(key)
            alive = (earlier for earlier in self._lineage.may_continue(key) if earlier in self._tracks)
            track.may_continue = tuple(alive)
            self._lineage.number(key, track.track_id)
        tracks = [self._tracks[key] for key in keys.tolist()]
        for track in tracks:
            track.last_pts_seconds = track.held_pts_seconds = pts_seconds
            track.frames_seen += 1
        return tracks

    def _begin(self, key: int, pts_seconds: float) -> FaceTrack:
        floor = self._fusion_options.disagreement_similarity
        track = FaceTrack(
            key=key,
            track_id=self._next_track_id(),
            start_pts_seconds=pts_seconds,
            last_pts_seconds=pts_seconds,
            held_pts_seconds=pts_seconds,
            fusion=TrackFusion(self._fusion_options),
            tellings=Tellings(self._options.revisions, floor),
        )
        self._tracks[key] = track
        return track

    def _next_track_id(self) -> int:
        self._last_track_id += 1
        return self._last_track_id

    def _end(self, key: int) -> None:
        track = self._tracks.pop(key)
        summary = track.summary()
        track.forget()
        self._on_track_end(summary)

    def _look(self, scene: _Scene, tracks: list[FaceTrack], watch: Watch) -> list[Finding]:
        chosen, qualities = self._choose(scene, tracks)
        if not chosen:
            return []
        looks = scene.faces[scene.rows[np.array(chosen, np.int64)]]
        embeddings = self._engines.embedder.embed(scene.frame.image, looks.landmarks)
        boxes = scene.boxes
        findings: list[Finding] = []
        for place, i in enumerate(chosen):
            own = int(scene.rows[i])
            look = BestLook(
                frame=scene.frame,
                xyxy=boxes[own],
                landmarks=looks.landmarks[place],
                quality=qualities[place],
                person_xyxy=person_around(boxes[own], scene.objects),
                others_xyxy=boxes[:own] + boxes[own + 1 :],
            )
            embedding = embeddings[place]
            if np.isfinite(embedding).all() and embedding.any():
                tracks[i] = self._rejoined(tracks[i], embedding)
                findings += self._take(tracks[i], look, embedding, watch)
        _overwrite(embeddings)
        return findings

    def _choose(self, scene: _Scene, tracks: list[FaceTrack]) -> tuple[list[int], list[FaceQuality]]:
        """Which of the tracked faces are looked at in this frame, and how good they are.

        Pixels are measured only where box and landmarks leave hope and the track wants a look.
        """
        now = scene.frame.pts_seconds
        hints = glance(scene.faces[scene.rows])
        possible, best = hints.possible.tolist(), hints.best_score.tolist()
        hopeful = [
            i for i, track in enumerate(tracks) if possible[i] and track.may_want(best[i], now, self._plan)
        ]
        hopeful.sort(key=lambda i: (tracks[i].fusion.frames_fused, tracks[i].last_look_pts_seconds))
        at_most = self._options.max_looks_per_frame
        unsettled = sum(tracks[i].fusion.frames_fused < self._plan.dense_looks for i in hopeful)
        hopeful = hopeful[: min(at_most, max(unsettled, 1))]  # of those long known, one a frame
        if not hopeful:
            return [], []
        shown = scene.faces[scene.rows[np.array(hopeful, np.int64)]]
        measured = self._engines.measure_quality(scene.frame.image, shown)
        chosen, qualities = [], []
        for i, quality in zip(hopeful, measured, strict=True):
            if quality.good and tracks[i].wants(quality.score, now, self._plan):
                chosen.append(i)
                qualities.append(quality)
        return chosen, qualities

    def _rejoined(self, track: FaceTrack, embedding: Float32) -> FaceTrack:
        """The lost track this one goes on from, where its first look agrees with that one's template; else itself."""
        waiting, track.may_continue = track.may_continue, ()
        for key in waiting:
            earlier = self._tracks.get(key)
            is_lost = earlier is not None and earlier.last_pts_seconds < track.start_pts_seconds
            if earlier is None or not is_lost or not earlier.fusion.frames_fused:
                continue
            if earlier.fusion.agrees(embedding):
                return self._join(track, earlier)
            if track.continues_track_id == earlier.track_id:
                track.continues_track_id = None  # motion said so, the face does not
        return track

    def _join(self, track: FaceTrack, earlier: FaceTrack) -> FaceTrack:
        self._lineage.joined(track.key, earlier.key)
        self._lineage.number(track.key, earlier.track_id)
        del self._tracks[earlier.key]
        track.forget()
        earlier.key = track.key
        earlier.last_pts_seconds = earlier.held_pts_seconds = track.last_pts_seconds
        earlier.frames_seen += track.frames_seen
        self._tracks[track.key] = earlier
        return earlier

    def _take(self, track: FaceTrack, look: BestLook, embedding: Float32, watch: Watch) -> list[Finding]:
        before = track.summary()
        track.last_look_pts_seconds = look.pts_seconds
        step = track.fusion.add(embedding, look_weight(look.quality), watch.gallery, watch.point)
        if not step.fused:
            track.aside = look
            return []
        self.searched += step.split or track.fusion.frames_fused == 1
        if step.split:
            first = track.aside or look
            self._on_track_end(replace(before, end_pts_seconds=first.pts_seconds))
            track.split(self._next_track_id(), look)
            self._lineage.number(track.key, track.track_id)
        track.take(look)
        return track.findings(look, step, watch.point)


def _overwrite(embeddings: Float32) -> None:
    """Templates of the street are not left to the memory allocator."""
    if embeddings.flags.writeable:  # an embedder that keeps its own copy has to answer for it
        embeddings.fill(0.0)
