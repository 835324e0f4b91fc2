"""Which of the tracks a tracker has lost a new one may go on from: by motion, and while a template exists by face.

Within the second after a track was last seen its template still exists, and a new track that begins where it
should be is the same one if its first look agrees. Later only motion is left: the new track is another one, and
says which it seems to go on from.
"""

from __future__ import annotations

from vision.track.rejoin import FACES, Rejoiner
from vision.types import Float32, Int64


class Lineage:
    """Follows the boxes of one camera's face tracks; holds no picture and no template."""

    def __init__(self) -> None:
        self._rejoiner = Rejoiner(FACES)
        self._numbers: dict[int, int] = {}

    def observe(self, keys: Int64, xyxy: Float32, pts_seconds: float) -> None:
        """Takes one frame's tracks in.

        Args:
            keys: (N,) the tracker's ids.
            xyxy: (N, 4) boxes of the faces, pixels.
            pts_seconds: of the frame.
        """
        self._rejoiner.observe(keys, xyxy, pts_seconds)
        if len(self._numbers) > 2 * len(self._rejoiner) + 16:
            self._numbers = {key: number for key, number in self._numbers.items() if key in self._rejoiner}

    def hold(self, pts_seconds: float) -> None:
        """Goes on to the time of a frame nobody looked at; see `vision.track.base.Tracker.hold`."""
        self._rejoiner.hold(pts_seconds)

    def number(self, key: int, track_id: int) -> None:
        """Notes under which number a tracker's track is known outside."""
        self._numbers[key] = track_id

    def may_continue(self, key: int) -> tuple[int, ...]:
        """Tracker ids of lost tracks that this one may be, likeliest first."""
        return tuple(pair.earlier_id for pair in self._rejoiner.plausible(key))

    def seems_to_continue(self) -> dict[int, int]:
        """Tracker id of each track begun in this frame that goes on from one lost track only → that one's number."""
        pairs = self._rejoiner.unambiguous()
        return {p.track_id: self._numbers[p.earlier_id] for p in pairs if p.earlier_id in self._numbers}

    def number_before(self, key: int) -> int | None:
        """The number under which the tracker's track was known before it was forgotten; None for a new one."""
        return self._numbers.get(key)

    def joined(self, key: int, earlier_key: int) -> None:
        """Notes that two were one: nothing else goes on from the earlier one."""
        self._rejoiner.join(key, earlier_key)
        self._numbers.pop(earlier_key, None)

    def reset(self) -> None:
        """Forgets every box: the scene changed, or the source ended."""
        self._rejoiner.reset()
        self._numbers.clear()
