"""Which new track goes on where a lost one ended, told by motion alone.

A tracker loses what it cannot see and gives it a new number when it comes back. What is known of a lost
track is where it was, how large, and how it moved; all of that grows less certain with every second. A new
track goes on from a lost one where it begins within that uncertainty, and where no other pair explains it
nearly as well: the track graphs of tracklet linking (Huang, Wu, Nevatia, "Robust Object Tracking by
Hierarchical Association of Detection Responses", ECCV 2008), decided at once instead of over the video.

Only boxes and times are kept here, never a picture or a template.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.track.base import TrackClock, Tracker
from vision.track.kalman import Float64
from vision.types import Detections, Int32, Int64, Tracks

_SQUARED_GATE = 11.34
"""Squared distances of a true pair lie below it in 99 of 100 cases (chi-squared, three degrees of freedom)."""


@dataclass(frozen=True, slots=True)
class RejoinOptions:
    """How far a lost track is followed. Lengths are in heights of its box, so that distance does not matter.

    The defaults are for boxes around whole people, who walk 0.8 of their height in a second, stop, and turn.

    Attributes:
        max_gap_seconds: how long a lost track is remembered.
        position_error: standard deviation of a box's centre, in heights.
        velocity_change: standard deviation of what a track's velocity changes by while it is lost, heights
            a second.
        unknown_velocity: the same where a track was seen too briefly for its velocity to be known.
        size_error: standard deviation of the logarithm of two heights' ratio.
        size_change: what that grows by in a second.
        velocity_seconds: span at the end of a track over which its velocity is measured.
        max_surprise: pairs less likely than this are left alone: whoever begins there is more likely somebody
            new. Where many tracks began of late, newcomers are likelier, and pairs must be so many times
            likelier too.
        min_odds: how many times likelier a pair must be than any other pair with one of the two.
        max_lost: so many lost tracks are remembered at most, the latest.
    """

    max_gap_seconds: float = 3.0
    position_error: float = 0.08
    velocity_change: float = 0.35
    unknown_velocity: float = 0.8
    size_error: float = 0.1
    size_change: float = 0.1
    velocity_seconds: float = 0.5
    max_surprise: float = -3.0
    min_odds: float = 10.0
    max_lost: int = 200

    def __post_init__(self) -> None:
        positive = (self.max_gap_seconds, self.position_error, self.size_error, self.velocity_seconds)
        if not all(math.isfinite(value) and value > 0 for value in positive):
            raise ValueError(f"spans and errors of RejoinOptions must be finite and above 0: {self}")
        if not self.min_odds >= 1 or self.max_lost < 1:
            raise ValueError(f"min_odds must be at least 1 and max_lost at least 1: {self}")


FACES = RejoinOptions(
    position_error=0.15,
    velocity_change=2.5,
    unknown_velocity=5.6,
    max_surprise=math.inf,
)
"""For boxes of faces: a person is about seven faces high, and a face's box shakes more for its size. The pairs are
a hint, given at once: the face itself decides, where its template still exists."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """A new track that goes on where an earlier one ended.

    Attributes:
        track_id: the new one.
        earlier_id: the lost one.
        gap_seconds: from the last box of the lost one to the first of the new one.
        squared_distance: how far the new one begins from where the lost one should be, in standard
            deviations, squared and summed over place and size; 3 on average for a true pair.
        surprise: minus twice the logarithm of the pair's likelihood, lengths in heights, but for a constant;
            smaller is likelier.
    """

    track_id: int
    earlier_id: int
    gap_seconds: float
    squared_distance: float
    surprise: float


@dataclass(slots=True)
class _Path:
    """What is kept of a track."""

    class_id: int
    first_seconds: float
    first_box: Float64
    last_seconds: float
    recent: deque[tuple[float, Float64]]

    def held_until(self, now_seconds: float) -> None:
        """Lets the time since the last box go by as if it had not."""
        elapsed_seconds = now_seconds - self.last_seconds
        self.first_seconds += elapsed_seconds
        self.last_seconds = now_seconds
        self.recent = deque((seconds + elapsed_seconds, box) for seconds, box in self.recent)


class Rejoiner:
    """Follows what a tracker reports and says which track goes on from which; all state is its own.

    Per frame: `observe`, then `unambiguous` for what motion alone decides, or `plausible` for every lost
    track that a new one may be, where something else can tell them apart; then `join` for what was decided.
    """

    def __init__(self, options: RejoinOptions | None = None) -> None:
        self._options = options or RejoinOptions()
        self.reset()

    def __len__(self) -> int:
        """Tracks remembered, lost ones included."""
        return len(self._paths)

    def __contains__(self, track_id: int) -> bool:
        return track_id in self._paths

    def reset(self) -> None:
        """Forgets everything."""
        self._clock = TrackClock(self._options.max_gap_seconds)
        self._paths: dict[int, _Path] = {}
        self._now_seconds = -math.inf

    def observe(
        self,
        track_ids: Int64,
        xyxy: npt.NDArray[np.floating],
        pts_seconds: float,
        class_ids: Int32 | None = None,
    ) -> None:
        """Writes down the tracks of one frame; those that are not among them are lost from here on.

        Args:
            track_ids: (N,), each once.
            xyxy: (N, 4) pixels; a box without height counts as not seen.
            pts_seconds: time of the frame. One that is not later than the one before counts as that one; a
                jump back by more than `max_gap_seconds` forgets everything.
            class_ids: (N,); tracks of different classes never go on from each other. None: all of one.

        Raises:
            ImageError: `pts_seconds` is not finite.
        """
        self._now_seconds, restarted = self._clock.advance(pts_seconds)
        if restarted:
            self._paths.clear()
        classes = np.zeros(len(track_ids), np.int32) if class_ids is None else class_ids
        shown = np.asarray(xyxy, np.float64)
        for track_id, class_id, box in zip(track_ids.tolist(), classes.tolist(), shown, strict=True):
            if box[3] > box[1]:
                self._see(track_id, class_id, box)
        self._expire()

    def hold(self, pts_seconds: float) -> None:
        """Goes on to the time of a frame nobody looked at; see `Tracker.hold`.

        Raises:
            ImageError: `pts_seconds` is not finite.
        """
        before = self._now_seconds
        self._now_seconds, restarted = self._clock.advance(pts_seconds)
        if restarted:
            self._paths.clear()
        for path in self._paths.values():
            if path.last_seconds == before:
                path.held_until(self._now_seconds)
        self._expire()

    def plausible(self, track_id: int) -> tuple[Continuation, ...]:
        """Every lost track that a track may go on from, likeliest first; empty for one that is not known."""
        own = self._paths.get(track_id)
        if own is None:
            return ()
        pairs = [
            pair
            for earlier_id, earlier in self._paths.items()
            if earlier.last_seconds < min(own.first_seconds, self._now_seconds)
            and earlier.class_id == own.class_id
            and (pair := self._compare(track_id, own, earlier_id, earlier)) is not None
        ]
        return tuple(sorted(pairs, key=lambda pair: (pair.surprise, pair.earlier_id)))

    def unambiguous(self) -> tuple[Continuation, ...]:
        """The tracks that began in the frame observed last and can go on from one lost track only.

        Returns:
            By rising `track_id`; each track at most once on either side. A track is left out where another
            lost track, or another new track for the same lost one, is nearly as likely.
        """
        born = [key for key, path in self._paths.items() if path.first_seconds == self._now_seconds]
        pairs = [pair for track_id in sorted(born) for pair in self.plausible(track_id)]
        margin = 2.0 * math.log(self._options.min_odds)
        most = self._options.max_surprise - 2.0 * math.log(max(1, self._begun_of_late()))
        return tuple(pair for pair in pairs if pair.surprise <= most and _stands_out(pair, pairs, margin))

    def join(self, track_id: int, earlier_id: int) -> None:
        """Notes that a track goes on from an earlier one, which nothing else can then go on from.

        Raises:
            KeyError: one of the two is not known.
        """
        if track_id not in self._paths:
            raise KeyError(track_id)
        del self._paths[earlier_id]

    def forget(self, track_id: int) -> None:
        """Drops a track at once, where it is known."""
        self._paths.pop(track_id, None)

    def _see(self, track_id: int, class_id: int, box: Float64) -> None:
        now = self._now_seconds
        path = self._paths.pop(track_id, None)
        if path is None:
            path = _Path(class_id, now, box, now, deque())
        self._paths[track_id] = path  # at the end: the order is that of last sight
        path.last_seconds = now
        if path.recent and path.recent[-1][0] == now:
            path.recent.pop()
        path.recent.append((now, box))
        while now - path.recent[0][0] > self._options.velocity_seconds and len(path.recent) > 2:
            path.recent.popleft()

    def _begun_of_late(self) -> int:
        since = self._now_seconds - self._options.max_gap_seconds
        return sum(path.first_seconds > since for path in self._paths.values())

    def _expire(self) -> None:
        limit = self._now_seconds - self._options.max_gap_seconds
        lost = [key for key, path in self._paths.items() if path.last_seconds < self._now_seconds]
        too_many = max(0, len(lost) - self._options.max_lost)
        for place, key in enumerate(lost):
            if place < too_many or self._paths[key].last_seconds < limit:
                del self._paths[key]

    def _compare(self, track_id: int, own: _Path, earlier_id: int, earlier: _Path) -> Continuation | None:
        options = self._options
        gap = own.first_seconds - earlier.last_seconds
        velocity, velocity_error = _velocity(earlier, options)
        last, begun = earlier.recent[-1][1], own.first_box
        height = last[3] - last[1]
        away = 0.5 * (begun[:2] + begun[2:] - last[:2] - last[2:]) - velocity * gap
        place_error = math.hypot(options.position_error, velocity_error * gap)
        size_error = options.size_error + options.size_change * gap
        ratio = math.log((begun[3] - begun[1]) / height)
        squared = float((away**2).sum()) / (place_error * height) ** 2 + (ratio / size_error) ** 2
        if squared > _SQUARED_GATE:
            return None
        surprise = squared + 4.0 * math.log(place_error) + 2.0 * math.log(size_error)
        return Continuation(track_id, earlier_id, gap, squared, surprise)


def _velocity(path: _Path, options: RejoinOptions) -> tuple[Float64, float]:
    """A track's velocity at its end, pixels a second, and the error of going on with it, heights a second.

    The slope of a straight line through the last centres. Its own error, from that of the boxes, comes on top of
    what a velocity changes by; where so few boxes tell less than nothing does, the track is taken to stand still.
    """
    seconds = np.array([time for time, _ in path.recent])
    boxes = np.stack([box for _, box in path.recent])
    centres = 0.5 * (boxes[:, :2] + boxes[:, 2:])
    offsets = seconds - seconds.mean()
    spread = float((offsets**2).sum())
    slope_error = options.position_error / math.sqrt(spread) if spread > 0 else math.inf
    if slope_error > options.unknown_velocity:
        return np.zeros(2), options.unknown_velocity
    slope: Float64 = (offsets[:, np.newaxis] * centres).sum(axis=0) / spread
    return slope, math.hypot(options.velocity_change, slope_error)


def _stands_out(pair: Continuation, pairs: list[Continuation], margin: float) -> bool:
    """Whether no other pair with one of the two tracks comes near."""
    return all(
        other is pair
        or (other.track_id != pair.track_id and other.earlier_id != pair.earlier_id)
        or other.surprise - pair.surprise >= margin
        for other in pairs
    )


class RejoiningTracker:
    """A tracker whose tracks go on, under their first number, where motion says so; see `Tracker`.

    Args:
        tracker: numbers what it sees; its memory should be no longer than `RejoinOptions.max_gap_seconds`.
        options: of the re-joining; None for the defaults.
    """

    def __init__(self, tracker: Tracker, options: RejoinOptions | None = None) -> None:
        self._tracker = tracker
        self._rejoiner = Rejoiner(options)
        self._numbers: dict[int, int] = {}
        self._heirs: dict[int, int] = {}
        self._next_number = 1

    def reset(self) -> None:
        """Forgets everything; the next track is number 1."""
        self._tracker.reset()
        self._rejoiner.reset()
        self._numbers.clear()
        self._heirs.clear()
        self._next_number = 1

    def update(self, detections: Detections, pts_seconds: float) -> Tracks:
        """See `Tracker.update`."""
        tracks = self._tracker.update(detections, pts_seconds)
        seen = tracks.track_id.tolist()
        self._rejoiner.observe(tracks.track_id, tracks.xyxy, pts_seconds, tracks.class_id)
        for track_id in seen:
            if track_id in self._heirs:
                self._give_back(track_id)
        for pair in self._rejoiner.unambiguous():
            self._rejoiner.join(pair.track_id, pair.earlier_id)
            self._numbers[pair.track_id] = self._numbers.pop(pair.earlier_id)
            self._heirs[pair.earlier_id] = pair.track_id
        numbers = np.array([self._number(track_id) for track_id in seen], np.int64)
        self._forget()
        renamed = Tracks(tracks.xyxy, tracks.confidence, tracks.class_id, numbers, tracks.detection_index)
        return renamed[np.argsort(numbers)]

    def hold(self, pts_seconds: float) -> None:
        """See `Tracker.hold`."""
        self._tracker.hold(pts_seconds)
        self._rejoiner.hold(pts_seconds)
        self._forget()

    def _number(self, track_id: int) -> int:
        if track_id not in self._numbers:
            self._numbers[track_id] = self._next_number
            self._next_number += 1
        return self._numbers[track_id]

    def _give_back(self, track_id: int) -> None:
        """The tracker itself found a track again whose number went to another: it was not that one."""
        heir = self._heirs.pop(track_id)
        if heir in self._numbers:
            self._numbers[track_id] = self._numbers.pop(heir)

    def _forget(self) -> None:
        """Keeps the numbers of the tracks that may still be seen or joined."""
        known = self._rejoiner
        if len(self._numbers) > len(known):
            self._numbers = {key: number for key, number in self._numbers.items() if key in known}
        self._heirs = {earlier: heir for earlier, heir in self._heirs.items() if heir in self._numbers}
