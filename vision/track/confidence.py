"""How sure a detector ever is, learnt from what it says."""

from __future__ import annotations

from vision.types import Float32

_USUAL_TOP = 0.9
"""What detectors say of a person in plain view, those for which thresholds of 0.6 and 0.7 were published."""

_LEAST_FACTOR = 0.6
"""Thresholds go no lower than this share of theirs: in an empty scene the surest detection is false."""

_HALF_LIFE_SECONDS = 60.0


class ConfidenceScale:
    """By how much thresholds on confidence are lowered for a detector that is never quite sure.

    Detectors of other families put the same person at 0.95 or at 0.6, and thresholds that suit the one are blind
    with the other. The highest confidence of late, halving in a minute, says which kind it is.
    """

    def __init__(self) -> None:
        self._top = 0.0
        self._seconds: float | None = None

    def update(self, confidence: Float32, now_seconds: float) -> float:
        """The factor on thresholds, 0.6 to 1, after one frame's detections; 0.6 before the first of them.

        Args:
            confidence: (N,) of all detections of the frame.
            now_seconds: time of the frame.
        """
        if self._seconds is not None:
            elapsed = max(0.0, now_seconds - self._seconds)
            self._top *= 0.5 ** (elapsed / _HALF_LIFE_SECONDS)
        self._seconds = now_seconds
        self._top = max(self._top, float(confidence.max(initial=0.0)))
        return min(max(self._top / _USUAL_TOP, _LEAST_FACTOR), 1.0)
