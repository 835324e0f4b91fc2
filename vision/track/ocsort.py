"""OC-SORT: tracks held to what was observed, not to what was predicted.

Cao, Pang, Weng, Khirodkar, Kitani: "Observation-Centric SORT: Rethinking SORT for Robust
Multi-Object Tracking", CVPR 2023, with what its authors offer beside it, ByteTrack's association over
low confidences and of confirmed tracks first. Times are seconds where the paper counts frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision import boxes
from vision.track.association import assign, direction_consistency
from vision.track.kalman import Float64
from vision.track.lifecycle import Candidates, Lifecycle, LifecycleOptions, Pairing
from vision.types import Bool, Detections, Tracks

MAX_REPLAY_STEPS = 10
"""Virtual observations of a re-update at most; the filter has settled by then."""


@dataclass(frozen=True, slots=True)
class OcSortOptions:
    """Settings of `OcSort`.

    Attributes:
        start_confidence: what a detection needs to begin a track, and to be in the first association.
        min_confidence: what a detection needs to carry on a track that nothing better fits.
        min_iou: overlap a detection needs with a track.
        confirm_hits: observations in a row before a track is reported; in the first that many updates
            of a stream tracks are reported at once.
        max_lost_seconds: how long a track is remembered without an observation.
        momentum_weight: weight of the direction beside the overlap.
        momentum_seconds: span over which a direction is measured (the paper's three frames, at 25 a
            second).
    """

    start_confidence: float = 0.6
    min_confidence: float = 0.1
    min_iou: float = 0.3
    confirm_hits: int = 3
    max_lost_seconds: float = 1.0
    momentum_weight: float = 0.2
    momentum_seconds: float = 0.12


class OcSort:
    """The default tracker; see `vision.track.base.Tracker`."""

    def __init__(self, options: OcSortOptions | None = None) -> None:
        self._options = options or OcSortOptions()
        self.reset()

    def __len__(self) -> int:
        """Tracks remembered, lost and unconfirmed ones included."""
        return len(self._life.tracks)

    def reset(self) -> None:
        """Forgets everything; the next track is number 1."""
        self._life = Lifecycle(
            LifecycleOptions(
                confirm_hits=self._options.confirm_hits,
                max_lost_seconds=self._options.max_lost_seconds,
                momentum_seconds=self._options.momentum_seconds,
                max_replay_steps=MAX_REPLAY_STEPS,
            )
        )

    def update(self, detections: Detections, pts_seconds: float) -> Tracks:
        """See `Tracker.update`."""
        self._life.begin(pts_seconds)
        candidates = Candidates.of(
            detections, min(self._options.min_confidence, self._options.start_confidence)
        )
        strong = candidates.confidence >= self._options.start_confidence
        pairing = self._pair(candidates, strong)
        return self._life.settle(candidates, pairing, births=strong & ~pairing.taken)

    def _pair(self, candidates: Candidates, strong: Bool) -> Pairing:
        tracks = self._life.tracks
        pairing = Pairing.none(len(tracks), len(candidates))
        if not len(tracks) or not len(candidates):
            return pairing
        same_class = tracks.class_id[:, np.newaxis] == candidates.class_id[np.newaxis, :]
        predicted = boxes.iou(tracks.predicted_boxes(self._life.now_seconds), candidates.xyxy)
        near = same_class & (predicted >= self._options.min_iou)
        score = predicted + self._momentum(candidates, near)
        confirmed = (tracks.track_id > 0)[:, np.newaxis]

        # A track nobody has confirmed yet, false ones among them, takes only what the confirmed leave,
        # and only strong detections confirm it.
        pairing.add(*assign(score, near & strong & confirmed))
        pairing.add(*assign(score, near & strong & ~confirmed & ~pairing.taken))

        # A weak detection carries on any confirmed track that nothing better fitted; it begins none.
        pairing.add(*assign(predicted, near & ~strong & confirmed & pairing.open_tracks[:, np.newaxis]))

        # Observation-centric recovery: what stopped while it was hidden is where it was last seen.
        last = boxes.iou(tracks.xyxy, candidates.xyxy)
        still = same_class & (last >= self._options.min_iou) & pairing.open_tracks[:, np.newaxis]
        pairing.add(*assign(last, still & (strong & ~pairing.taken)))
        return pairing

    def _momentum(self, candidates: Candidates, near: Bool) -> Float64:
        """What the direction adds to the score of the pairs that are near, 0 for all others."""
        tracks, options = self._life.tracks, self._options
        rows, columns = np.nonzero(near)
        reference = tracks.reference_boxes(self._life.now_seconds, options.momentum_seconds)
        consistency = direction_consistency(tracks.direction[rows], reference[rows], candidates.xyxy[columns])
        added = np.zeros(near.shape)
        added[rows, columns] = options.momentum_weight * candidates.confidence[columns] * consistency
        return added
