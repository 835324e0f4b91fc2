"""Whether anything moves, so that the models may rest while nothing does.

Three questions, each to small grey pictures:

- Is it other than usual here? OpenCV's mixture model (MOG2: Zivkovic, "Improved Adaptive Gaussian Mixture
  Model for Background Subtraction", ICPR 2004) keeps for each pixel what it usually looks like, in several
  versions and with its noise. What looks as its neighbourhood usually does is not counted either: leaves sway
  and cameras shake by a pixel or two.
- Is it other than a moment ago? Whoever stopped is tracked already, and a parked car is no motion.
- Could it be chance? Rain, snow and noise make specks that are gone in the next picture, people do not. What
  was seen in so many pictures in a row, each time near the last, is expected by chance so many times, given
  how many specks of that size come and go; below once in a thousand pictures it is motion. That is the a contrario
  decision of Desolneux, Moisan and Morel ("Meaningful Alignments", IJCV 2000).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from vision.detect.light import in_light_of
from vision.detect.specks import NOTHING, Moving, Specks
from vision.errors import ImageError
from vision.masks import Polygon, rasterise
from vision.types import Bool, Int64

Grey: TypeAlias = npt.NDArray[np.uint8]
"""Shape (H, W), uint8."""

GateReason: TypeAlias = Literal["first", "motion", "linger", "light", "heartbeat", "still"]
"""Why a picture is looked at; `still`: it is not."""

LONG_SIDE_PX = 320
"""Of what the gate works on: a person of 40 pixels in a 1280-pixel picture still covers ten of its pixels."""

_USUAL_SECONDS = 60.0
"""How long the mixture remembers; what stays put is usual after a tenth of it."""

_NOISES = 4.0
"""Standard deviations of a pixel's own noise within which it looks as usual, and as a moment ago."""

_LEAST_CHANGE = 6.0
"""Of 255, after smoothing: what coding alone does to a still wall from one picture to another."""

_MOMENT_SECONDS = 0.5
"""The moment ago: in it the most distant people who are to be seen go on by half their width."""

_LIGHT_SHARE = 0.5
"""Where more than this is unusual all at once, the light or the camera changed."""

_NEIGHBOURHOOD = np.ones((5, 5), np.uint8)
"""Two pixels to every side: how far leaves sway and cameras shake at this scale."""

_LIGHT_SETTLES_SECONDS = 10.0
"""Light that changes again so soon is a lamp that flickers: both of its lights become usual, in time."""

_SOON_SECONDS = 1.0
_CLOCK_RESTART_SECONDS = 1.0
_GAP_SECONDS = 5.0
"""After a longer silence what was a moment ago says nothing."""

