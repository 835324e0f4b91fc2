"""What every tracker can do, and the clock they share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from vision.errors import ImageError
from vision.types import Detections, Tracks


class Tracker(Protocol):
    """Joins the detections of successive frames into tracks; all state belongs to the instance."""

    def update(self, detections: Detections, pts_seconds: float) -> Tracks:
        """The tracks seen in one frame, by rising `track_id`.

        Args:
            detections: of this frame, in any order, boxes in pixels of the original frame.
            pts_seconds: presentation time of the frame on its source's clock, seconds. A time that is
                not later than the one before counts as that one; a jump back by more than the time a
                track may stay lost means that the clock began anew, and ends all tracks.

        Returns:
            One row per confirmed track that a detection of this frame belongs to.

        Raises:
            ImageError: `pts_seconds` is not finite.
        """
        ...

    def hold(self, pts_seconds: float) -> None:
        """Goes on to the time of a frame nobody looked at, because nothing moved since the one before.

        Tracks seen in the last frame that was looked at are taken to be where they were: they neither age nor
        move. A track that was not seen there goes on ageing.

        Args:
            pts_seconds: as in `update`.

        Raises:
            ImageError: `pts_seconds` is not finite.
        """
        ...

    def reset(self) -> None:
        """Forgets everything; the next track is number 1."""
        ...


@dataclass(slots=True)
class TrackClock:
    """Source time that never runs backwards, so that no track has a negative age.

    Attributes:
        tolerated_step_back_seconds: a larger step back is a new clock, not a late frame.
    """

    tolerated_step_back_seconds: float
    _now_seconds: float = -math.inf

    def advance(self, pts_seconds: float) -> tuple[float, bool]:
        """The time to use for a frame, and whether the source's clock began anew.

        Args:
            pts_seconds: of the frame, seconds.

        Returns:
            (seconds, restarted).

        Raises:
            ImageError: `pts_seconds` is not finite.
        """
        if not math.isfinite(pts_seconds):
            raise ImageError(f"a tracker needs a finite pts_seconds, got {pts_seconds}")
        restarted = pts_seconds < self._now_seconds - self.tolerated_step_back_seconds
        self._now_seconds = pts_seconds if restarted else max(self._now_seconds, pts_seconds)
        return self._now_seconds, restarted
