"""How large the faces of one camera are, and so at which size its pictures are best searched."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from vision.boxes import Boxes, area

LONG_SIDES_PX = (640, 960, 1280, 1920, 2560)
"""Sizes a picture is searched at; searching takes time in proportion to the square."""

USUAL_LONG_SIDE_PX = 1280
"""Until the camera's faces are known."""

_WANTED_FACE_PX = 20.0
"""Of the small faces, on the picture that is searched: CenterFace and its kin find most of that size."""

_SMALL_SHARE = 0.1
_ENOUGH_FACES = 50
_REMEMBERED_FACES = 1000
_LARGEST_EVERY = 10
"""One picture in so many is searched at the largest size: faces too small for the chosen one are seen only so."""


class FaceSizes:
    """Chooses the search size of one camera; one instance per camera. Holds sizes, nothing of the faces."""

    def __init__(self) -> None:
        self._sizes_px: deque[float] = deque(maxlen=_REMEMBERED_FACES)
        self._small_px: float | None = None
        self._pictures = 0

    def note(self, xyxy: Boxes) -> None:
        """Takes in the faces of one picture.

        Args:
            xyxy: (N, 4) pixels of the picture as it came.
        """
        if not len(xyxy):
            return
        self._sizes_px.extend(float(side) for side in np.sqrt(area(xyxy)))
        if len(self._sizes_px) >= _ENOUGH_FACES:
            sizes: npt.NDArray[np.float64] = np.array(self._sizes_px)
            self._small_px = float(np.quantile(sizes, _SMALL_SHARE))

    @property
    def small_px(self) -> float | None:
        """The size that one face in ten is smaller than; None until enough were seen."""
        return self._small_px

    def long_side_px(self, picture_long_side_px: int) -> int:
        """The size to search the next picture at; never larger than the picture.

        Args:
            picture_long_side_px: of the picture as it comes.
        """
        self._pictures += 1
        return self.foreseen_px(picture_long_side_px, self._pictures)

    def foreseen_px(self, picture_long_side_px: int, number: int) -> int:
        """What `long_side_px` says of a picture, should those before it show no face of another size.

        Args:
            picture_long_side_px: of the picture as it comes.
            number: of the picture, counted from 1.
        """
        largest = min(picture_long_side_px, LONG_SIDES_PX[-1])
        small_px = self.small_px
        if small_px is None:
            usual = min(USUAL_LONG_SIDE_PX, largest)
        elif small_px <= 0:
            usual = largest
        else:
            wanted = picture_long_side_px * _WANTED_FACE_PX / small_px
            usual = min(next((side for side in LONG_SIDES_PX if side >= wanted), largest), largest)
        return largest if number % _LARGEST_EVERY == 0 else usual