_MOST_RECENT = 32
"""Pictures kept of the last moment: at 60 a second it has thirty."""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """When the models rest.

    Attributes:
        min_moving_share: share of the picture; what is smaller does not count as motion.
        linger_seconds: while what moved last is still there, pictures are looked at for so long after it
            stopped; where the place looks as usual again, one more picture is. Two seconds are the ten looks
            that a face is wanted for, at five a second.
        heartbeat_seconds: after so long without one a picture is looked at all the same, so that whoever
            came unseen, or stands still, is found. Where somebody stopped, the first of these come sooner.
    """

    min_moving_share: float = 0.0001
    linger_seconds: float = 2.0
    heartbeat_seconds: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.min_moving_share <= 1:
            raise ValueError(f"min_moving_share must be above 0 and at most 1, got {self.min_moving_share}")
        if not (self.linger_seconds >= 0 and self.heartbeat_seconds > 0):
            raise ValueError(
                "linger_seconds must be at least 0 and heartbeat_seconds above 0, got "
                f"{self.linger_seconds} and {self.heartbeat_seconds}"
            )


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What becomes of one picture.

    Attributes:
        open: the models are to see it.
        reason: why.
        moving_share: share of the unmasked picture that moves, 0 to 1.
    """

    open: bool
    reason: GateReason
    moving_share: float = 0.0


class MotionGate:
    """Decides picture by picture; one instance per camera, in one thread, of bounded memory.

    Args:
        options: when the models rest.
        masks: parts of the upright picture in which nothing counts as motion.
    """

    def __init__(self, options: GateOptions | None = None, masks: Sequence[Polygon] = ()) -> None:
        self._options = options or GateOptions()
        self._masks = tuple(masks)
        self.reset()

    def reset(self) -> None:
        """Forgets the scene; the next picture is looked at."""
        self._shape: tuple[int, int] | None = None
        self._seen: Bool | None = None
        self._last_seconds = self._looked_seconds = -math.inf
        self._moved_seconds = self._light_seconds = -math.inf
        self._places: Int64 = NOTHING.xyxy
        self._stayed = False
        self._specks = Specks()
        self._recent: deque[tuple[float, Grey]] = deque()

    def set_masks(self, masks: Sequence[Polygon]) -> None:
        """Puts other masks in force from the next picture on."""
        self._masks = tuple(masks)
        self._seen = None

    def see(self, grey: npt.NDArray[np.uint8], pts_seconds: float) -> GateDecision:
        """Takes the next picture in and says whether it is to be looked at.

        Args:
            grey: (H, W) uint8, upright, not empty; made smaller here where it is larger than 320 pixels.
                Another shape than before starts anew.
            pts_seconds: of the picture, on its source's clock. A step back by more than a second starts anew.

        Raises:
            ImageError: another kind of array, or a time that is not finite.
        """
        if grey.ndim != 2 or grey.dtype != np.uint8 or not grey.size:
            raise ImageError(f"the gate needs an (H, W) uint8 picture, got {grey.shape} {grey.dtype}")
        if not math.isfinite(pts_seconds):
            raise ImageError(f"the gate needs a finite pts_seconds, got {pts_seconds}")
        small = _small(grey)
        if grey.shape != self._shape or pts_seconds < self._last_seconds - _CLOCK_RESTART_SECONDS:
            self._begin(grey)
        now = max(pts_seconds, self._last_seconds)
        decision = self._decide(small, now)
        self._last_seconds = now
        if decision.open:
            self._looked_seconds = now
        return decision

    def _begin(self, grey: Grey) -> None:
        self.reset()
        self._shape = (grey.shape[0], grey.shape[1])
        self._usual = cv2.createBackgroundSubtractorMOG2(
            history=500, varThreshold=_NOISES**2, detectShadows=False
        )

    def _decide(self, small: Grey, now: float) -> GateDecision:
        if self._last_seconds == -math.inf:
            self._take_as_usual(small, now)
            return GateDecision(True, "first")
        seen = self._unmasked(small)
        unusual = self._unusual(small, now) & seen
        other_light = bool(np.count_nonzero(unusual) > _LIGHT_SHARE * np.count_nonzero(seen))
        if other_light and now - self._light_seconds >= _LIGHT_SETTLES_SECONDS:
            self._light_seconds = now
            self._take_as_usual(small, now)
            return GateDecision(True, "light", 1.0)
        changed = self._changed(small, now, other_light=other_light)
        self._remember(small, now)
        least_px = max(2.0, self._options.min_moving_share * small.size)
        moving = self._specks.update(unusual & changed, now - self._last_seconds, least_px)
        if moving:
            return self._motion(moving, small.size, now)
        if other_light:
            return self._light_again(now)
        return self._still(unusual, least_px, now)

    def _motion(self, moving: Moving, pixels: int, now: float) -> GateDecision:
        self._moved_seconds, self._places, self._stayed = now, moving.xyxy, True
        return GateDecision(True, "motion", moving.pixels / pixels)

    def _still(self, unusual: Bool, least_px: float, now: float) -> GateDecision:
        """Nothing moves; whoever stopped is waited for, and a heartbeat comes when it is due."""
        if self._looked_seconds <= self._moved_seconds:
            return GateDecision(True, "linger")  # once more, so that it is seen that nobody is there
        lingers = now - self._moved_seconds <= self._options.linger_seconds
        if lingers and self._stayed:
            self._stayed = _still_there(unusual, self._places, least_px)
            if self._stayed:
                return GateDecision(True, "linger")
        since_seconds = now - self._looked_seconds
        # A millisecond of grace for rounded time stamps.
        due = since_seconds >= self._options.heartbeat_seconds - 0.001
        sooner = max(_SOON_SECONDS, self._looked_seconds - self._moved_seconds)
        if due or (self._stayed and since_seconds >= sooner - 0.001):
            return GateDecision(True, "heartbeat")
        return GateDecision(False, "still")

    def _light_again(self, now: float) -> GateDecision:
        """Light that does not settle and in which nothing moves: one picture a second is looked at."""
        self._light_seconds = now
        soon = now - self._looked_seconds < _SOON_SECONDS - 0.001
        return GateDecision(False, "still") if soon else GateDecision(True, "light", 1.0)

    def _take_as_usual(self, small: Grey, now: float) -> None:
        """The whole picture is the usual one, whoever is in it: he is looked at now, and once more."""
        self._usual.apply(small, learningRate=1.0)
        self._recent.clear()
        self._remember(small, now)
        self._specks = Specks()
        self._moved_seconds, self._places, self._stayed = now, NOTHING.xyxy, False

    def _unusual(self, small: Grey, now: float) -> Bool:
        elapsed = max(now - self._last_seconds, 1e-3)
        rate = 1 - math.exp(-elapsed / _USUAL_SECONDS)
        unusual: Bool = self._usual.apply(small, learningRate=rate) > 0
        around = self._usual.getBackgroundImage()
        above = cv2.subtract(small, cv2.dilate(around, _NEIGHBOURHOOD))
        below = cv2.subtract(cv2.erode(around, _NEIGHBOURHOOD), small)
        unusual &= np.asarray(cv2.max(above, below)) > _LEAST_CHANGE
        return unusual

    def _unmasked(self, small: Grey) -> Bool:
        """What does not lie under the masks as a whole pixel."""
        if self._seen is None:
            self._seen = ~rasterise(self._masks, (small.shape[1], small.shape[0]), outward=False)
        return self._seen

    def _changed(self, small: Grey, now: float, *, other_light: bool) -> Bool:
        """Where it is other than a moment ago; in another light, but for what the light explains."""
        while len(self._recent) > 1 and now - self._recent[1][0] >= _MOMENT_SECONDS:
            self._recent.popleft()
        seconds, earlier = self._recent[0]
        if now - seconds > _GAP_SECONDS:
            return np.ones(small.shape, np.bool_)
        if other_light:
            earlier = in_light_of(earlier, small)
        change = np.asarray(cv2.absdiff(small, earlier), np.uint8)
        # The median difference of pure noise is 0.95 of its standard deviation in each of the two.
        noise = _median(change) / 0.95
        changed: Bool = change > max(_NOISES * noise, _LEAST_CHANGE)
        return changed

    def _remember(self, small: Grey, now: float) -> None:
        self._recent.append((now, small))
        if len(self._recent) > _MOST_RECENT:
            del self._recent[1]


def _median(values: npt.NDArray[np.uint8]) -> int:
    """Of bytes, by counting them: ten times as fast as sorting."""
    return int(np.searchsorted(np.bincount(values.ravel(), minlength=256).cumsum(), values.size / 2))


def _still_there(unusual: Bool, places: Int64, least_px: float) -> bool:
    """Whether something unusual is left where it moved last."""
    return any(
        int(np.count_nonzero(unusual[top:bottom, left:right])) >= least_px
        for left, top, right, bottom in places.tolist()
    )


def _small(grey: npt.NDArray[np.uint8]) -> Grey:
    """At most 320 pixels long and smoothed, so that one pixel's noise weighs little."""
    height, width = grey.shape
    shrink = LONG_SIDE_PX / max(height, width)
    if shrink < 1:
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.GaussianBlur(grey, (3, 3), 0), np.uint8)
