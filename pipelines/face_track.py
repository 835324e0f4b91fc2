"""What is known of one face track while it lasts, and what becomes of its looks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pipelines.findings import BestLook, Finding, TrackSummary, Xyxy
from pipelines.revisions import Telling, Tellings
from vision.boxes import enlarge, to_pixels
from vision.face.quality import FaceQuality
from vision.identify.best_shots import BestShots, ShotFacts
from vision.identify.calibration import OperatingPoint
from vision.identify.fusion import FusionStep, TrackFusion
from vision.types import Frame

_CROP_MARGIN = 0.8
"""Kept about a face on each side, by its size: a portrait's margin, whichever way the head leans."""

_CLEARLY_BETTER = 1.2
"""A look of so many times the best quality so far is always taken."""

_HOPE_SECONDS = 0.2
"""How often a face that may look better than ever, by its box and landmarks, is measured."""


@dataclass(frozen=True, slots=True)
class LookPlan:
    """How often a face is looked at.

    Attributes:
        dense_looks: until so many looks are fused, every good one is taken.
        recheck_seconds: later, one look in so many seconds notices that the track changed hands.
    """

    dense_looks: int
    recheck_seconds: float


@dataclass(slots=True)
class FaceTrack:
    """One face track, mutable.

    Attributes:
        key: the tracker's id.
        track_id: the number it is known under.
        start_pts_seconds: its first frame.
        last_pts_seconds: its last frame.
        held_pts_seconds: until when it is known to be there: its last frame, or a later one in which nothing moved.
        fusion: its templates.
        tellings: what was said of it.
        shots: its best pictures, cut out; never whole frames.
        frames_seen: frames it was seen in.
        best: the best look, with the whole frame.
        aside: a look that seems to be somebody else's.
        may_continue: tracker ids of lost tracks that it may be, until its first look tells.
        continues_track_id: an earlier track that it goes on from by motion alone.
    """

    key: int
    track_id: int
    start_pts_seconds: float
    last_pts_seconds: float
    held_pts_seconds: float
    fusion: TrackFusion
    tellings: Tellings
    shots: BestShots[BestLook] = field(default_factory=BestShots)
    frames_seen: int = 0
    best: BestLook | None = None
    aside: BestLook | None = None
    may_continue: tuple[int, ...] = ()
    continues_track_id: int | None = None
    last_look_pts_seconds: float = float("-inf")
    last_hope_pts_seconds: float = float("-inf")

    @property
    def best_score(self) -> float:
        """Quality of the best look so far."""
        return self.best.quality.score if self.best else 0.0

    def wants(self, score: float, pts_seconds: float, plan: LookPlan) -> bool:
        """Whether a look of that quality is to be taken."""
        return self._is_due(pts_seconds, plan) or score > _CLEARLY_BETTER * self.best_score

    def may_want(self, best_possible_score: float, pts_seconds: float, plan: LookPlan) -> bool:
        """Whether the face is worth measuring, by what its box and landmarks allow."""
        if self._is_due(pts_seconds, plan):
            return True
        hopeful = best_possible_score > _CLEARLY_BETTER * self.best_score
        if not hopeful or pts_seconds - self.last_hope_pts_seconds < _HOPE_SECONDS:
            return False
        self.last_hope_pts_seconds = pts_seconds
        return True

    def _is_due(self, pts_seconds: float, plan: LookPlan) -> bool:
        return (
            self.fusion.frames_fused < plan.dense_looks
            or self.aside is not None
            or pts_seconds - self.last_look_pts_seconds >= plan.recheck_seconds
        )

    def take(self, look: BestLook) -> None:
        """Writes down a look that was fused."""
        self.aside = None
        if look.quality.score > self.best_score or self.best is None:
            self.best = look
        self.shots.offer(_facts(look), lambda: cut_out(look))

    def findings(self, look: BestLook, step: FusionStep, point: OperatingPoint) -> list[Finding]:
        """What is to be said after a look: of whom it was decided for, and of whom it was before."""
        told = []
        if step.decision is not None:
            # A single look is shown itself: it is all the decision rests on.
            shown = look if step.decision.single_look or self.best is None else self.best
            score, now = shown.quality.score, look.pts_seconds
            telling = self.tellings.decided(step.decision, score, now)
            if telling is None:
                self.fusion.withdraw(step.decision.subject_id)
            else:
                told.append(self._finding(telling, look, shown, point))
        for standing in step.standing:
            telling = self.tellings.looked_again(standing, self.best_score, look.pts_seconds)
            if telling is not None:
                if telling.withdrawn:
                    self.fusion.withdraw(standing.subject_id)
                told.append(self._finding(telling, look, self.best or look, point))
        return told

    def split(self, track_id: int, look: BestLook) -> None:
        """Goes on as another track: what it was has ended, and the look set aside before was its first."""
        first = self.aside or look
        self.track_id, self.start_pts_seconds = track_id, first.pts_seconds
        self.frames_seen = self.fusion.frames_fused
        self.best, self.continues_track_id = first, None
        self.tellings.forget()
        self.shots.forget()
        self.shots.offer(_facts(first), lambda: cut_out(first))

    def forget(self) -> None:
        """Overwrites its templates and lets its pictures go."""
        self.fusion.forget()
        self.tellings.forget()
        self.shots.forget()
        self.best = self.aside = None

    def summary(self) -> TrackSummary:
        """What it comes to, as of now."""
        return TrackSummary(
            track_id=self.track_id,
            start_pts_seconds=self.start_pts_seconds,
            end_pts_seconds=self.last_pts_seconds,
            frames_seen=self.frames_seen,
            frames_fused=self.fusion.frames_fused,
            resembled=self.fusion.identification,
            continues_track_id=self.continues_track_id,
        )

    def _finding(self, telling: Telling, look: BestLook, shown: BestLook, point: OperatingPoint) -> Finding:
        decision = telling.decision
        expected = point.expected_false_alerts_per_1000_faces
        if decision.single_look:
            expected = point.single_look_expected_false_alerts_per_1000_faces
        others = (each for each in self.shots.pictures if each.frame_index != shown.frame_index)
        return Finding(
            track_id=self.track_id,
            track_start_pts_seconds=self.start_pts_seconds,
            pts_seconds=look.pts_seconds,
            subject_id=decision.subject_id,
            similarity=decision.similarity,
            threshold=decision.threshold,
            single_look=decision.single_look,
            frames_fused=decision.frames_fused,
            alternatives=decision.alternatives,
            expected_false_alerts_per_1000_faces=expected,
            calibration=point.calibration,
            best_look=shown,
            more_looks=tuple(others),
            revision=telling.revision,
            withdrawn=telling.withdrawn,
        )


