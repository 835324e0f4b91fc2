"""Drawn stand-ins for photographs: a face, shoulders, and a background of another colour."""

from __future__ import annotations

import cv2
import numpy as np

from aiqyn.demo.footage.cast import Photograph
from vision.types import Image

SKIN_BGR = (120, 150, 205)
COAT_BGR = (90, 50, 40)
MEADOW_BGR = (60, 150, 70)

PORTRAIT = Photograph(
    "drawn-portrait",
    (150.0, 100.0, 250.0, 220.0),
    ((180.0, 145.0), (220.0, 145.0), (200.0, 170.0), (182.0, 190.0), (218.0, 190.0)),
)


def drawn_portrait(seed: int = 1) -> Image:
    """A person as `PORTRAIT` describes, (500, 400, 3) uint8 BGR."""
    image = np.full((500, 400, 3), MEADOW_BGR, np.uint8)
    cv2.ellipse(image, (200, 420), (150, 180), 0, 0, 360, COAT_BGR, -1)
    cv2.rectangle(image, (175, 200), (225, 260), SKIN_BGR, -1)
    cv2.ellipse(image, (200, 158), (54, 70), 0, 0, 360, SKIN_BGR, -1)
    for x, y in PORTRAIT.landmarks:
        cv2.circle(image, (round(x), round(y)), 6, (30, 30, 60), -1)
    noise = np.random.default_rng(seed).normal(0, 5, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)
