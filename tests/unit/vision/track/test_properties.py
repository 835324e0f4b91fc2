"""What holds of every tracker in every scene, drawn at random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.vision.track.scenes import make_detections
from vision.errors import ImageError
from vision.track.base import Tracker
from vision.track.bytetrack import ByteTrack
from vision.track.ocsort import OcSort
from vision.track.rejoin import RejoiningTracker
from vision.types import Detections, Tracks

Scene = list[tuple[float, Detections]]
Make = Callable[[], Tracker]


def rejoining() -> Tracker:
    return RejoiningTracker(OcSort())


trackers = pytest.mark.parametrize("make", [OcSort, ByteTrack, rejoining])
few = settings(max_examples=40, deadline=None)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Frames of boxes that wander, vanish, come back and change class; times that jump and go backwards."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    objects, frames = draw(st.integers(0, 12)), draw(st.integers(1, 25))
    scale = draw(st.sampled_from([1e-3, 1.0, 1e6]))
    presence = draw(st.sampled_from([0.3, 0.8, 1.0]))
    centre = rng.uniform(0, 500, (objects, 2))
    size = rng.uniform(20, 120, (objects, 2))
    speed = rng.normal(0, draw(st.sampled_from([1.0, 20.0])), (objects, 2))
    seconds = 0.0
    scene: Scene = []
    for _ in range(frames):
        seconds += float(
            rng.choice([0.04, 0.04, 0.04, 0.0, 0.5, 5.0, -0.1, -50.0], p=[0.25] * 3 + [0.05] * 5)
        )
        centre = centre + speed + rng.normal(0, 1, centre.shape)
        there = rng.random(objects) < presence
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)[there] * scale
        found = Detections(
            boxes.astype(np.float32),
            rng.uniform(0, 1, len(boxes)).astype(np.float32),
            rng.integers(0, 2, len(boxes)).astype(np.int32),
        )
        scene.append((seconds, found))
    return scene


def play(tracker: Tracker, scene: Scene) -> list[Tracks]:
    return [tracker.update(found, seconds) for seconds, found in scene]


@trackers
@few
@given(scene=scenes())
def test_rows_are_detections_each_at_most_once(make: Make, scene: Scene) -> None:
    for (_, found), tracks in zip(scene, play(make(), scene), strict=True):
        used = tracks.detection_index
        assert len(set(used.tolist())) == len(used), "two tracks share a detection"
        np.testing.assert_array_equal(tracks.xyxy, found.xyxy[used])
        np.testing.assert_array_equal(tracks.class_id, found.class_id[used])
        np.testing.assert_array_equal(tracks.confidence, found.confidence[used])


@trackers
@few
@given(scene=scenes())
def test_ids_are_unique_rise_and_keep_their_class(make: Make, scene: Scene) -> None:
    classes: dict[int, int] = {}
    for tracks in play(make(), scene):
        ids = tracks.track_id.tolist()
        assert ids == sorted(set(ids))
        assert all(number > 0 for number in ids)
        fresh = [number for number in ids if number not in classes]
        assert all(number > max(classes, default=0) for number in fresh), "an id is given anew"
        for number, class_id in zip(ids, tracks.class_id.tolist(), strict=True):
            assert classes.setdefault(number, class_id) == class_id


@trackers
@few
@given(scene=scenes(), seed=st.integers(0, 1000))
def test_the_order_of_detections_does_not_matter(make: Make, scene: Scene, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shuffled = [(seconds, found[rng.permutation(len(found))]) for seconds, found in scene]
    for first, second in zip(play(make(), scene), play(make(), shuffled), strict=True):
        np.testing.assert_array_equal(first.track_id, second.track_id)
        np.testing.assert_array_equal(first.xyxy, second.xyxy)


@trackers
@few
@given(scene=scenes())
def test_the_same_scene_twice_is_the_same_tracks(make: Make, scene: Scene) -> None:
    tracker = make()
    first = play(tracker, scene)
    tracker.reset()
    for before, after in zip(first, play(tracker, scene), strict=True):
        np.testing.assert_array_equal(before.track_id, after.track_id)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_boxes_that_are_not_finite_never_reach_a_tracker(value: float) -> None:
    with pytest.raises(ImageError, match=r"Detections\.xyxy holds values that are not finite"):
        make_detections([(0.0, 0.0, value, 10.0)])


@trackers
def test_coordinates_at_the_end_of_float32(make: Make) -> None:
    most = float(np.finfo(np.float32).max)
    tracker = make()
    for index in range(5):
        tracks = tracker.update(
            make_detections([(-most, -most, most, most), (0, 0, 1e-30, 1e-30)]), index / 25
        )
        assert len(tracks) == 2 or index == 0


@trackers
def test_a_gap_of_years(make: Make) -> None:
    tracker = make()
    standing = make_detections([(100, 100, 140, 200)])
    for seconds in (0.0, 0.04, 0.08, 1e9, 1e9 + 0.04, 1e9 + 0.08):
        tracks = tracker.update(standing, seconds)
    assert tracks.track_id.tolist() == [2]
