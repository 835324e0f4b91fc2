"""What a judge sees of a sighting: one face, and nobody beside it, in either picture."""

from __future__ import annotations

import numpy as np

from pipelines.pictures import PROBE_SIZE_PX, shown_pictures
from vision.types import Image

FACE = (300.0, 200.0, 380.0, 300.0)
NEIGHBOUR = (395.0, 200.0, 475.0, 300.0)
LANDMARKS = np.array([[322, 240], [358, 240], [340, 260], [325, 278], [355, 278]], np.float32)


def busy_picture() -> Image:
    """Fine detail everywhere, so that coarse blocks show."""
    return np.random.default_rng(5).integers(0, 255, (480, 640, 3), dtype=np.uint8)


def detail(image: Image) -> float:
    """Mean difference between neighbouring pixels: large where detail is left."""
    return float(np.abs(np.diff(image.astype(np.int16), axis=1)).mean())


def test_the_face_is_left_and_everything_else_is_coarse() -> None:
    image = busy_picture()
    before = image.copy()
    shown = shown_pictures(image, FACE, LANDMARKS, [NEIGHBOUR])
    x0, y0, x1, y1 = (int(value) for value in FACE)
    assert np.array_equal(shown.frame_redacted[y0:y1, x0:x1], image[y0:y1, x0:x1])
    x0, y0, x1, y1 = (int(value) for value in NEIGHBOUR)
    assert detail(shown.frame_redacted[y0:y1, x0:x1]) < 0.2 * detail(image[y0:y1, x0:x1])
    assert np.array_equal(image, before)


def test_the_probe_shows_nobody_beside_the_face() -> None:
    """A portrait's margin reaches into the neighbour; cut from the frame itself it would show her."""
    image = np.full((480, 640, 3), 90, np.uint8)
    x0, y0, x1, y1 = (int(value) for value in NEIGHBOUR)
    rng = np.random.default_rng(6)
    image[y0:y1, x0:x1] = rng.integers(0, 255, (y1 - y0, x1 - x0, 3), dtype=np.uint8)
    probe = shown_pictures(image, FACE, LANDMARKS, [NEIGHBOUR]).probe
    assert probe.shape == (PROBE_SIZE_PX, PROBE_SIZE_PX, 3)
    assert probe[:, -60:].std() > 0, "the neighbour is within the portrait's margin"
    assert detail(probe[:, -60:]) < 3
