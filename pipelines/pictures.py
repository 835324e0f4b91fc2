"""The pictures of a sighting that people may see: redacted before anything is cut from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vision.face.align import portrait
from vision.redact import pixelate_except
from vision.types import Float32, Image

Xyxy = tuple[float, float, float, float]

PROBE_SIZE_PX = 320


@dataclass(frozen=True, slots=True, repr=False)
class ShownPictures:
    """What a judge sees of one sighting.

    Attributes:
        frame_redacted: (H, W, 3) uint8 BGR, all but the probe's enlarged box in coarse blocks.
        probe: (320, 320, 3) uint8 BGR, the face upright at a portrait's scale.
    """

    frame_redacted: Image
    probe: Image


def shown_pictures(
    image: Image, xyxy: Xyxy, landmarks: Float32, others_xyxy: Sequence[Xyxy] = ()
) -> ShownPictures:
    """The redacted frame and the probe of one sighting.

    A portrait's margin reaches beyond the face, so it is cut from the redacted frame: who stands beside the
    probe is in neither picture.

    Args:
        image: (H, W, 3) uint8 BGR, the whole frame; not modified.
        xyxy: the probe's face box, pixels of `image`.
        landmarks: (5, 2) pixels of `image`.
        others_xyxy: boxes of every other face in it.

    Raises:
        ImageError: not an image, or boxes and landmarks that mean nothing.
    """
    others = np.asarray(others_xyxy, dtype=np.float64).reshape(-1, 4)
    redacted = pixelate_except(image, xyxy, others_xyxy=others)
    return ShownPictures(redacted, portrait(redacted, landmarks, PROBE_SIZE_PX))
