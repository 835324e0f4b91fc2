"""The three ideas of OC-SORT, each shown by what happens without it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.vision.track.scenes import follow, frames, hidden, ids_of, make_detections, walk
from vision.track.ocsort import MAX_REPLAY_STEPS, OcSort, OcSortOptions
from vision.track.table import TrackTable
from vision.types import Detections

FIRST = np.array([[0.0, 0.0, 40.0, 100.0]])
RIGHT = np.array([4.0, 0.0, 4.0, 0.0])
ROW = np.array([0])
SURE = np.array([0.9])


def seen_for_a_second(max_replay_steps: int) -> TrackTable:
    """One track that moved right by 4 pixels a frame."""
    tracks = TrackTable.born(FIRST, SURE, np.zeros(1, np.int32), 0.0)
    for index in range(1, 26):
        tracks.observe(ROW, FIRST + RIGHT * index, SURE, index / 25, 0.12, max_replay_steps)
    return tracks


@pytest.mark.parametrize("max_replay_steps", [MAX_REPLAY_STEPS, 1], ids=["replayed", "not replayed"])
def test_a_gap_is_replayed_along_a_straight_line(max_replay_steps: int) -> None:
    """An object turns round while hidden: the filter ends as if it had been seen all the way."""
    lost, watched = seen_for_a_second(max_replay_steps), seen_for_a_second(max_replay_steps)
    for step in range(1, 6):
        watched.observe(ROW, FIRST + RIGHT * (25 - 3 * step), SURE, 1 + step / 25, 0.12, max_replay_steps)
    lost.missed[:] = 4
    lost.observe(ROW, FIRST + RIGHT * 10, SURE, 1.2, 0.12, max_replay_steps)
    same = np.allclose(lost.states.velocity, watched.states.velocity, rtol=1e-6)
    assert same == (max_replay_steps > 1)
    assert np.allclose(lost.states.variance, watched.states.variance) == (max_replay_steps > 1)


def test_what_stopped_while_hidden_is_found_where_it_was_last_seen() -> None:
    def path(seconds: float) -> tuple[float, float]:
        return 50 + 150 * min(seconds, 2.0), 200

    seen = follow(OcSort(), [hidden(path, 2.02, 2.8)], frames(25, 5))
    assert ids_of(seen, 0) == [1]


def test_direction_decides_where_overlap_does_not() -> None:
    """A track that moved right lies between two boxes; the one with the better overlap is behind it."""

    def next_id_ahead(momentum_weight: float) -> bool:
        tracker = OcSort(OcSortOptions(momentum_weight=momentum_weight))
        for index in range(10):
            left = 100.0 + index
            tracker.update(make_detections([(left, 100, left + 40, 200)]), index / 25.0)
        behind, ahead = (105.0, 100, 145.0, 200), (116.0, 100, 156.0, 200)
        tracks = tracker.update(make_detections([behind, ahead]), 10 / 25.0)
        return bool(tracks.track_id[0] == 1 and tracks.detection_index[0] == 1)

    assert next_id_ahead(momentum_weight=0.2)
    assert not next_id_ahead(momentum_weight=0.0)


def reported(tracker: OcSort, confidences: list[float]) -> list[bool]:
    """Whether a box of these confidences is reported, beside one that was always there."""
    beside = make_detections([(600, 10, 640, 110)])
    for index in range(5):
        tracker.update(beside, index / 25)
    said = []
    for index, confidence in enumerate(confidences, 5):
        box = make_detections([(10, 10, 50, 110)], confidence)
        both = Detections(
            np.concatenate([beside.xyxy, box.xyxy]),
            np.concatenate([beside.confidence, box.confidence]),
            np.zeros(2, np.int32),
        )
        said.append(1 in tracker.update(both, index / 25).detection_index)
    return said


def test_a_sure_track_is_reported_from_its_second_observation_on() -> None:
    assert reported(OcSort(), [0.9, 0.9, 0.9]) == [False, True, True]


def test_a_track_begins_quietly_and_is_reported_once_it_is_sure() -> None:
    assert reported(OcSort(), [0.35, 0.4, 0.5, 0.65, 0.75, 0.4]) == [False] * 4 + [True] * 2


def test_a_false_box_that_is_never_sure_is_never_reported() -> None:
    assert not any(reported(OcSort(), [0.65] * 50))
    assert any(reported(OcSort(OcSortOptions(confirm_confidence=0.6)), [0.65] * 50))


@pytest.mark.parametrize("factor", [1.0, 0.8, 0.65])
def test_a_detector_that_is_never_quite_sure_is_followed_all_the_same(factor: float) -> None:
    tracker = OcSort()
    standing = make_detections([(10, 10, 50, 110)], 0.95 * factor)
    for index in range(5):
        tracks = tracker.update(standing, index / 25)
    assert tracks.track_id.tolist() == [1]


def test_flicker_is_never_reported() -> None:
    tracker = OcSort()
    seen = follow(
        tracker,
        [walk((100, 200), (5, 0)), lambda s: (400, 200) if s > 0.5 and round(s * 25) % 2 else None],
        frames(25, 4),
    )
    assert ids_of(seen, 0) == [1]
    assert ids_of(seen, 1) == []


def test_several_people_at_five_frames_a_second() -> None:
    rng = np.random.default_rng(1)
    paths = [walk((100 * n, 120 + 110 * (n % 4)), (float(rng.uniform(-60, 60)), 4.0)) for n in range(1, 9)]
    seen = follow(OcSort(), paths, frames(5, 8), noise_px=1.0)
    # Two of them stand in the very same place for one frame; all end as who they began.
    assert seen[-1] == seen[0] == {number: number + 1 for number in range(8)}
