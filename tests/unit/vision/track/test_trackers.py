"""What both trackers promise, whatever their method."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from tests.unit.vision.track.scenes import (
    follow,
    frames,
    hidden,
    ids_of,
    make_detections,
    update_all,
    walk,
)
from vision.errors import ImageError
from vision.track.bytetrack import ByteTrack
from vision.track.ocsort import OcSort
from vision.types import Detections

Make = Callable[[], OcSort | ByteTrack]

pytestmark = pytest.mark.parametrize("make", [OcSort, ByteTrack])

STANDING = make_detections([(100.0, 100.0, 140.0, 200.0)])


def grid(rows: int, columns: int, pitch_px: float = 60.0, shift_px: float = 0.0) -> Detections:
    """Boxes of 40 by 50 pixels that do not touch."""
    y, x = np.mgrid[:rows, :columns].reshape(2, -1) * pitch_px + shift_px
    return make_detections(zip(x, y, x + 40.0, y + 50.0, strict=True))


def test_ids_begin_at_one_and_stay(make: Make) -> None:
    for tracks in update_all(make(), [grid(1, 3, shift_px=index) for index in range(10)]):
        assert tracks.track_id.tolist() == [1, 2, 3]


def test_rows_say_which_detection_they_are(make: Make) -> None:
    tracker = make()
    tracker.update(grid(1, 4), 0.0)
    turned = grid(1, 4)[np.array([2, 0, 3, 1])]
    tracks = tracker.update(turned, 0.04)
    np.testing.assert_array_equal(tracks.xyxy, turned.xyxy[tracks.detection_index])
    assert tracks.detection_index.tolist() == [1, 3, 0, 2]


def test_instances_share_nothing(make: Make) -> None:
    first, second = make(), make()
    first.update(grid(2, 3), 0.0)
    assert second.update(STANDING, 0.0).track_id.tolist() == [1]
    second.reset()
    assert first.update(grid(2, 3), 0.04).track_id.tolist() == [1, 2, 3, 4, 5, 6]


def test_reset_begins_anew(make: Make) -> None:
    tracker = make()
    update_all(tracker, [grid(2, 3)] * 5)
    tracker.reset()
    assert len(tracker) == 0
    assert tracker.update(STANDING, 0.0).track_id.tolist() == [1]


def test_nothing_remains_of_tracks_that_ended(make: Make) -> None:
    tracker = make()
    for burst in range(30):
        for index in range(5):
            tracker.update(grid(3, 4, shift_px=500.0 * burst), burst + index / 25.0)
    assert len(tracker) > 0
    assert len(tracker) <= 3 * 12, "tracks pile up"
    tracker.update(Detections.empty(), 31.5)
    assert len(tracker) == 0


def test_a_new_track_never_gets_an_old_id(make: Make) -> None:
    tracker = make()
    update_all(tracker, [STANDING] * 5)
    for index in range(3):
        last = tracker.update(STANDING, 100.0 + index / 25.0)
    assert last.track_id.tolist() == [2]


def test_empty_frames(make: Make) -> None:
    tracker = make()
    assert len(tracker.update(Detections.empty(), 0.0)) == 0
    update_all(tracker, [STANDING] * 4)
    assert len(tracker.update(Detections.empty(), 0.2)) == 0
    assert tracker.update(STANDING, 0.24).track_id.tolist() == [1]


@pytest.mark.parametrize("late_seconds", [0.12, 0.08, -0.3], ids=["equal", "earlier", "before the start"])
def test_a_late_time_stamp_counts_as_now(make: Make, late_seconds: float) -> None:
    tracker = make()
    update_all(tracker, [STANDING] * 4)
    assert tracker.update(STANDING, late_seconds).track_id.tolist() == [1]
    assert tracker.update(STANDING, 0.16).track_id.tolist() == [1]


def test_a_clock_that_begins_anew_ends_all_tracks(make: Make) -> None:
    tracker = make()
    for index in range(5):
        tracker.update(STANDING, 3600.0 + index / 25.0)
    followed = [tracker.update(STANDING, index / 25.0) for index in range(5)]
    assert followed[-1].track_id.tolist() == [2]
    assert len(tracker) == 1


@pytest.mark.parametrize("pts_seconds", [float("nan"), float("inf")])
def test_a_time_stamp_must_be_finite(make: Make, pts_seconds: float) -> None:
    with pytest.raises(ImageError, match="pts_seconds"):
        make().update(STANDING, pts_seconds)


def test_classes_are_never_mixed(make: Make) -> None:
    tracker = make()
    update_all(tracker, [make_detections([(100, 100, 140, 200)], class_id=2)] * 5)
    other = [
        tracker.update(make_detections([(100, 100, 140, 200)], class_id=7), 0.2 + i / 25) for i in range(5)
    ]
    assert {int(track) for tracks in other for track in tracks.track_id} == {2}
    assert {int(number) for tracks in other for number in tracks.class_id} == {7}


def test_two_classes_in_one_place_are_two_tracks(make: Make) -> None:
    tracker = make()
    both = Detections(np.tile([[100.0, 100, 140, 200]], (2, 1)), np.full(2, 0.9), np.array([0, 1]))
    swapped = both[np.array([1, 0])]
    for tracks in update_all(tracker, [both, swapped] * 4):
        assert dict(zip(tracks.class_id.tolist(), tracks.track_id.tolist(), strict=True)) == {0: 1, 1: 2}


def test_weak_detections_carry_a_track_on_and_begin_none(make: Make) -> None:
    tracker = make()
    weak = make_detections([(100, 100, 140, 200), (400, 100, 440, 200)], confidence=0.3)
    seen = update_all(tracker, [STANDING] * 4 + [weak] * 40)
    assert all(tracks.track_id.tolist() == [1] for tracks in seen)


@pytest.mark.parametrize(
    "box",
    [(5.0, 5.0, 5.0, 50.0), (50.0, 5.0, 5.0, 50.0), (5.0, 50.0, 50.0, 50.0)],
    ids=["no width", "inside out", "no height"],
)
def test_boxes_without_an_area_are_left_out(make: Make, box: tuple[float, float, float, float]) -> None:
    tracker = make()
    for tracks in update_all(tracker, [make_detections([box, (100, 100, 140, 200)])] * 4):
        assert tracks.detection_index.tolist() == [1]


@pytest.mark.parametrize("scale", [1e-3, 1e3, 1e6], ids=["tiny", "huge", "absurd"])
def test_coordinates_of_any_size(make: Make, scale: float) -> None:
    tracker = make()
    for index in range(20):
        shifted = STANDING.xyxy * scale + np.float32(index * scale)
        tracks = tracker.update(Detections(shifted, STANDING.confidence, STANDING.class_id), index / 25.0)
        assert tracks.track_id.tolist() == [1]


def test_thousands_of_detections(make: Make) -> None:
    tracker = make()
    started = time.perf_counter()
    for index in range(4):
        tracks = tracker.update(grid(40, 50, shift_px=2.0 * index), index / 25.0)
    assert tracks.track_id.tolist() == list(range(1, 2001))
    assert time.perf_counter() - started < 20.0


def test_an_update_of_fifty_tracks_takes_under_two_milliseconds(make: Make) -> None:
    tracker = make()
    times = []
    for index in range(120):
        crowd = grid(5, 10, pitch_px=35.0, shift_px=1.5 * index)
        started = time.perf_counter()
        tracker.update(crowd, index / 25.0)
        times.append(time.perf_counter() - started)
    assert len(tracker) == 50
    # The fastest tenth: what the code costs, whatever else runs on the machine.
    assert sorted(times)[len(times) // 10] < 2e-3


def test_people_who_cross_keep_their_ids(make: Make) -> None:
    paths = [walk((50, 200), (120, 0)), walk((650, 215), (-120, 0))]
    seen = follow(make(), paths, frames(25, 5), noise_px=1.0)
    assert ids_of(seen, 0) == [1]
    assert ids_of(seen, 1) == [2]


def test_an_occlusion_shorter_than_the_memory_keeps_the_id(make: Make) -> None:
    path = hidden(walk((50, 200), (60, 10)), 2.0, 2.6)
    seen = follow(make(), [path], frames(25, 5), noise_px=1.0)
    assert ids_of(seen, 0) == [1]


def test_an_absence_longer_than_the_memory_ends_the_track(make: Make) -> None:
    path = hidden(walk((50, 200), (0, 0)), 2.0, 3.2)
    assert ids_of(follow(make(), [path], frames(25, 5)), 0) == [1, 2]


@pytest.mark.parametrize("fps", [5.0, 12.5, 25.0, 60.0])
def test_the_frame_rate_does_not_change_what_is_tracked(make: Make, fps: float) -> None:
    paths = [hidden(walk((50, 100), (40, 0)), 2.0, 2.6), walk((500, 300), (-35, 5))]
    seen = follow(make(), paths, frames(fps, 6), noise_px=0.5)
    assert ids_of(seen, 0) == [1]
    assert ids_of(seen, 1) == [2]
