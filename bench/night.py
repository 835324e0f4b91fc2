"""An hour at night made from a short video by day: hardly any light, much noise, one person every ten minutes.

Frames are made one by one and are the same for the same seed; nothing but the empty scene and some noise is
held. People walk through as the video shows them, decoded again for each visit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.presence import Presence
from vision.types import Frame, Image
from vision.video import open_source

_AROUND_SECONDS = 1.5
"""Shown before and after each visit, so that people enter and leave."""

_NOISE_FIELDS = 4
_NOISE_MARGIN_PX = 96


@dataclass(frozen=True, slots=True)
class NightOptions:
    """How dark and how long.

    Attributes:
        fps: frames a second.
        seconds: length of the footage.
        visit_every_seconds: from one visit's beginning to the next one's.
        light: share of the day's brightness that is left.
        black_level: added to it, of 255.
        noise: standard deviation of the sensor's noise, of 255.
        flicker: standard deviation of the whole picture's brightness, of 1.
        seed: of all chance.
    """

    fps: float = 5.0
    seconds: float = 3600.0
    visit_every_seconds: float = 600.0
    light: float = 0.3
    black_level: float = 12.0
    noise: float = 6.0
    flicker: float = 0.005
    seed: int = 1


class NightFootage:
    """Frames of a night, and the truth about them.

    Args:
        video: with somebody in it from time to time, and nobody at its beginning.
        visits: when somebody is in the video: shown in turn, again from the first.
        options: how dark and how long.

    Raises:
        VisionError: the video cannot be opened.
    """

    def __init__(self, video: Path, visits: Sequence[Presence], options: NightOptions | None = None) -> None:
        self._video = video
        self._options = options or NightOptions()
        self._visits = tuple(visits)
        self._empty = _mean_picture(video, visits[0].begin_seconds - _AROUND_SECONDS)
        rng = np.random.default_rng(self._options.seed)
        height, width = self._empty.shape[:2]
        shape = (_NOISE_FIELDS, height + _NOISE_MARGIN_PX, width + _NOISE_MARGIN_PX)
        self._fields = rng.normal(0, self._options.noise, shape).astype(np.float32)

    def truth(self) -> tuple[Presence, ...]:
        """When somebody is there."""
        return tuple(
            Presence(
                start + _AROUND_SECONDS, start + _AROUND_SECONDS + visit.end_seconds - visit.begin_seconds
            )
            for start, visit in self._plan()
        )

    def frames(self) -> Iterator[Frame]:
        """The footage, from its beginning."""
        options = self._options
        rng = np.random.default_rng([options.seed, 1])
        index, count = 0, round(options.seconds * options.fps)
        for start, visit in self._plan():
            while index < count and index / options.fps < start:
                yield self._frame(self._empty, index, rng)
                index += 1
            for picture in self._shown(visit):
                yield self._frame(picture, index, rng)
                index += 1
        for left in range(index, count):
            yield self._frame(self._empty, left, rng)

    def _plan(self) -> list[tuple[float, Presence]]:
        """When each visit begins to be shown, in the middle of its stretch."""
        options = self._options
        stretches = int(options.seconds // options.visit_every_seconds)
        starts = [(number + 0.5) * options.visit_every_seconds for number in range(stretches)]
        # On the grid of frames, so that the truth is exact.
        return [
            (round(at * options.fps) / options.fps, visit)
            for at, visit in zip(starts, cycle(self._visits), strict=False)
        ]

    def _shown(self, visit: Presence) -> Iterator[Image]:
        """The pictures of a visit at this footage's rate."""
        due = visit.begin_seconds - _AROUND_SECONDS
        with open_source(str(self._video)) as source:
            for picture in source.pictures():
                if picture.pts_seconds > visit.end_seconds + _AROUND_SECONDS:
                    return
                if picture.pts_seconds >= due - 0.001:
                    due += 1 / self._options.fps
                    yield picture.to_frame().image

    def _frame(self, day: Image, index: int, rng: np.random.Generator) -> Frame:
        options = self._options
        light = options.light * (1 + options.flicker * rng.standard_normal())
        field = self._fields[rng.integers(_NOISE_FIELDS)]
        top, left = rng.integers(_NOISE_MARGIN_PX, size=2)
        noise = field[top : top + day.shape[0], left : left + day.shape[1]]
        grey: npt.NDArray[np.float32] = cv2.cvtColor(day, cv2.COLOR_BGR2GRAY).astype(np.float32)
        night = np.clip(light * grey + options.black_level + noise, 0, 255).astype(np.uint8)
        image = np.asarray(cv2.cvtColor(night, cv2.COLOR_GRAY2BGR), np.uint8)
        return Frame(image, index / options.fps, index)


def _mean_picture(video: Path, until_seconds: float) -> Image:
    total, count = None, 0
    with open_source(str(video)) as source:
        for frame in source:
            if frame.pts_seconds >= until_seconds:
                break
            image = frame.image.astype(np.float64)
            total = image if total is None else total + image
            count += 1
    if total is None:
        raise ValueError(f"{video.name}: shows nobody for no time at all at its beginning")
    return np.rint(total / count).astype(np.uint8)
