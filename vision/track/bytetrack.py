"""ByteTrack: every detection box is associated, the weak ones after the strong.

Zhang, Sun, Jiang, Yu, Weng, Yuan, Luo, Liu, Wang: "ByteTrack: Multi-Object Tracking by Associating
Every Detection Box", ECCV 2022, on SORT's filter. Times are seconds where the paper counts frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision import boxes
from vision.track.association import assign
from vision.track.lifecycle import Candidates, Lifecycle, LifecycleOptions, Pairing
from vision.types import Bool, Detections, Tracks


@dataclass(frozen=True, slots=True)
class ByteTrackOptions:
    """Settings of `ByteTrack`.

    Attributes:
        start_confidence: what a detection needs to begin a track.
        strong_confidence: what it needs to be in the first association.
        min_confidence: what it needs to be in the second.
        min_iou: overlap needed in the first association.
        min_iou_weak: overlap needed in the second.
        confirm_hits: observations in a row before a track is reported; in the first that many updates
            of a stream tracks are reported at once.
        max_lost_seconds: how long a confirmed track is remembered without an observation; one that
            is not confirmed is forgotten at its first miss.
    """

    start_confidence: float = 0.7
    strong_confidence: float = 0.6
    min_confidence: float = 0.1
    min_iou: float = 0.2
    min_iou_weak: float = 0.5
    confirm_hits: int = 2
    max_lost_seconds: float = 1.0


class ByteTrack:
    """The alternative to `OcSort`; see `vision.track.base.Tracker`."""

    def __init__(self, options: ByteTrackOptions | None = None) -> None:
        self._options = options or ByteTrackOptions()
        self.reset()

    def __len__(self) -> int:
        """Tracks remembered, lost and unconfirmed ones included."""
        return len(self._life.tracks)

    def reset(self) -> None:
        """Forgets everything; the next track is number 1."""
        self._life = Lifecycle(
            LifecycleOptions(
                confirm_hits=self._options.confirm_hits, max_lost_seconds=self._options.max_lost_seconds
            )
        )

    def update(self, detections: Detections, pts_seconds: float) -> Tracks:
        """See `Tracker.update`."""
        self._life.begin(pts_seconds)
        candidates = Candidates.of(detections, self._options.min_confidence)
        strong = candidates.confidence >= self._options.strong_confidence
        pairing = self._pair(candidates, strong)
        births = (candidates.confidence >= self._options.start_confidence) & strong & ~pairing.taken
        return self._life.settle(candidates, pairing, births)

    def hold(self, pts_seconds: float) -> None:
        """See `Tracker.hold`."""
        self._life.hold(pts_seconds)

    def _pair(self, candidates: Candidates, strong: Bool) -> Pairing:
        tracks = self._life.tracks
        pairing = Pairing.none(len(tracks), len(candidates))
        if not len(tracks) or not len(candidates):
            return pairing
        iou = boxes.iou(tracks.predicted_boxes(self._life.now_seconds), candidates.xyxy)
        iou[tracks.class_id[:, np.newaxis] != candidates.class_id[np.newaxis, :]] = 0.0
        confirmed = tracks.track_id > 0

        first = (iou >= self._options.min_iou) & strong
        pairing.add(*assign(iou, first & confirmed[:, np.newaxis]))

        steady = confirmed & (tracks.missed == 0) & pairing.open_tracks
        second = (iou >= self._options.min_iou_weak) & ~strong
        pairing.add(*assign(iou, second & steady[:, np.newaxis]))

        # The unconfirmed get what the confirmed left over.
        pairing.add(*assign(iou, first & ~confirmed[:, np.newaxis] & ~pairing.taken))
        return pairing
