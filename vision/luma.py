"""The brightness of a decoded picture, small, straight from what was decoded: what a motion gate looks at.

Converting a whole picture to BGR costs several times what this costs, and most pictures of a camera are only
looked at for motion.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

Grey: TypeAlias = npt.NDArray[np.uint8]
"""Shape (H, W), uint8."""

_TURNS = {90: 1, -90: -1, 180: 2, -180: 2}
"""Quarter turns counter-clockwise for each mark of rotation."""


def small_grey(decoded: VideoFrame, max_width: int, reformatter: VideoReformatter) -> Grey:
    """The brightness of a picture, upright, at most `max_width` pixels wide before it is turned.

    Args:
        decoded: as the decoder gave it.
        max_width: a smaller picture keeps its size.
        reformatter: kept by the caller from picture to picture, as making one costs more than using it.

    Returns:
        (H, W) uint8, 0 to 255 whatever range the camera uses.
    """
    shrink = max(1.0, decoded.width / max_width)
    width, height = max(1, round(decoded.width / shrink)), max(1, round(decoded.height / shrink))
    # Areas are averaged: picking single pixels would keep the noise that a gate must not take for motion.
    small = reformatter.reformat(decoded, width, height, "gray", interpolation=Interpolation.AREA, threads=1)
    return np.ascontiguousarray(
        np.rot90(np.asarray(small.to_ndarray(), np.uint8), _TURNS.get(decoded.rotation, 0))
    )
