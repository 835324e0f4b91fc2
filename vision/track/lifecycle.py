"""How tracks are born, confirmed, reported and forgotten; the same for every tracker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.track.base import TrackClock
from vision.track.kalman import Float64
from vision.track.table import TrackTable
from vision.types import Bool, Detections, Float32, Int32, Int64, Tracks


@dataclass(frozen=True, slots=True)
class LifecycleOptions:
    """Settings of `Lifecycle`.

    Attributes:
        confirm_hits: observations in a row before a track is reported; in the first that many
            updates of a stream tracks are reported at once.
        max_lost_seconds: how long a track is remembered without an observation.
        confirm_confidence: what at least one of them needs.
        momentum_seconds: span over which a track's direction is measured.
        max_replay_steps: virtual observations that fill the gap of a track that comes back; 1 for none.
    """

    confirm_hits: int
    max_lost_seconds: float
    confirm_confidence: float = 0.0
    momentum_seconds: float = 0.0
    max_replay_steps: int = 1


@dataclass(frozen=True, slots=True)
class Candidates:
    """The detections of one frame that a tracker may use, one row each.

    Attributes:
        xyxy: (N, 4) float64 pixels, of positive width and height.
        confidence: (N,) float32.
        class_id: (N,) int32.
        detection_index: (N,) int64, row of the `Detections`.
    """

    xyxy: Float64
    confidence: Float32
    class_id: Int32
    detection_index: Int64

    @classmethod
    def of(cls, detections: Detections, min_confidence: float) -> Candidates:
        """Those that have an area and the confidence, the surest first, whatever order they came in."""
        xyxy = detections.xyxy.astype(np.float64)
        usable = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1) & (detections.confidence >= min_confidence)
        rows = np.flatnonzero(usable)
        x1, y1, x2, y2 = xyxy[rows].T
        rows = rows[np.lexsort((y2, x2, y1, x1, -detections.confidence[rows]))]
        return cls(
            xyxy=xyxy[rows],
            confidence=detections.confidence[rows],
            class_id=detections.class_id[rows],
            detection_index=rows,
        )

    def __len__(self) -> int:
        return len(self.detection_index)


@dataclass(slots=True)
class Pairing:
    """Which track got which candidate in one frame, gathered stage by stage.

    Attributes:
        candidate: (tracks,) int64, row of the `Candidates`; −1 for none.
        taken: (candidates,), whether a track got it.
    """

    candidate: Int64
    taken: Bool

    @classmethod
    def none(cls, tracks: int, candidates: int) -> Pairing:
        """Nothing paired yet."""
        return cls(np.full(tracks, -1, np.int64), np.zeros(candidates, np.bool_))

    def add(self, tracks: Int64, candidates: Int64) -> None:
        """Notes pairs, (K,) rows each."""
        self.candidate[tracks] = candidates
        self.taken[candidates] = True

    @property
    def open_tracks(self) -> Bool:
        """(tracks,), those without a candidate."""
        unpaired: Bool = self.candidate < 0
        return unpaired


class Lifecycle:
    """The tracks of one tracker and what becomes of them."""

    def __init__(self, options: LifecycleOptions) -> None:
        self._options = options
        self._clock = TrackClock(options.max_lost_seconds)
        self._next_id = 1
        self._updates = 0
        self.now_seconds = 0.0
        self.tracks = TrackTable.empty()

    def begin(self, pts_seconds: float) -> None:
        """Goes on to the time of a frame and forgets the tracks that are too old for it.

        Raises:
            ImageError: `pts_seconds` is not finite.
        """
        self.now_seconds, restarted = self._clock.advance(pts_seconds)
        self._updates += 1
        if restarted:
            self.tracks = TrackTable.empty()
        self._forget_lost()

    def hold(self, pts_seconds: float) -> None:
        """Goes on to the time of a frame nobody looked at; see `Tracker.hold`.

        Raises:
            ImageError: `pts_seconds` is not finite.
        """
        before = self.now_seconds
        self.now_seconds, restarted = self._clock.advance(pts_seconds)
        if restarted:
            self.tracks = TrackTable.empty()
        self.tracks.hold(self.now_seconds - before)
        self._forget_lost()

    def _forget_lost(self) -> None:
        self._keep(self.now_seconds - self.tracks.seen_seconds <= self._options.max_lost_seconds)

    def settle(
        self, candidates: Candidates, pairing: Pairing, births: Bool, confidence_factor: float = 1.0
    ) -> Tracks:
        """Writes down what was paired, begins new tracks, and reports.

        A track that is not confirmed yet is forgotten at its first miss.

        Args:
            candidates: of this frame.
            pairing: of `tracks` with them.
            births: (candidates,), which begin a track.
            confidence_factor: on `confirm_confidence`.

        Returns:
            The confirmed tracks of this frame, by rising `track_id`.
        """
        seen = np.flatnonzero(~pairing.open_tracks)
        self.tracks.miss(pairing.open_tracks)
        self.tracks.observe(
            seen,
            candidates.xyxy[pairing.candidate[seen]],
            candidates.confidence[pairing.candidate[seen]],
            self.now_seconds,
            self._options.momentum_seconds,
            self._options.max_replay_steps,
        )
        kept = ~pairing.open_tracks | (self.tracks.track_id > 0)
        self._keep(kept)
        newborn = np.flatnonzero(births)
        born = TrackTable.born(
            candidates.xyxy[newborn],
            candidates.confidence[newborn],
            candidates.class_id[newborn],
            self.now_seconds,
        )
        self.tracks = self.tracks.followed_by(born)
        source = np.concatenate([pairing.candidate[kept], newborn])
        return self._report(candidates, source, self._options.confirm_confidence * confidence_factor)

    def _keep(self, rows: Bool) -> None:
        if not rows.all():
            self.tracks = self.tracks[rows]

    def _report(self, candidates: Candidates, source: Int64, confirm_confidence: float) -> Tracks:
        tracks = self.tracks
        early = self._updates <= self._options.confirm_hits
        ripe = (source >= 0) & (tracks.track_id == 0) & (early | (tracks.hits >= self._options.confirm_hits))
        ripe &= tracks.best_confidence >= confirm_confidence
        tracks.track_id[ripe] = self._next_id + np.arange(np.count_nonzero(ripe))
        self._next_id += int(np.count_nonzero(ripe))
        shown = np.flatnonzero((source >= 0) & (tracks.track_id > 0))
        shown = shown[np.argsort(tracks.track_id[shown])]
        used = source[shown]
        return Tracks(
            xyxy=candidates.xyxy[used].astype(np.float32),
            confidence=candidates.confidence[used],
            class_id=candidates.class_id[used],
            track_id=tracks.track_id[shown],
            detection_index=candidates.detection_index[used],
        )
