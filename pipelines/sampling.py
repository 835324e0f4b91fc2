"""Which frames are looked at, by the source's own time; decoders load this, and no model.

Nothing here reads a clock.
"""

from __future__ import annotations

import math

CLOCK_RESTART_SECONDS = 1.0
"""A step back by more than this is a source that started over; a smaller one is a late frame."""


class Sampler:
    """Chooses frames by their time, so that `inference_fps` holds whatever the source's rate is.

    Args:
        inference_fps: frames a second to infer; None for all of them.
    """

    def __init__(self, inference_fps: float | None) -> None:
        if inference_fps is not None and inference_fps <= 0:
            raise ValueError(f"inference_fps must be above 0, got {inference_fps}")
        self._period_seconds = 1 / inference_fps if inference_fps else 0.0
        self._due_seconds: float | None = None
        self._last_seconds = -math.inf

    def wants(self, pts_seconds: float) -> bool:
        """Whether the frame of this time is due."""
        went_back = pts_seconds < self._last_seconds - CLOCK_RESTART_SECONDS
        self._last_seconds = pts_seconds
        if self._due_seconds is None or went_back:
            self._due_seconds = pts_seconds + self._period_seconds
            return True
        # A millisecond of grace: containers round time stamps, and a frame rounded down by half
        # a millisecond would otherwise wait for the next one.
        if pts_seconds < self._due_seconds - 0.001:
            return False
        # Kept on the grid, so that the mean rate is right; after a gap the grid starts anew.
        late_seconds = pts_seconds - self._due_seconds
        base_seconds = pts_seconds if late_seconds > self._period_seconds else self._due_seconds
        self._due_seconds = base_seconds + self._period_seconds
        return True
