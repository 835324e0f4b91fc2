"""The columns of `vision.track.kalman` against the dense eight-state filter they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from vision.track.kalman import BoxStates, Float64, correct, measurement, predict, predicted_boxes

BOXES = np.array([[10.0, 20.0, 50.0, 120.0], [300.0, 40.0, 420.0, 100.0]])
MOVED = BOXES + np.array([[3.0, 1.0, 5.0, 2.0], [-4.0, 0.0, -3.0, 6.0]])


class DenseFilter:
    """The filter of one box with full matrices, for comparison."""

    def __init__(self, xyxy: Float64) -> None:
        self.x = np.concatenate([measurement(xyxy[np.newaxis])[0], np.zeros(4)])
        self.size = max(self.x[2:4])
        self.p = np.diag([0.05**2] * 4 + [1.5**2, 0.75**2, 0.01, 0.01]) * self.size**2
        self.h = np.eye(4, 8)

    def predict(self, dt: float) -> None:
        f = np.eye(8)
        f[:4, 4:] = np.eye(4) * dt
        rate = np.diag([0.35**2, 0.175**2, 0.01, 0.01]) * self.size**2
        q = np.block([[rate * dt**3 / 3, rate * dt**2 / 2], [rate * dt**2 / 2, rate * dt]])
        self.x, self.p = f @ self.x, f @ self.p @ f.T + q

    def correct(self, xyxy: Float64) -> None:
        s = self.h @ self.p @ self.h.T + np.eye(4) * (0.05 * self.size) ** 2
        k = self.p @ self.h.T @ np.linalg.inv(s)
        self.x = self.x + k @ (measurement(xyxy[np.newaxis])[0] - self.h @ self.x)
        self.p = (np.eye(8) - k @ self.h) @ self.p
        self.size = max(self.x[2:4])


def test_equals_the_dense_filter() -> None:
    states = BoxStates.start(BOXES)
    dense = [DenseFilter(row) for row in BOXES]
    for step, dt in enumerate([0.04, 0.04, 0.2, 0.01, 0.0, 1.0]):
        boxes = BOXES + (MOVED - BOXES) * (step + 1)
        states = correct(predict(states, np.full(2, dt)), boxes)
        for row, reference in enumerate(dense):
            reference.predict(dt)
            reference.correct(boxes[row])
            np.testing.assert_allclose(states.mean[row], reference.x[:4], rtol=1e-9)
            np.testing.assert_allclose(states.velocity[row], reference.x[4:], rtol=1e-7, atol=1e-7)
            np.testing.assert_allclose(states.variance[row], np.diag(reference.p)[:4], rtol=1e-7)
            np.testing.assert_allclose(states.velocity_variance[row], np.diag(reference.p)[4:], rtol=1e-6)


def test_one_long_prediction_is_many_short_ones() -> None:
    moving = correct(predict(BoxStates.start(BOXES), np.array(0.04)), MOVED)
    stepwise = moving
    for _ in range(30):
        stepwise = predict(stepwise, np.array(1.0 / 30.0))
    at_once = predict(moving, np.array(1.0))
    np.testing.assert_allclose(stepwise.mean, at_once.mean)
    np.testing.assert_allclose(stepwise.variance, at_once.variance)
    np.testing.assert_allclose(stepwise.covariance, at_once.covariance)
    np.testing.assert_allclose(stepwise.velocity_variance, at_once.velocity_variance)


def test_boxes_are_predicted_alike_with_and_without_variances() -> None:
    moving = correct(predict(BoxStates.start(BOXES), np.array(0.04)), MOVED)
    later = np.array([0.3, 20.0])
    np.testing.assert_array_equal(predicted_boxes(moving, later), predict(moving, later).boxes())


def test_learns_a_velocity_whatever_the_frame_rate() -> None:
    for fps in (5.0, 25.0, 60.0):
        states = BoxStates.start(BOXES)
        for step in range(1, int(4 * fps)):
            seconds = step / fps
            states = correct(
                predict(states, np.array(1.0 / fps)), BOXES + np.array([90.0, -30.0, 90.0, -30.0]) * seconds
            )
        np.testing.assert_allclose(states.velocity[:, :2], [[90.0, -30.0]] * 2, rtol=0.02)


def test_the_size_of_a_box_is_its_unit() -> None:
    """The same scene a hundred times as large is followed a hundred times as far."""
    small, large = BoxStates.start(BOXES), BoxStates.start(BOXES * 100)
    for step in range(1, 6):
        seen = BOXES + (MOVED - BOXES) * step
        small = correct(predict(small, np.array(0.04)), seen)
        large = correct(predict(large, np.array(0.04)), seen * 100)
    np.testing.assert_allclose(large.velocity, 100 * small.velocity, rtol=1e-9)
    np.testing.assert_allclose(large.variance, 1e4 * small.variance, rtol=1e-9)


def test_a_box_that_would_vanish_is_held() -> None:
    states = BoxStates.start(BOXES)
    shrunk = BOXES.copy()
    for _ in range(5):
        shrunk[:, 2:] -= [7.0, 9.0]
        states = correct(predict(states, np.array(0.04)), shrunk)
    late = predict(states, np.array(30.0)).boxes()
    assert (late[:, 2:] > late[:, :2]).all()
    assert np.isfinite(late).all()


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e4, 1e7], ids=["tiny", "usual", "huge", "absurd"])
def test_boxes_survive_the_state(scale: float) -> None:
    np.testing.assert_allclose(BoxStates.start(BOXES * scale).boxes(), BOXES * scale, rtol=1e-9)


def test_no_rows() -> None:
    states = predict(BoxStates.start(np.empty((0, 4))), np.empty(0))
    assert correct(states, np.empty((0, 4))).boxes().shape == (0, 4)
