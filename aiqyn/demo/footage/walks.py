"""Who walks where and when: key positions, and the place between them at any time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import pi, sin

from aiqyn.demo.footage import cast
from aiqyn.demo.footage.cast import Person
from aiqyn.demo.footage.hall import Lane

_STEP_SECONDS = 0.56


@dataclass(frozen=True, slots=True)
class Key:
    """Where the centre of the face is at one moment, pixels of the clip."""

    seconds: float
    x_px: float
    y_px: float
    face_width_px: float


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the centre of the face is, how it is tilted and how fast it moves."""

    x_px: float
    y_px: float
    face_width_px: float
    roll_degrees: float
    speed_px_per_second: float


@dataclass(frozen=True, slots=True)
class Walk:
    """One person's way through the clip.

    Attributes:
        person: who.
        lane: behind which barrier.
        keys: at least two, in the order of time; between them the way is straight and the pace even.
    """

    person: Person
    lane: Lane
    keys: tuple[Key, ...]

    @property
    def largest_face_px(self) -> float:
        """Face width where the person is nearest."""
        return max(key.face_width_px for key in self.keys)

    def pose_at(self, seconds: float) -> Pose | None:
        """The pose at that time; None before the first key and after the last."""
        for before, after in pairwise(self.keys):
            if before.seconds <= seconds < after.seconds:
                return _between(before, after, seconds)
        return None


def _between(before: Key, after: Key, seconds: float) -> Pose:
    length = after.seconds - before.seconds
    share = (seconds - before.seconds) / length
    face = before.face_width_px + share * (after.face_width_px - before.face_width_px)
    speed = abs(after.x_px - before.x_px) / length
    # Nobody bobs while standing; a brisk walker does fully.
    gait = min(speed / 60.0, 1.0)
    phase = 2 * pi * seconds / _STEP_SECONDS
    return Pose(
        x_px=before.x_px + share * (after.x_px - before.x_px),
        y_px=before.y_px + share * (after.y_px - before.y_px) + gait * 0.028 * face * sin(phase),
        face_width_px=face,
        roll_degrees=gait * 1.4 * sin(phase / 2) + 0.5 * sin(0.9 * seconds),
        speed_px_per_second=speed,
    )


WALKS: tuple[Walk, ...] = (
    Walk(
        cast.BYSTANDER_GLASSES,
        Lane.FAR,
        (Key(0.0, 330, 338, 40), Key(6.5, 860, 336, 43), Key(8.0, 905, 336, 43), Key(13.0, 1340, 334, 46)),
    ),
    Walk(
        cast.BYSTANDER_TIE,
        Lane.MIDDLE,
        (Key(0.6, 1350, 392, 78), Key(6.0, 760, 386, 82), Key(10.5, -110, 378, 88)),
    ),
    Walk(
        cast.BYSTANDER_LAWN,
        Lane.FAR,
        (Key(4.5, -80, 306, 68), Key(9.0, 380, 303, 70), Key(11.6, 410, 303, 70), Key(17.5, 1360, 297, 74)),
    ),
    Walk(
        cast.FOUND,
        Lane.MIDDLE,
        (
            # Hurries in: half a face at the picture's edge, seen long, would be what the list is searched with.
            Key(9.0, 1420, 394, 79),
            Key(9.56, 1090, 390, 83),
            Key(13.0, 830, 376, 92),
            Key(14.8, 790, 374, 94),
            Key(19.5, -130, 356, 104),
        ),
    ),
    Walk(
        cast.BYSTANDER_BEARD,
        Lane.NEAR,
        (Key(14.5, -150, 470, 122), Key(19.0, 560, 448, 136), Key(22.0, 930, 430, 150)),
    ),
)
"""Of each lane at most one at a place, so that people pass behind each other only from lane to lane."""

DURATION_SECONDS = 22.0
