"""A constant-velocity Kalman filter for the boxes of all tracks at once, in continuous time.

State: centre x and y, width and height of a box, and the velocity of each. As in DeepSORT (Wojke, Bewley,
Paulus 2017) and ByteTrack (Zhang et al. 2022), every error is a share of the box's own size, so that a person
far off and one near by are followed alike, whatever the picture's resolution. SORT's fixed pixels fit one size.

Every noise matrix is diagonal, so the eight-state filter falls apart into four two-state filters (value,
velocity). Their covariances are kept as columns; the result is the one of the dense filter, without a matrix
inverse per track. Noise is a rate per second, taken over any interval exactly, so that predicting over one second
is the same in one step as in thirty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float64: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.bool_] | slice

# In sizes of the box (its longer side); order: centre x, centre y, width, height.
_MEASUREMENT_ERROR = 0.05
"""Standard deviation of what a detector says; DeepSORT's and ByteTrack's 1/20."""

_START_VELOCITY = np.array([1.5, 0.75, 0.1, 0.1])
"""Standard deviation of the velocity of a track just begun, per second: people run at 1.5 of their height. A
camera looks along the ground more than down on it, which shortens what moves up and down the picture."""

_VELOCITY_CHANGE = np.array([0.35, 0.175, 0.1, 0.1])
"""Standard deviation of what a velocity changes by in a second: about half of what people walk at."""

_LEAST_SIZE = 0.3
"""A predicted box keeps this share of its last size, however fast it shrank."""


@dataclass(frozen=True, slots=True)
class BoxStates:
    """Filtered boxes, one row per track; (N, 4) float64, in the order centre x, centre y, width, height.

    Attributes:
        mean: pixels.
        velocity: pixels per second.
        variance: of `mean`.
        covariance: of `mean` with `velocity`.
        velocity_variance: of `velocity`.
        size: (N, 1) longer side at the last observation, pixels: the unit of all errors.
    """

    mean: Float64
    velocity: Float64
    variance: Float64
    covariance: Float64
    velocity_variance: Float64
    size: Float64

    @classmethod
    def start(cls, xyxy: Float64) -> BoxStates:
        """States of tracks that begin with the boxes `xyxy` (N, 4), at unknown velocity."""
        mean = measurement(xyxy)
        size = _size(mean)
        return cls(
            mean=mean,
            velocity=np.zeros_like(mean),
            variance=np.broadcast_to((_MEASUREMENT_ERROR * size) ** 2, mean.shape).copy(),
            covariance=np.zeros_like(mean),
            velocity_variance=(_START_VELOCITY * size) ** 2,
            size=size,
        )

    def __len__(self) -> int:
        return len(self.mean)

    def __getitem__(self, rows: Index) -> BoxStates:
        return BoxStates(
            self.mean[rows],
            self.velocity[rows],
            self.variance[rows],
            self.covariance[rows],
            self.velocity_variance[rows],
            self.size[rows],
        )

    def put(self, rows: Index, states: BoxStates) -> None:
        """Overwrites `rows` with `states`."""
        self.mean[rows] = states.mean
        self.velocity[rows] = states.velocity
        self.variance[rows] = states.variance
        self.covariance[rows] = states.covariance
        self.velocity_variance[rows] = states.velocity_variance
        self.size[rows] = states.size

    def followed_by(self, other: BoxStates) -> BoxStates:
        """These rows, then those of `other`."""
        return BoxStates(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.velocity, other.velocity]),
            np.concatenate([self.variance, other.variance]),
            np.concatenate([self.covariance, other.covariance]),
            np.concatenate([self.velocity_variance, other.velocity_variance]),
            np.concatenate([self.size, other.size]),
        )

    def boxes(self) -> Float64:
        """(N, 4) float64 xyxy pixels."""
        half = 0.5 * self.mean[:, 2:]
        return np.concatenate([self.mean[:, :2] - half, self.mean[:, :2] + half], axis=1)


def measurement(xyxy: Float64) -> Float64:
    """Boxes as the filter sees them.

    Args:
        xyxy: (N, 4) pixels, of positive width and height.

    Returns:
        (N, 4) float64: centre x and y, width, height.
    """
    boxes = np.asarray(xyxy, np.float64)
    size = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate([boxes[:, :2] + 0.5 * size, size], axis=1)


def predict(states: BoxStates, elapsed_seconds: Float64) -> BoxStates:
    """The states after some time without an observation.

    Args:
        states: N rows.
        elapsed_seconds: (N,) or (), not negative.

    Returns:
        N rows; a box that would vanish keeps a share of its last size.
    """
    dt = np.broadcast_to(np.asarray(elapsed_seconds, np.float64), (len(states),))[:, np.newaxis]
    mean = _moved(states, dt)
    rate = (_VELOCITY_CHANGE * states.size) ** 2
    drift = dt * states.velocity_variance
    return BoxStates(
        mean=mean,
        velocity=states.velocity,
        variance=states.variance + dt * (2.0 * states.covariance + drift) + dt**3 / 3.0 * rate,
        covariance=states.covariance + drift + dt**2 / 2.0 * rate,
        velocity_variance=states.velocity_variance + dt * rate,
        size=states.size,
    )


def predicted_boxes(states: BoxStates, elapsed_seconds: Float64) -> Float64:
    """`predict(states, elapsed_seconds).boxes()`, without the variances."""
    mean = _moved(states, elapsed_seconds[:, np.newaxis])
    half = 0.5 * mean[:, 2:]
    return np.concatenate([mean[:, :2] - half, mean[:, :2] + half], axis=1)


def correct(states: BoxStates, xyxy: Float64) -> BoxStates:
    """The states after an observation each.

    Args:
        states: N rows, predicted to the time of the observation.
        xyxy: (N, 4) pixels, of positive width and height.

    Returns:
        N rows.
    """
    total = states.variance + (_MEASUREMENT_ERROR * states.size) ** 2
    innovation = measurement(xyxy) - states.mean
    gain = states.variance / total
    velocity_gain = states.covariance / total
    mean = states.mean + gain * innovation
    np.maximum(mean[:, 2:], _LEAST_SIZE * states.mean[:, 2:], out=mean[:, 2:])
    return BoxStates(
        mean=mean,
        velocity=states.velocity + velocity_gain * innovation,
        variance=(1.0 - gain) * states.variance,
        covariance=(1.0 - gain) * states.covariance,
        velocity_variance=states.velocity_variance - velocity_gain * states.covariance,
        size=_size(mean),
    )


def _moved(states: BoxStates, dt: Float64) -> Float64:
    mean = states.mean + dt * states.velocity
    np.maximum(mean[:, 2:], _LEAST_SIZE * states.mean[:, 2:], out=mean[:, 2:])
    return mean


def _size(mean: Float64) -> Float64:
    """(N, 1) longer side of each box."""
    return np.maximum(mean[:, 2], mean[:, 3])[:, np.newaxis]
