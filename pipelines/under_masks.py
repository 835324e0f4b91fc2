"""Detection masks of one session: what its detectors found under one is dropped, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from vision.masks import Anchor, covers
from vision.polygons import Polygon
from vision.types import Detections, Faces, Image

Found = TypeVar("Found", Detections, Faces)


class UnderMasks:
    """The detection masks of one camera; none at first.

    Attributes:
        dropped: detections dropped so far, of people, vehicles and faces together.
    """

    def __init__(self) -> None:
        self._polygons: tuple[Polygon, ...] = ()
        self.dropped = 0

    def set(self, polygons: Sequence[Polygon]) -> None:
        """Puts other masks in force from the next picture on."""
        self._polygons = tuple(polygons)

    def left(self, found: Found, image: Image, anchor: Anchor) -> Found:
        """What does not lie under a mask."""
        if not self._polygons:
            return found
        under = covers(found.xyxy, (image.shape[1], image.shape[0]), self._polygons, anchor)
        self.dropped += int(np.count_nonzero(under))
        return found[~under]
