"""A track's best pictures: few, and apart in pose and time, so that they show a face rather than a moment.

Two shots of nearly the same pose within a second are one shot; the better is kept. When there is no room, the
lower scored of the two shots nearest in pose goes, so that a profile is not pushed out by a sixth frontal picture.
Whatever the pictures are, they are held here alone and go with the track.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Picture = TypeVar("Picture")


@dataclass(frozen=True, slots=True)
class ShotOptions:
    """How many shots are kept, and how far apart.

    Attributes:
        limit: shots at most.
        apart_degrees: shots nearer in yaw and pitch than this are of one pose.
        apart_seconds: shots of one pose nearer in time than this are one shot.
    """

    limit: int = 5
    apart_degrees: float = 15.0
    apart_seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"limit must be at least 1, got {self.limit}")


@dataclass(frozen=True, slots=True)
class ShotFacts:
    """What decides whether a picture is kept.

    Attributes:
        score: its quality, 0 to 1.
        yaw_degrees: of the head.
        pitch_degrees: of the head.
        pts_seconds: when it was.
    """

    score: float
    yaw_degrees: float
    pitch_degrees: float
    pts_seconds: float

    def pose_distance(self, other: ShotFacts) -> float:
        """Degrees between two poses."""
        return math.hypot(self.yaw_degrees - other.yaw_degrees, self.pitch_degrees - other.pitch_degrees)


_HARDLY_BETTER = 1.05
"""A score that much higher than that of a shot of the same moment and pose is worth cutting a picture out."""


class BestShots(Generic[Picture]):
    """The best shots of one track.

    Args:
        options: None for the defaults.
    """

    __slots__ = ("_options", "_shots")

    def __init__(self, options: ShotOptions | None = None) -> None:
        self._options = options or ShotOptions()
        self._shots: list[tuple[ShotFacts, Picture]] = []

    def __len__(self) -> int:
        return len(self._shots)

    def __repr__(self) -> str:
        return f"BestShots(n={len(self)})"

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """What is kept, best first."""
        ranked = sorted(self._shots, key=lambda shot: (-shot[0].score, shot[0].pts_seconds))
        return tuple(picture for _, picture in ranked)

    def offer(self, facts: ShotFacts, picture: Callable[[], Picture]) -> bool:
        """Keeps a shot if it is worth it.

        Args:
            facts: about it.
            picture: makes what is kept; called only if it is.
        """
        alike = [shot for shot in self._shots if self._is_one_shot(shot[0], facts)]
        if any(shot[0].score * _HARDLY_BETTER >= facts.score for shot in alike):
            return False
        kept = [shot for shot in self._shots if not self._is_one_shot(shot[0], facts)]
        if len(kept) >= self._options.limit:
            dropped = _most_redundant([each for each, _ in kept] + [facts], self._options.apart_degrees)
            if dropped == len(kept):
                return False
            del kept[dropped]
        self._shots = [*kept, (facts, picture())]
        return True

    def forget(self) -> None:
        """Lets every picture go."""
        self._shots = []

    def _is_one_shot(self, one: ShotFacts, other: ShotFacts) -> bool:
        near_in_time = abs(one.pts_seconds - other.pts_seconds) < self._options.apart_seconds
        return near_in_time and one.pose_distance(other) < self._options.apart_degrees


def _most_redundant(shots: list[ShotFacts], one_pose_degrees: float) -> int:
    """The lower scored of the two shots nearest in pose; of several pairs of one pose, the lowest of all."""

    def cost(pair: tuple[int, int]) -> tuple[float, float, int]:
        i, j = pair
        distance = max(shots[i].pose_distance(shots[j]), one_pose_degrees)
        return distance, min(shots[i].score, shots[j].score), -j  # of equals the newcomer: no picture is made

    pairs = ((i, j) for i in range(len(shots)) for j in range(i + 1, len(shots)))
    i, j = min(pairs, key=cost)
    return i if shots[i].score < shots[j].score else j
