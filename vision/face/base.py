"""What every face detector and every embedder offers."""

from __future__ import annotations

from typing import Protocol

from vision.types import Faces, Float32, Image


class FaceDetector(Protocol):
    """Finds faces and five landmarks in each."""

    @property
    def min_confidence(self) -> float:
        """Faces below it are not reported."""

    def detect(self, image: Image) -> Faces:
        """The faces in one picture, by falling confidence.

        Args:
            image: (H, W, 3) uint8 BGR.

        Returns:
            Boxes in pixels of `image`, inside it; landmarks may lie a little outside; no rows where
            nothing was found.

        Raises:
            ImageError: not an image.
            ModelError: the model failed, or gave what is not finite.
        """


class Embedder(Protocol):
    """Turns faces into vectors whose cosine says how alike two faces are to the model."""

    @property
    def dimension(self) -> int:
        """Length of an embedding."""

    def embed(self, image: Image, landmarks: Float32) -> Float32:
        """One embedding per face.

        Args:
            image: (H, W, 3) uint8 BGR, full resolution.
            landmarks: (N, 5, 2) pixels of `image`, in the order of `Faces.landmarks`.

        Returns:
            (N, D) float32, rows of unit length, in the order given; (0, D) for no faces.

        Raises:
            ImageError: not an image, or landmarks that are not finite or coincide.
            ModelError: the model failed, or gave what is not finite.
        """
