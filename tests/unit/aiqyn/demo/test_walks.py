"""Poses over time, and a choreography in which nobody walks through anybody."""

from __future__ import annotations

from itertools import combinations

import pytest

from aiqyn.demo.footage.cast import BYSTANDER_TIE
from aiqyn.demo.footage.hall import HEIGHT_PX, WIDTH_PX, Lane
from aiqyn.demo.footage.walks import DURATION_SECONDS, WALKS, Key, Walk

_STILL = Walk(BYSTANDER_TIE, Lane.MIDDLE, (Key(1.0, 100, 300, 50), Key(3.0, 100, 300, 60)))


@pytest.mark.parametrize(
    ("seconds", "there"),
    [(0.99, False), (1.0, True), (2.99, True), (3.0, False)],
    ids=["before", "first", "last", "after"],
)
def test_somebody_is_there_only_between_the_keys(seconds: float, there: bool) -> None:
    assert (_STILL.pose_at(seconds) is not None) is there


def test_a_standing_person_does_not_bob() -> None:
    poses = [_STILL.pose_at(1 + step / 20) for step in range(40)]
    assert {pose.y_px for pose in poses if pose} == {300.0}
    assert all(pose and pose.speed_px_per_second == 0 for pose in poses)


def test_size_changes_evenly() -> None:
    pose = _STILL.pose_at(2.0)
    assert pose is not None
    assert pose.face_width_px == pytest.approx(55.0)


def test_faces_from_forty_to_a_hundred_and_fifty_pixels() -> None:
    sizes = [key.face_width_px for walk in WALKS for key in walk.keys]
    assert min(sizes) <= 40
    assert max(sizes) >= 150


def test_keys_are_in_order_and_within_the_clip() -> None:
    for walk in WALKS:
        times = [key.seconds for key in walk.keys]
        assert times == sorted(set(times))
        assert 0 <= times[0] < times[-1] <= DURATION_SECONDS


@pytest.mark.parametrize("lane", list(Lane))
def test_nobody_walks_through_anybody_in_a_lane(lane: Lane) -> None:
    for first, second in combinations([walk for walk in WALKS if walk.lane == lane], 2):
        for step in range(round(DURATION_SECONDS * 10)):
            a, b = first.pose_at(step / 10), second.pose_at(step / 10)
            if a and b and 0 < a.x_px < WIDTH_PX and 0 < b.x_px < WIDTH_PX:
                assert abs(a.x_px - b.x_px) > (a.face_width_px + b.face_width_px) * 0.9, step / 10


def test_faces_stay_inside_the_picture_upright() -> None:
    for walk in WALKS:
        for key in walk.keys:
            assert key.face_width_px < key.y_px < HEIGHT_PX - key.face_width_px
