"""What every object detector offers."""

from __future__ import annotations

from typing import Protocol

from vision.types import Detections, Image


class Detector(Protocol):
    """Finds objects of the classes it was trained for."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names; `Detections.class_id` is an index into them."""

    @property
    def min_confidence(self) -> float:
        """Detections below it are not reported."""

    def detect(self, image: Image) -> Detections:
        """The objects in one picture, by falling confidence.

        Args:
            image: (H, W, 3) uint8 BGR.

        Returns:
            Boxes in pixels of `image`, inside it; no rows where nothing was found.

        Raises:
            ImageError: not an image.
            ModelError: the model failed, or gave what is not finite.
        """
