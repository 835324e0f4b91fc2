"""OC-SORT: tracks held to what was observed, not to what was predicted.

Cao, Pang, Weng, Khirodkar, Kitani: "Observation-Centric SORT: Rethinking SORT for Robust
Multi-Object Tracking", CVPR 2023: its momentum, recovery and re-update. Three things are different:

- Weak detections are associated too, after the strong ones (ByteTrack, Zhang et al. 2022), and confirmed
  tracks choose first.
- A track begins quietly with any detection that is not very weak, and is reported once one of its detections
  was sure. False boxes are seldom sure even once; people who come into view are unsure for some frames only.
- Thresholds follow the detector: see `vision.track.confidence`.

Times are seconds where the papers count frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision import boxes
from vision.track.association import assign, direction_consistency
from vision.track.confidence import ConfidenceScale
from vision.track.kalman import Float64
from vision.track.lifecycle import Candidates, Lifecycle, LifecycleOptions, Pairing
from vision.types import Bool, Detections, Tracks

MAX_REPLAY_STEPS = 10
"""Virtual observations of a re-update at most; the filter has settled by then."""


@dataclass(frozen=True, slots=True)
class OcSortOptions:
    """Settings of `OcSort`.

    Attributes:
        confirm_confidence: what the surest detection of a track needs before the track is reported.
        strong_confidence: what a detection needs to be in the first association.
        start_confidence: what it needs to begin a track, quietly.
        min_confidence: what it needs to carry on a confirmed track that nothing better fits.
        min_iou: overlap needed in the first association.
        min_iou_weak: overlap a weak detection needs.
        min_iou_last: overlap needed with the last observation of a track that stopped while it was hidden.
        confirm_hits: observations in a row before a track is reported; in the first that many updates
            of a stream tracks are reported at once.
        max_lost_seconds: how long a track is remembered without an observation; one that is not confirmed
            is forgotten at its first miss.
        momentum_weight: weight of the direction beside the overlap.
        momentum_seconds: span over which a direction is measured (the paper's three frames, at 25 a
            second).
    """

    confirm_confidence: float = 0.7
    strong_confidence: float = 0.6
    start_confidence: float = 0.3
    min_confidence: float = 0.1
    min_iou: float = 0.2
    min_iou_weak: float = 0.5
    min_iou_last: float = 0.3
    confirm_hits: int = 2
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
        options = self._options
        self._scale = ConfidenceScale()
        self._life = Lifecycle(
            LifecycleOptions(
                confirm_hits=options.confirm_hits,
                confirm_confidence=options.confirm_confidence,
                max_lost_seconds=options.max_lost_seconds,
                momentum_seconds=options.momentum_seconds,
                max_replay_steps=MAX_REPLAY_STEPS,
            )
        )

    def update(self, detections: Detections, pts_seconds: float) -> Tracks:
        """See `Tracker.update`."""
        options = self._options
        self._life.begin(pts_seconds)
        factor = self._scale.update(detections.confidence, self._life.now_seconds)
        candidates = Candidates.of(detections, options.min_confidence * factor)
        strong = candidates.confidence >= options.strong_confidence * factor
        fair = candidates.confidence >= options.start_confidence * factor
        pairing = self._pair(candidates, strong, fair)
        return self._life.settle(candidates, pairing, fair & ~pairing.taken, factor)

    def hold(self, pts_seconds: float) -> None:
        """See `Tracker.hold`."""
        self._life.hold(pts_seconds)

    def _pair(self, candidates: Candidates, strong: Bool, fair: Bool) -> Pairing:
        tracks, options = self._life.tracks, self._options
        pairing = Pairing.none(len(tracks), len(candidates))
        if not len(tracks) or not len(candidates):
            return pairing
        same_class = tracks.class_id[:, np.newaxis] == candidates.class_id[np.newaxis, :]
        overlap = same_class * boxes.iou(tracks.predicted_boxes(self._life.now_seconds), candidates.xyxy)
        near = overlap >= options.min_iou
        score = overlap + self._momentum(candidates, near)
        confirmed = (tracks.track_id > 0)[:, np.newaxis]

        # A track nobody has confirmed yet, false ones among them, takes only what the confirmed leave.
        pairing.add(*assign(score, near & strong & confirmed))
        pairing.add(*assign(score, near & strong & ~confirmed & ~pairing.taken))

        close = (overlap >= options.min_iou_weak) & ~strong
        pairing.add(*assign(overlap, close & confirmed & pairing.open_tracks[:, np.newaxis]))
        pairing.add(
            *assign(overlap, close & fair & ~confirmed & ~pairing.taken & pairing.open_tracks[:, np.newaxis])
        )

        # Observation-centric recovery: what stopped while it was hidden is where it was last seen.
        left = pairing.open_tracks[:, np.newaxis] & (strong & ~pairing.taken) & same_class
        if left.any():
            last = boxes.iou(tracks.xyxy, candidates.xyxy)
            pairing.add(*assign(last, left & (last >= options.min_iou_last)))
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
