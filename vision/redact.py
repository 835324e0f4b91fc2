"""What anybody may see of a frame: one face and its surroundings as blocks.

Everything outside the probe's enlarged box is averaged into blocks so large that no face of any size keeps
enough of them to be recognised; blurring only the faces that were detected would leave those that were not.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vision.boxes import enlarge, to_pixels
from vision.errors import ImageError
from vision.images import validate_image
from vision.types import Image

MIN_BLOCK_PX = 24
"""Small pictures get blocks of this side: a face of 64 px is then at most three blocks wide."""

BLOCKS_ON_SHORT_SIDE = 8
"""Larger pictures hold larger faces: even one as high as the picture is only eight blocks high."""

DEFAULT_MARGIN = 0.25
"""Of the face box's own width and height, added on each side: hair and chin, not the neighbour."""

_OTHER_MARGIN = 0.15
"""Added around other faces: a detector's box ends at the chin and the forehead."""


def pixelate(image: Image) -> Image:
    """The whole picture in coarse blocks.

    Args:
        image: (H, W, 3) uint8 BGR; not modified.

    Returns:
        (H, W, 3) uint8 BGR. A block's side is an eighth of the picture's shorter one and at least 24 pixels.

    Raises:
        ImageError: not an image.
    """
    image = validate_image(image)
    height, width = image.shape[:2]
    block_px = max(MIN_BLOCK_PX, min(height, width) / BLOCKS_ON_SHORT_SIDE)
    # Rounded down, so that blocks come out larger rather than smaller than asked for.
    grid_wh = (max(1, int(width / block_px)), max(1, int(height / block_px)))
    means = cv2.resize(image, grid_wh, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def pixelate_except(
    image: Image,
    xyxy: npt.ArrayLike,
    margin: float = DEFAULT_MARGIN,
    others_xyxy: npt.ArrayLike | None = None,
) -> Image:
    """The picture with one face left as it is and all else in coarse blocks.

    Args:
        image: (H, W, 3) uint8 BGR; not modified.
        xyxy: (4,) the probe's face box, pixels.
        margin: what is left around it on each side, as a share of the box's own width and height.
        others_xyxy: (N, 4) boxes of other faces. Where they reach into the margin they are pixelated too;
            the probe's own box is left whole.

    Returns:
        (H, W, 3) uint8 BGR, a new array.

    Raises:
        ImageError: not an image; boxes of another shape or not finite; a negative margin; a box that is
            empty or lies outside the picture.
    """
    image = validate_image(image)
    face = _boxes("xyxy", np.asarray(xyxy, dtype=np.float64)[None])
    others = _boxes("others_xyxy", np.empty((0, 4)) if others_xyxy is None else others_xyxy)
    if not (np.isfinite(margin) and margin >= 0):
        raise ImageError(f"margin must be 0 or more, got {margin}")
    size_wh = (image.shape[1], image.shape[0])
    own, shown = to_pixels(np.concatenate([face, enlarge(face, margin)]), size_wh)
    if own[2] <= own[0] or own[3] <= own[1]:
        raise ImageError(f"the face box {face[0].round(1).tolist()} has no part in a picture of {size_wh}")
    coarse = pixelate(image)
    redacted = coarse.copy()
    _copy(image, redacted, shown)
    for other in to_pixels(enlarge(others, _OTHER_MARGIN), size_wh):
        _copy(coarse, redacted, other)
    _copy(image, redacted, own)
    return redacted


def _boxes(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    boxes = np.asarray(values, dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ImageError(f"{name} must be finite boxes of 4 values, got shape {boxes.shape}")
    return boxes


def _copy(source: Image, target: Image, box: npt.NDArray[Any]) -> None:
    x1, y1, x2, y2 = box
    target[y1:y2, x1:x2] = source[y1:y2, x1:x2]
