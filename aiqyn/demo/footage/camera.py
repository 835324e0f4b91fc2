"""What a cheap camera does to the light: exposure, focus, shutter, lens and sensor noise."""

from __future__ import annotations

from math import sin

import cv2
import numpy as np

from vision.types import Float32, Image

_SHUTTER_SHARE = 0.45
"""Part of a frame's time during which the shutter is open."""

_JUMP_PX = 96

_FOCUS_HUNT_SECONDS = (7.2, 8.4)
_FOCUS_LOSS_PX = 1.6
_LIGHTS_CHANGE_SECONDS = 12.0


def motion_blur(layer: Float32, speed_px_per_second: float, fps: float) -> Float32:
    """A layer smeared sideways by how far it moves while the shutter is open.

    Args:
        layer: (H, W) or (H, W, C) float32.
        speed_px_per_second: sideways.
        fps: frames a second.
    """
    length = round(speed_px_per_second * _SHUTTER_SHARE / fps)
    if length < 2:
        return layer
    return np.asarray(cv2.blur(layer, (length, 1), borderType=cv2.BORDER_CONSTANT), dtype=np.float32)


class Camera:
    """Turns a clean picture into what such a camera delivers; holds its noise generator."""

    def __init__(self, size_wh: tuple[int, int], rng: np.random.Generator) -> None:
        width, height = size_wh
        x = np.linspace(-1, 1, width, dtype=np.float32)[None]
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        self._vignette = np.asarray(1 - 0.16 * (x * x + y * y), dtype=np.float32)[..., None]
        self._rng = rng
        # One large field, looked at through a window that jumps: fresh normal numbers for every frame would
        # cost more than everything else together.
        fine = rng.standard_normal((height + _JUMP_PX, width + _JUMP_PX, 1), dtype=np.float32)
        blotches = rng.standard_normal((height // 2 + _JUMP_PX, width // 2 + _JUMP_PX, 3), dtype=np.float32)
        grown = cv2.resize(blotches, (width + 2 * _JUMP_PX, height + 2 * _JUMP_PX))
        self._noise = (
            0.8 * fine + 0.55 * np.asarray(grown, np.float32)[: height + _JUMP_PX, : width + _JUMP_PX]
        )

    def expose(self, scene: Float32, seconds: float) -> Image:
        """The picture of a scene at that time.

        Args:
            scene: (H, W, 3) float32 BGR, 0 to 255.
            seconds: since the start of the clip; exposure and focus drift with it.

        Returns:
            (H, W, 3) uint8 BGR.
        """
        focused = np.asarray(cv2.GaussianBlur(scene, (0, 0), focus_blur_px(seconds)), dtype=np.float32)
        light = np.asarray(focused * self._vignette * gain(seconds), dtype=np.float32)
        return np.clip(self._with_noise(light), 0, 255).astype(np.uint8)

    def _with_noise(self, light: Float32) -> Float32:
        """Shot noise grows with the root of the light, read noise does not; chroma noise comes in blotches."""
        height, width = light.shape[:2]
        x, y = (int(value) for value in self._rng.integers(0, _JUMP_PX, 2))
        deviation = np.sqrt(4.0 + 0.09 * np.maximum(light, 0))
        return np.asarray(light + deviation * self._noise[y : y + height, x : x + width], dtype=np.float32)


def focus_blur_px(seconds: float) -> float:
    """Standard deviation of the lens's blur; the autofocus loses its hold once."""
    start, end = _FOCUS_HUNT_SECONDS
    if not start < seconds < end:
        return 0.75
    return 0.75 + _FOCUS_LOSS_PX * sin(np.pi * (seconds - start) / (end - start))


def gain(seconds: float) -> float:
    """Exposure: a slow drift, and a step with recovery when a row of lamps goes off."""
    since = seconds - _LIGHTS_CHANGE_SECONDS
    step = 0.0 if since < 0 else 0.24 * float(np.exp(-since / 1.4))
    return 1.0 + 0.05 * sin(0.7 * seconds) - step