def look_weight(quality: FaceQuality) -> float:
    """How much one look counts in the fused template, above 0, at most 1."""
    return max(quality.score, 1e-3)


def cut_out(look: BestLook) -> BestLook:
    """The same look with the face and its surroundings instead of the whole frame, in pixels of that part."""
    image = look.frame.image
    around = enlarge(np.array([look.xyxy], np.float64), _CROP_MARGIN)
    left, top, right, bottom = to_pixels(around, (image.shape[1], image.shape[0]))[0].tolist()
    if right <= left or bottom <= top:
        return look
    part = image[top:bottom, left:right].copy()  # a view would keep the whole frame alive
    shift = np.array([left, top], np.float32)
    return replace(
        look,
        frame=Frame(part, look.frame.pts_seconds, look.frame.frame_index),
        xyxy=_moved(look.xyxy, left, top),
        landmarks=look.landmarks - shift,
        person_xyxy=None,
        others_xyxy=tuple(
            _moved(other, left, top)
            for other in look.others_xyxy
            if other[0] < right and other[2] > left and other[1] < bottom and other[3] > top
        ),
    )


def _moved(xyxy: Xyxy, left: float, top: float) -> Xyxy:
    return xyxy[0] - left, xyxy[1] - top, xyxy[2] - left, xyxy[3] - top


def _facts(look: BestLook) -> ShotFacts:
    measured = look.quality
    return ShotFacts(measured.score, measured.yaw_degrees, measured.pitch_degrees, look.pts_seconds)
