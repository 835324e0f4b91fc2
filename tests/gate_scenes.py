"""Grey pictures of a street nobody filmed: noise, light, rain, leaves and walkers, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from vision.detect.gate import GateDecision, Grey, MotionGate

WIDTH, HEIGHT = 320, 180
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Walker:
    """Somebody in the picture from one time to another.

    Attributes:
        begin: seconds.
        end: seconds.
        at: centre and top at the beginning, pixels.
        speed: pixels a second, to the right.
        height: pixels.
        shade: of 255.
    """

    begin: float
    end: float
    at: tuple[float, float] = (40.0, 60.0)
    speed: float = 8.0
    height: int = 20
    shade: float = 25.0


@dataclass(frozen=True, slots=True)
class Street:
    """What there is to be seen.

    Attributes:
        noise: standard deviation, of 255.
        walkers: who goes by.
        light: factor on all brightness, by time.
        streaks: of rain in a picture, on average.
        flakes: of snow in a picture, on average.
        leaves: left, top, width, height of a tree that sways by some pixels; None: none.
        shake: standard deviation of the camera's place, pixels.
        lamp: begin, end, left edge and brightness of a lamp that lights the picture from there to the right.
    """

    noise: float = 3.0
    walkers: tuple[Walker, ...] = ()
    light: Callable[[float], float] = lambda _: 1.0
    streaks: float = 0.0
    flakes: float = 0.0
    leaves: tuple[int, int, int, int] | None = None
    shake: float = 0.0
    lamp: tuple[float, float, int, float] | None = None
    seed: int = 1
    wall: Float32 = field(init=False, repr=False)
    foliage: tuple[Float32, Float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "wall", _wall(self.seed))
        object.__setattr__(self, "foliage", _foliage(self.seed + 5))

    def picture(self, index: int, seconds: float) -> Grey:
        """One picture, (180, 320)."""
        rng = np.random.default_rng([self.seed, index])
        image = self.wall.copy()
        if self.leaves:
            _sway(image, self.leaves, self.foliage, seconds, rng)
        for walker in self.walkers:
            if walker.begin <= seconds < walker.end:
                _walk(image, walker, seconds)
        _weather(image, self, rng)
        image *= self.light(seconds)
        if self.lamp and self.lamp[0] <= seconds < self.lamp[1]:
            image[:, self.lamp[2] :] += self.lamp[3]
        if self.shake:
            dx, dy = rng.normal(0, self.shake, 2)
            image = np.asarray(cv2.warpAffine(image, np.array([[1, 0, dx], [0, 1, dy]], np.float32),
                                              (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE), np.float32)  # fmt: skip
        image += self.noise * rng.standard_normal(image.shape, np.float32)
        return np.clip(image, 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a gate said of one picture, and when."""

    seconds: float
    decision: GateDecision


def watch(
    street: Street, seconds: float, *, fps: float = 5.0, gate: MotionGate | None = None, start: float = 0.0
) -> list[Seen]:
    """A gate's decisions over a street, from `start` on."""
    gate = gate or MotionGate()
    times = [(index, index / fps) for index in range(round(start * fps), round((start + seconds) * fps))]
    return [Seen(now, gate.see(street.picture(index, now), now)) for index, now in times]


def open_share(seen: list[Seen], begin: float, end: float, *, beats: bool = False) -> float:
    """Share of the pictures of a time that are looked at; heartbeats count only where they are wanted."""
    within = [one for one in seen if begin <= one.seconds < end]
    counted = [one for one in within if one.decision.open and (beats or one.decision.reason != "heartbeat")]
    return len(counted) / len(within)


def _wall(seed: int) -> Float32:
    rng = np.random.default_rng(seed)
    wall = np.asarray(cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 6))
    wall = wall / wall.std() * 25 + 110
    for _ in range(25):
        left, top = int(rng.integers(WIDTH)), int(rng.integers(HEIGHT))
        wide, high = rng.integers(10, 60, 2)
        wall[top : top + high, left : left + wide] += rng.normal(0, 25)
    return np.asarray(np.clip(wall, 40, 220), np.float32)


def _foliage(seed: int) -> tuple[Float32, Float32]:
    """Leaves, and where they are."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((2, HEIGHT, WIDTH), np.float32)
    texture = np.asarray(cv2.GaussianBlur(noise[0], (0, 0), 1.5), np.float32)
    gaps = np.asarray(cv2.GaussianBlur(noise[1], (0, 0), 4) > 0, np.float32)
    return texture / texture.std() * 35 + 90, gaps


def _walk(image: Float32, walker: Walker, seconds: float) -> None:
    centre = walker.at[0] + walker.speed * (seconds - walker.begin)
    half = max(1.0, 0.19 * walker.height)
    top, left = int(walker.at[1]), max(0, int(centre - half))
    part = image[top : top + walker.height + 1, left : max(left, int(centre + half) + 1)]
    rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    across, down = (columns - centre) / half, (rows - walker.at[1]) / walker.height * 2 - 1
    part[across**2 + down**2 < 1] = walker.shade


def _weather(image: Float32, street: Street, rng: np.random.Generator) -> None:
    for _ in range(rng.poisson(street.streaks)):
        x, y, near = int(rng.integers(WIDTH)), int(rng.integers(HEIGHT)), rng.random()
        bright = float(image[y, x] + 10 + 30 * near)
        cv2.line(image, (x, y), (x + int(rng.normal(0, 1)), y + int(4 + 14 * near**2)), bright, 1)
    for _ in range(rng.poisson(street.flakes)):
        x, y, near = int(rng.integers(WIDTH)), int(rng.integers(HEIGHT)), rng.random()
        bright = float(min(255.0, image[y, x] + 25 + 50 * near))
        cv2.circle(image, (x, y), 1 + int(2 * near**4), bright, -1)


def _sway(
    image: Float32,
    box: tuple[int, int, int, int],
    foliage: tuple[Float32, Float32],
    seconds: float,
    rng: np.random.Generator,
) -> None:
    left, top, width, height = box
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    gust = 1 + 0.7 * np.sin(2 * np.pi * seconds / 17.3)
    bend = 2 * gust * (1 - rows / height) * np.sin(2 * np.pi * seconds / 2.1 + columns / 18 + rows / 11)
    x = (columns + left + bend + 0.5 * rng.normal()).astype(np.float32)
    y = (rows + top + 0.7 * gust * np.sin(2 * np.pi * seconds / 1.6 + columns / 14)).astype(np.float32)
    leaves, shown = (cv2.remap(one, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) for one in foliage)
    part = image[top : top + height, left : left + width]
    part += shown * (leaves - part)
