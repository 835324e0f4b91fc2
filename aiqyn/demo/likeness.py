"""Recognising a reference portrait on the screen as one of the list's own pictures, as anyone would.

A portrait is the same photograph turned, scaled and cut, so its SIFT keypoints (D. Lowe, "Distinctive image
features from scale-invariant keypoints", IJCV 2004) agree with the photograph's under one similarity transform.
No face model takes part: a scripted operator must not see with the eyes of the system it checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from vision.images import read_image
from vision.types import Image

_RATIO = 0.75
_MIN_INLIERS = 12
_LEAD = 2.0
"""How many times more points the best picture must have than any other person's."""

_LONG_SIDE_PX = 900


@dataclass(frozen=True, slots=True, repr=False)
class _Keypoints:
    points: npt.NDArray[np.float32]
    descriptors: npt.NDArray[np.float32]


class PictureAlbum:
    """The pictures of a list's folder, one sub-folder per subject, ready to be recognised."""

    def __init__(self, pictures: Mapping[str, list[Image]]) -> None:
        """Remembers `pictures`: per subject, (H, W, 3) uint8 BGR images."""
        self._known = {
            subject_id: [_keypoints(image) for image in images] for subject_id, images in pictures.items()
        }

    @classmethod
    def from_folder(cls, references: Path) -> PictureAlbum:
        """The album of a references folder.

        Raises:
            ImageError: a picture cannot be read.
        """
        folders = sorted(folder for folder in references.iterdir() if folder.is_dir())
        return cls({f.name: [read_image(path) for path in sorted(f.iterdir())] for f in folders})

    def recognise(self, portrait: Image) -> str | None:
        """Whose picture a portrait was cut from, or None where none fits clearly.

        Args:
            portrait: (H, W, 3) uint8 BGR.
        """
        seen = _keypoints(portrait)
        inliers = {
            subject_id: max((_inliers(seen, known) for known in pictures), default=0)
            for subject_id, pictures in self._known.items()
        }
        ranked = sorted(inliers.items(), key=lambda item: -item[1])
        if not ranked or ranked[0][1] < _MIN_INLIERS:
            return None
        clear = len(ranked) == 1 or ranked[0][1] >= _LEAD * ranked[1][1]
        return ranked[0][0] if clear else None


def _keypoints(image: Image) -> _Keypoints:
    shrink = min(1.0, _LONG_SIDE_PX / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    found, descriptors = cv2.SIFT.create().detectAndCompute(grey, None)
    points = np.array([keypoint.pt for keypoint in found], dtype=np.float32).reshape(-1, 2)
    return _Keypoints(points, np.asarray(descriptors if found else np.empty((0, 128)), dtype=np.float32))


def _inliers(seen: _Keypoints, known: _Keypoints) -> int:
    if len(seen.points) < _MIN_INLIERS or len(known.points) < _MIN_INLIERS:
        return 0
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(seen.descriptors, known.descriptors, k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < _RATIO * pair[1].distance]
    if len(good) < _MIN_INLIERS:
        return 0
    source = np.array([seen.points[match.queryIdx] for match in good])
    target = np.array([known.points[match.trainIdx] for match in good])
    cv2.setRNGSeed(1)
    _, mask = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=4.0)
    # Points onto which many others fall are counted once: a transform that shrinks all to a spot fits anything.
    return len(np.unique(target[np.asarray(mask).ravel() == 1], axis=0))
