"""All tracks of one tracker as one table of arrays: born, seen, missed, expired."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vision.track.association import directions
from vision.track.kalman import BoxStates, Float64, Index, correct, predict, predicted_boxes
from vision.types import Bool, Int32, Int64

Confidence: TypeAlias = npt.NDArray[np.floating[Any]]

HISTORY_LENGTH = 8
"""Observations kept per track for its direction: enough for 0.12 s at 60 frames a second."""


@dataclass(slots=True)
class TrackTable:
    """Live tracks, one row each, in order of birth.

    The filter holds each track at its last observation: nothing is written while a track is lost,
    so a track that comes back starts from what was really seen.

    Attributes:
        track_id: (N,) int64; 0 until the track is confirmed.
        class_id: (N,) int32.
        hits: (N,) int64, observations in a row.
        missed: (N,) int64, updates since the last observation.
        best_confidence: (N,) float64, highest of all observations.
        seen_seconds: (N,) float64, time of the last observation.
        xyxy: (N, 4) float64, the last observation.
        history_xyxy: (N, HISTORY_LENGTH, 4) float64, latest observations, newest first.
        history_seconds: (N, HISTORY_LENGTH) float64; −inf where there is none.
        direction: (N, 2) float64 unit vectors, null before the second observation.
        states: the filter, N rows.
    """

    track_id: Int64
    class_id: Int32
    hits: Int64
    missed: Int64
    best_confidence: Float64
    seen_seconds: Float64
    xyxy: Float64
    history_xyxy: Float64
    history_seconds: Float64
    direction: Float64
    states: BoxStates

    @classmethod
    def born(cls, xyxy: Float64, confidence: Confidence, class_id: Int32, now_seconds: float) -> TrackTable:
        """Tracks that begin now with the boxes `xyxy` (N, 4)."""
        rows = len(xyxy)
        boxes = np.array(xyxy, np.float64).reshape(rows, 4)
        history_seconds = np.full((rows, HISTORY_LENGTH), -np.inf)
        history_seconds[:, :1] = now_seconds
        return cls(
            track_id=np.zeros(rows, np.int64),
            class_id=np.array(class_id, np.int32),
            hits=np.ones(rows, np.int64),
            missed=np.zeros(rows, np.int64),
            best_confidence=np.array(confidence, np.float64),
            seen_seconds=np.full(rows, now_seconds),
            xyxy=boxes,
            history_xyxy=np.repeat(boxes[:, np.newaxis, :], HISTORY_LENGTH, axis=1),
            history_seconds=history_seconds,
            direction=np.zeros((rows, 2)),
            states=BoxStates.start(boxes),
        )

    @classmethod
    def empty(cls) -> TrackTable:
        """No tracks."""
        return cls.born(np.empty((0, 4)), np.empty(0), np.empty(0, np.int32), 0.0)

    def __len__(self) -> int:
        return len(self.track_id)

    def __getitem__(self, rows: Index) -> TrackTable:
        return TrackTable(*(getattr(self, part.name)[rows] for part in fields(self)))

    def followed_by(self, other: TrackTable) -> TrackTable:
        """These tracks, then those of `other`."""
        return TrackTable(
            *(_joined(getattr(self, part.name), getattr(other, part.name)) for part in fields(self))
        )

    def predicted_boxes(self, now_seconds: float) -> Float64:
        """Where the tracks should be now, (N, 4) xyxy pixels."""
        return predicted_boxes(self.states, now_seconds - self.seen_seconds)

    def reference_boxes(self, now_seconds: float, window_seconds: float) -> Float64:
        """Each track's oldest observation within the window before now, else its latest, (N, 4)."""
        recent = now_seconds - self.history_seconds <= window_seconds
        oldest = np.maximum(np.count_nonzero(recent, axis=1) - 1, 0)
        reference: Float64 = self.history_xyxy[np.arange(len(self)), oldest]
        return reference

    def miss(self, rows: Bool) -> None:
        """Notes that the tracks `rows` (N,) got no observation in this frame."""
        self.missed[rows] += 1
        self.hits[rows] = 0

    def hold(self, elapsed_seconds: float) -> None:
        """Lets time go by for the tracks seen in the last frame as if it had not."""
        kept = self.missed == 0
        self.seen_seconds[kept] += elapsed_seconds
        self.history_seconds[kept] += elapsed_seconds

    def observe(
        self,
        rows: Int64,
        xyxy: Float64,
        confidence: Confidence,
        now_seconds: float,
        momentum_seconds: float,
        max_replay_steps: int,
    ) -> None:
        """Writes down one observation for each of some tracks.

        Args:
            rows: (K,), each once.
            xyxy: (K, 4) pixels.
            confidence: (K,) of the detections.
            now_seconds: time of the observations.
            momentum_seconds: span over which the direction is measured.
            max_replay_steps: virtual observations that fill a gap; 1 for none.
        """
        seen = self[rows]
        self.direction[rows] = directions(seen.reference_boxes(now_seconds, momentum_seconds), xyxy)
        self.states.put(rows, _replayed(seen, xyxy, now_seconds, max_replay_steps))
        self.history_xyxy[rows] = np.concatenate([xyxy[:, np.newaxis], seen.history_xyxy[:, :-1]], axis=1)
        self.history_seconds[rows, 1:] = seen.history_seconds[:, :-1]
        self.history_seconds[rows, 0] = now_seconds
        self.xyxy[rows] = xyxy
        self.seen_seconds[rows] = now_seconds
        self.hits[rows] += 1
        self.missed[rows] = 0
        self.best_confidence[rows] = np.maximum(seen.best_confidence, confidence)


def _joined(first: Any, second: Any) -> Any:
    return first.followed_by(second) if isinstance(first, BoxStates) else np.concatenate([first, second])


def _replayed(tracks: TrackTable, xyxy: Float64, now_seconds: float, max_steps: int) -> BoxStates:
    """The filter after the observations `xyxy`, with those missed in between filled in.

    OC-SORT's observation-centric re-update (Cao et al. 2023, section 4.1): a track that comes back
    is corrected along the straight line from its last observation to the new one, which removes
    the error that the velocity gathered while it was lost.
    """
    steps = np.minimum(tracks.missed + 1, max_steps)
    step_seconds = (now_seconds - tracks.seen_seconds) / steps
    stride = (xyxy - tracks.xyxy) / steps[:, np.newaxis]
    states = correct(predict(tracks.states, step_seconds), tracks.xyxy + stride)
    for step in range(2, int(steps.max(initial=1)) + 1):
        rows = np.flatnonzero(steps >= step)
        virtual = tracks.xyxy[rows] + step * stride[rows]
        states.put(rows, correct(predict(states[rows], step_seconds[rows]), virtual))
    return states
