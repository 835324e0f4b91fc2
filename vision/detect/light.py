"""What a lamp or a camera's own exposure does to a picture, taken out of it."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Grey: TypeAlias = npt.NDArray[np.uint8]
Float64: TypeAlias = npt.NDArray[np.float64]

_STEP_PX = 3


def in_light_of(earlier: Grey, small: Grey) -> Grey:
    """An earlier picture, as bright and as rich in contrast as a later one.

    A straight line through the brightness of every ninth pixel in both; those far from it, which moved, are left
    out the second time.

    Args:
        earlier: (H, W) uint8.
        small: (H, W) uint8.

    Returns:
        (H, W) uint8.
    """
    x, y = (
        earlier[::_STEP_PX, ::_STEP_PX].ravel().astype(np.float64),
        small[::_STEP_PX, ::_STEP_PX].ravel().astype(np.float64),
    )
    gain, offset = _line(x, y)
    off = np.abs(gain * x + offset - y)
    near = off <= 2 * np.median(off) + 1
    gain, offset = _line(x[near], y[near])
    return np.asarray(cv2.convertScaleAbs(earlier, alpha=gain, beta=offset), np.uint8)


def _line(x: Float64, y: Float64) -> tuple[float, float]:
    """Gain and offset by least squares; no gain where all is equally bright."""
    spread = float(((x - x.mean()) ** 2).mean())
    gain = float(((x - x.mean()) * (y - y.mean())).mean()) / spread if spread > 1 else 1.0
    gain = max(gain, 0.0)
    return gain, float(y.mean() - gain * x.mean())
