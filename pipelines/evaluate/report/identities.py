"""Which track followed which person when: what a count of switches hides.

Matching is that of CLEAR (Bernardin and Stiefelhagen 2008) as TrackEval does it: in every frame as many pairs
as possible that overlap by half, a pair of the frame before first, then by overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipelines.evaluate.mot import MotBoxes
from vision import boxes

_MIN_IOU = 0.5
_STAYS = 1000.0
"""Weight of a pair that goes on from the frame before, as in TrackEval's CLEAR."""

_NO_CLASS, _PEDESTRIAN = -1, 1


@dataclass(frozen=True, slots=True)
class Span:
    """Frames from `first` to `last` in which one track followed one person without a break."""

    person: int
    track: int
    first: int
    last: int

    @property
    def frames(self) -> int:
        """How many."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Switch:
    """A person goes on under another number.

    Attributes:
        person: in the ground truth.
        old_track: followed it until `before`.
        new_track: follows it from `frame`.
        before: the last frame under the old number.
        frame: the first under the new one.
    """

    person: int
    old_track: int
    new_track: int
    before: int
    frame: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames from `first` to `last` in which no track followed a person who was there."""

    person: int
    first: int
    last: int

    @property
    def frames(self) -> int:
        """How many."""
        return self.last - self.first + 1

    @property
    def middle(self) -> int:
        """The frame half way."""
        return (self.first + self.last) // 2


@dataclass(frozen=True, slots=True)
class Followed:
    """The whole sequence.

    Attributes:
        spans: by person, then by time.
        switches: by time.
        gaps: by person, then by time.
        present: frames each person is in.
    """

    spans: tuple[Span, ...]
    switches: tuple[Switch, ...]
    gaps: tuple[Gap, ...]
    present: dict[int, int]


def follow(ground_truth: MotBoxes, tracks: MotBoxes, frame_count: int) -> Followed:
    """Who was followed by which track.

    Args:
        ground_truth: in the pixels of the video; rows that do not count are left out here.
        tracks: in the same.
        frame_count: of the video.
    """
    classed = bool((ground_truth.class_id != _NO_CLASS).any())
    counts = (ground_truth.confidence != 0) & ((ground_truth.class_id == _PEDESTRIAN) | (not classed))
    truth = ground_truth[counts]
    seen = _matched(truth, tracks, frame_count)
    spans, gaps, switches, present = [], [], [], {}
    for person, history in sorted(seen.items()):
        present[person] = len(history)
        spans += _spans(person, history)
        gaps += _gaps(person, history)
        switches += _switches(person, history)
    return Followed(tuple(spans), tuple(sorted(switches, key=lambda one: one.frame)), tuple(gaps), present)


_History = list[tuple[int, int | None]]
"""(frame, track or None) of one person, by frame."""


def _matched(truth: MotBoxes, tracks: MotBoxes, frame_count: int) -> dict[int, _History]:
    seen: dict[int, _History] = {}
    before: dict[int, int] = {}
    frames = zip(truth.by_frame(frame_count), tracks.by_frame(frame_count), strict=True)
    for number, (people, reported) in enumerate(frames, 1):
        pairs = _pairs(people, reported, before)
        for person in people.track_id.tolist():
            seen.setdefault(person, []).append((number, pairs.get(person)))
        before = pairs
    return seen


def _pairs(people: MotBoxes, reported: MotBoxes, before: dict[int, int]) -> dict[int, int]:
    iou = boxes.iou(people.xyxy, reported.xyxy)
    stays = np.array([before.get(person, -1) for person in people.track_id.tolist()], np.int64)
    score = iou + _STAYS * (stays[:, None] == reported.track_id[None, :])
    score = np.where(iou < _MIN_IOU - np.finfo(np.float64).eps, 0.0, score)
    rows, columns = linear_sum_assignment(score, maximize=True)
    return {
        int(people.track_id[row]): int(reported.track_id[column])
        for row, column in zip(rows, columns, strict=True)
        if score[row, column] > 0
    }


def _runs(history: _History) -> list[tuple[int | None, int, int]]:
    """(track or None, first frame, last frame) of every stretch without a change."""
    runs: list[tuple[int | None, int, int]] = []
    for frame, track in history:
        if runs and runs[-1][0] == track and runs[-1][2] == frame - 1:
            runs[-1] = (track, runs[-1][1], frame)
        else:
            runs.append((track, frame, frame))
    return runs


def _spans(person: int, history: _History) -> list[Span]:
    return [Span(person, track, first, last) for track, first, last in _runs(history) if track is not None]


def _gaps(person: int, history: _History) -> list[Gap]:
    return [Gap(person, first, last) for track, first, last in _runs(history) if track is None]


def _switches(person: int, history: _History) -> list[Switch]:
    switches = []
    old: tuple[int, int] | None = None
    for frame, track in history:
        if track is None:
            continue
        if old is not None and old[1] != track:
            switches.append(Switch(person, old[1], track, old[0], frame))
        old = (frame, track)
    return switches
