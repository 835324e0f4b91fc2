"""Pose of heads that were turned by the formula's own geometry, and of landmarks that make no face."""

from __future__ import annotations

import numpy as np
import pytest

from vision.face.pose import pose_of
from vision.types import Float32

HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.571, 0.55], [-0.414, 1.154, 0.08], [0.414, 1.154, 0.08]])


def seen(yaw: float = 0, pitch: float = 0, roll: float = 0) -> Float32:
    """(1, 5, 2) an average head, turned in that order and seen from afar, in pixels."""
    a, b, c = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    turned = (about_z @ about_x @ about_y @ HEAD.T).T[None, :, :2]
    return np.asarray(turned * 40 + 100, np.float32)


@pytest.mark.parametrize("degrees", [-60, -30, 0, 15, 45, 70])
def test_yaw(degrees: float) -> None:
    assert pose_of(seen(yaw=degrees)).yaw_degrees[0] == pytest.approx(degrees, abs=0.1)


@pytest.mark.parametrize("degrees", [-30, -10, 0, 20, 35])
def test_pitch(degrees: float) -> None:
    assert pose_of(seen(pitch=degrees)).pitch_degrees[0] == pytest.approx(degrees, abs=0.1)


@pytest.mark.parametrize("degrees", [-120, -30, 0, 45, 90])
def test_roll_and_it_changes_nothing_else(degrees: float) -> None:
    pose = pose_of(seen(yaw=20, pitch=10, roll=degrees))
    level = pose_of(seen(yaw=20, pitch=10))
    assert pose.yaw_degrees == pytest.approx(level.yaw_degrees, abs=0.1)
    assert pose.pitch_degrees == pytest.approx(level.pitch_degrees, abs=0.1)
    assert pose.roll_degrees[0] - level.roll_degrees[0] == pytest.approx(degrees, abs=0.1)


def test_landmarks_that_make_no_face_give_finite_numbers() -> None:
    points = np.stack([np.full((5, 2), 7.0), np.eye(5, 2) * 1e6, -HEAD[:, :2]]).astype(np.float32)
    pose = pose_of(points)
    for values in (pose.yaw_degrees, pose.pitch_degrees, pose.roll_degrees, pose.yaw_ratio):
        assert np.isfinite(values).all()
    assert len(pose_of(points[:0])) == 0
