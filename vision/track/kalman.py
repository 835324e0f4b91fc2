"""SORT's constant-velocity Kalman filter for all tracks at once, in continuous time.

State (Bewley et al. 2016, "Simple Online and Realtime Tracking"): centre x and y, area and aspect
ratio of the box, and the velocities of the first three. Every noise matrix of SORT is diagonal, so
the seven-state filter falls apart into one two-state filter (value, velocity) each for x, y and
area, and a one-state filter for the aspect ratio. Their covariances are kept as columns; the
result is the one of the dense filter, without a matrix inverse per track.

SORT counts in frames. Here its noise is a rate per second, taken over any interval exactly, so
that predicting over one second is the same in one step as in thirty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float64: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.bool_] | slice

_FPS = 30.0
"""The frame rate at which SORT's per-frame noise is meant."""

# Variances from SORT's reference implementation (sort.py: R, P and Q of KalmanBoxTracker), turned
# from frames into seconds. Order: centre x, centre y, area, aspect ratio; velocities without the last.
_MEASUREMENT_VARIANCE = np.array([1.0, 1.0, 10.0, 10.0])
_START_VARIANCE = np.full(4, 10.0)
_START_VELOCITY_VARIANCE = np.full(3, 1e4) * _FPS**2
_VARIANCE_RATE = np.full(4, 1.0) * _FPS
_VELOCITY_VARIANCE_RATE = np.array([1e-2, 1e-2, 1e-4]) * _FPS**3


@dataclass(frozen=True, slots=True)
class BoxStates:
    """Filtered boxes, one row per track.

    Attributes:
        mean: (N, 4) float64: centre x and y in pixels, area in pixels², width / height.
        velocity: (N, 3) float64, of the first three, per second.
        variance: (N, 4) float64, of `mean`.
        covariance: (N, 3) float64, of the first three with their velocities.
        velocity_variance: (N, 3) float64.
    """

    mean: Float64
    velocity: Float64
    variance: Float64
    covariance: Float64
    velocity_variance: Float64

    @classmethod
    def start(cls, xyxy: Float64) -> BoxStates:
        """States of tracks that begin with the boxes `xyxy` (N, 4), at unknown velocity."""
        rows = len(xyxy)
        return cls(
            mean=measurement(xyxy),
            velocity=np.zeros((rows, 3)),
            variance=np.tile(_START_VARIANCE, (rows, 1)),
            covariance=np.zeros((rows, 3)),
            velocity_variance=np.tile(_START_VELOCITY_VARIANCE, (rows, 1)),
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
        )

    def put(self, rows: Index, states: BoxStates) -> None:
        """Overwrites `rows` with `states`."""
        self.mean[rows] = states.mean
        self.velocity[rows] = states.velocity
        self.variance[rows] = states.variance
        self.covariance[rows] = states.covariance
        self.velocity_variance[rows] = states.velocity_variance

    def followed_by(self, other: BoxStates) -> BoxStates:
        """These rows, then those of `other`."""
        return BoxStates(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.velocity, other.velocity]),
            np.concatenate([self.variance, other.variance]),
            np.concatenate([self.covariance, other.covariance]),
            np.concatenate([self.velocity_variance, other.velocity_variance]),
        )

    def boxes(self) -> Float64:
        """(N, 4) float64 xyxy pixels."""
        width = np.sqrt(self.mean[:, 2] * self.mean[:, 3])
        half = 0.5 * np.stack([width, self.mean[:, 2] / width], axis=1)
        return np.concatenate([self.mean[:, :2] - half, self.mean[:, :2] + half], axis=1)


def measurement(xyxy: Float64) -> Float64:
    """Boxes as the filter sees them.

    Args:
        xyxy: (N, 4) pixels, of positive width and height.

    Returns:
        (N, 4) float64: centre x and y, area, width / height.
    """
    boxes = np.asarray(xyxy, np.float64)
    size = boxes[:, 2:] - boxes[:, :2]
    centre = boxes[:, :2] + 0.5 * size
    return np.column_stack([centre, size[:, 0] * size[:, 1], size[:, 0] / size[:, 1]])


def predict(states: BoxStates, elapsed_seconds: Float64) -> BoxStates:
    """The states after some time without an observation.

    Args:
        states: N rows.
        elapsed_seconds: (N,) or (), not negative.

    Returns:
        N rows; an area that would vanish keeps its last value, as in SORT.
    """
    dt = np.broadcast_to(np.asarray(elapsed_seconds, np.float64), (len(states),))[:, np.newaxis]
    mean = states.mean.copy()
    mean[:, :3] += dt * states.velocity
    vanished = mean[:, 2] <= 0.0
    mean[vanished, 2] = states.mean[vanished, 2]
    variance = states.variance + dt * _VARIANCE_RATE
    variance[:, :3] += dt * (2.0 * states.covariance + dt * states.velocity_variance)
    variance[:, :3] += dt**3 / 3.0 * _VELOCITY_VARIANCE_RATE
    return BoxStates(
        mean=mean,
        velocity=states.velocity,
        variance=variance,
        covariance=states.covariance + dt * states.velocity_variance + dt**2 / 2.0 * _VELOCITY_VARIANCE_RATE,
        velocity_variance=states.velocity_variance + dt * _VELOCITY_VARIANCE_RATE,
    )


def correct(states: BoxStates, xyxy: Float64) -> BoxStates:
    """The states after an observation each.

    Args:
        states: N rows, predicted to the time of the observation.
        xyxy: (N, 4) pixels, of positive width and height.

    Returns:
        N rows.
    """
    total = states.variance + _MEASUREMENT_VARIANCE
    innovation = measurement(xyxy) - states.mean
    gain = states.variance / total
    velocity_gain = states.covariance / total[:, :3]
    return BoxStates(
        mean=states.mean + gain * innovation,
        velocity=states.velocity + velocity_gain * innovation[:, :3],
        variance=(1.0 - gain) * states.variance,
        covariance=(1.0 - gain[:, :3]) * states.covariance,
        velocity_variance=states.velocity_variance - velocity_gain * states.covariance,
    )
