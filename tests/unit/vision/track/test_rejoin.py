"""Which new track goes on from which lost one."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from tests.unit.vision.track.scenes import follow, frames, hidden, ids_of, make_detections, walk
from vision.errors import ImageError
from vision.track.ocsort import OcSort, OcSortOptions
from vision.track.rejoin import FACES, Rejoiner, RejoiningTracker, RejoinOptions
from vision.types import Detections


def see(rejoiner: Rejoiner, seconds: float, **centres: tuple[float, float]) -> None:
    """One frame: `t<id>` → centre of a box 40 by 100."""
    see_all(rejoiner, seconds, {int(name[1:]): centre for name, centre in centres.items()})


def see_all(
    rejoiner: Rejoiner, seconds: float, centres: dict[int, tuple[float, float]], class_id: int = 0
) -> None:
    """The same by number."""
    boxes = np.array([[x - 20, y - 50, x + 20, y + 50] for x, y in centres.values()]).reshape(-1, 4)
    classes = np.full(len(centres), class_id, np.int32)
    rejoiner.observe(np.array(list(centres), np.int64), boxes, seconds, classes)


def lost_walker(options: RejoinOptions | None = None, speed: float = 80.0) -> Rejoiner:
    """Track 1 walked right for a second, was at (180, 100) at 1 s, and is lost since."""
    rejoiner = Rejoiner(options)
    for step in range(26):
        see(rejoiner, step / 25, t1=(100 + speed * step / 25, 100))
    see(rejoiner, 26 / 25)
    return rejoiner


def pairs(rejoiner: Rejoiner) -> list[tuple[int, int]]:
    return [(pair.track_id, pair.earlier_id) for pair in rejoiner.unambiguous()]


def test_a_track_that_goes_on_where_the_lost_one_should_be() -> None:
    rejoiner = lost_walker()
    see(rejoiner, 1.8, t2=(100 + 80 * 1.8, 100))
    (pair,) = rejoiner.unambiguous()
    assert (pair.track_id, pair.earlier_id) == (2, 1)
    assert pair.gap_seconds == pytest.approx(0.8)
    assert pair.squared_distance < 1.0


@pytest.mark.parametrize(
    "centre",
    [(600.0, 100.0), (244.0, 400.0), (60.0, 100.0)],
    ids=["too far ahead", "elsewhere", "behind"],
)
def test_one_that_begins_elsewhere_is_somebody_new(centre: tuple[float, float]) -> None:
    rejoiner = lost_walker()
    see(rejoiner, 1.8, t2=centre)
    assert pairs(rejoiner) == []


def test_one_of_another_size_is_somebody_new() -> None:
    rejoiner = lost_walker()
    rejoiner.observe(np.array([2]), np.array([[224.0, 75, 244, 125]]), 1.8)
    assert rejoiner.plausible(2) == ()


def test_one_of_another_class_is_something_else() -> None:
    rejoiner = lost_walker()
    see_all(rejoiner, 1.8, {2: (244, 100)}, class_id=3)
    assert rejoiner.plausible(2) == ()


def test_two_that_may_be_it_are_ambiguous() -> None:
    rejoiner = lost_walker()
    see(rejoiner, 1.8, t2=(240, 100), t3=(248, 100))
    assert pairs(rejoiner) == []
    assert len(rejoiner.plausible(2)) == len(rejoiner.plausible(3)) == 1


def test_two_lost_ones_that_it_may_be_are_ambiguous() -> None:
    rejoiner = Rejoiner()
    for step in range(26):
        see(rejoiner, step / 25, t1=(100, 100), t2=(112, 100))
    see(rejoiner, 1.5, t3=(106, 100))
    assert pairs(rejoiner) == []
    assert {pair.earlier_id for pair in rejoiner.plausible(3)} == {1, 2}


def test_where_margins_do_not_count_the_likelier_wins() -> None:
    rejoiner = lost_walker(RejoinOptions(min_odds=1.0))
    see(rejoiner, 1.8, t2=(244, 100), t3=(275, 100))
    assert pairs(rejoiner) == [(2, 1)]


def test_many_newcomers_ask_for_likelier_pairs() -> None:
    def joined(newcomers: int) -> list[tuple[int, int]]:
        rejoiner = lost_walker()
        others = {number + 10: (2000.0 + 300 * number, 900.0) for number in range(newcomers)}
        see_all(rejoiner, 1.6, others)
        see_all(rejoiner, 2.4, {2: (100 + 80 * 2.4 + 20, 100)} | others)
        return [pair for pair in pairs(rejoiner) if pair[0] == 2]

    assert joined(0) == [(2, 1)]
    assert joined(40) == []


def test_a_lost_track_is_joined_once() -> None:
    rejoiner = lost_walker()
    see(rejoiner, 1.4, t2=(212, 100))
    assert pairs(rejoiner) == [(2, 1)]
    rejoiner.join(2, 1)
    see(rejoiner, 1.44, t2=(215, 100), t3=(216, 100))
    assert rejoiner.plausible(3) == ()
    with pytest.raises(KeyError):
        rejoiner.join(3, 1)


def test_what_is_seen_is_not_lost() -> None:
    rejoiner = Rejoiner()
    for step in range(10):
        see(rejoiner, step / 25, t1=(100, 100))
    see(rejoiner, 0.4, t1=(100, 100), t2=(102, 100))
    assert rejoiner.plausible(2) == ()


def test_it_is_forgotten_after_a_while() -> None:
    rejoiner = lost_walker(RejoinOptions(max_gap_seconds=1.0))
    see(rejoiner, 2.1)
    assert len(rejoiner) == 0
    see(rejoiner, 2.2, t2=(100 + 80 * 2.2, 100))
    assert rejoiner.plausible(2) == ()


def test_memory_is_bounded_and_the_oldest_go_first() -> None:
    rejoiner = Rejoiner(RejoinOptions(max_lost=10))
    for number in range(1, 200):
        see_all(rejoiner, number / 100, {number: (100.0 * number, 100.0)})
    assert len(rejoiner) == 11
    assert 199 in rejoiner
    assert 189 in rejoiner
    assert 188 not in rejoiner


def test_a_clock_that_begins_anew_forgets_everything() -> None:
    rejoiner = lost_walker()
    see(rejoiner, -100.0, t2=(244, 100))
    assert len(rejoiner) == 1
    assert pairs(rejoiner) == []


def test_a_late_frame_counts_as_now() -> None:
    rejoiner = lost_walker()
    see(rejoiner, 0.9, t2=(184, 100))
    assert pairs(rejoiner) == [(2, 1)]


def test_reset_and_forget() -> None:
    rejoiner = lost_walker()
    rejoiner.forget(1)
    rejoiner.forget(77)
    see(rejoiner, 1.8, t2=(244, 100))
    assert pairs(rejoiner) == []
    rejoiner.reset()
    assert len(rejoiner) == 0


def test_unknown_tracks() -> None:
    rejoiner = Rejoiner()
    assert rejoiner.plausible(5) == ()
    with pytest.raises(KeyError):
        rejoiner.join(5, 6)


def test_a_box_without_height_counts_as_not_seen() -> None:
    rejoiner = Rejoiner()
    rejoiner.observe(np.array([1]), np.array([[5.0, 5, 50, 5]]), 0.0)
    assert 1 not in rejoiner


def test_a_time_stamp_must_be_finite() -> None:
    with pytest.raises(ImageError, match="pts_seconds"):
        see(Rejoiner(), math.nan, t1=(1, 1))


@pytest.mark.parametrize("bad", [{"max_gap_seconds": 0.0}, {"min_odds": 0.5}, {"position_error": math.nan}])
def test_options_that_make_no_sense(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"RejoinOptions|min_odds"):
        RejoinOptions(**bad)  # type: ignore[arg-type]


def test_a_face_may_turn_off_faster_than_a_body() -> None:
    """Forty faces' heights in a second is a step for a face and a leap for a body."""

    def options_allow(options: RejoinOptions) -> bool:
        rejoiner = lost_walker(options, speed=0.0)
        see(rejoiner, 1.4, t2=(260, 100))
        return bool(rejoiner.plausible(2))

    assert options_allow(FACES)
    assert not options_allow(RejoinOptions())


def brief() -> OcSort:
    return OcSort(OcSortOptions(max_lost_seconds=0.1))


def rejoined() -> RejoiningTracker:
    return RejoiningTracker(brief())


@pytest.mark.parametrize(("make", "ids"), [(rejoined, [1]), (brief, [1, 3])], ids=["re-joined", "not"])
def test_a_hidden_walker_keeps_her_number(
    make: Callable[[], OcSort | RejoiningTracker], ids: list[int]
) -> None:
    paths = [hidden(walk((50, 200), (60, 10)), 2.0, 3.0), walk((600, 100), (-10, 0))]
    seen = follow(make(), paths, frames(25, 6), noise_px=1.0)
    assert ids_of(seen, 0) == ids
    assert ids_of(seen, 1) == [2]


def test_numbers_are_unique_in_a_frame_even_where_the_tracker_finds_the_lost_one_again() -> None:
    """The tracker itself goes on with a track whose number went to another: it gets it back."""
    tracker = RejoiningTracker(OcSort(OcSortOptions(max_lost_seconds=2.0)))
    standing = (100.0, 100.0, 120.0, 200.0)
    for index in range(10):
        tracker.update(make_detections([standing]), index / 25)
    for index in range(10, 15):
        tracker.update(Detections.empty(), index / 25)
    # Begins too far off to overlap much, near enough to be re-joined.
    beside = (116.0, 100.0, 136.0, 200.0)
    for index in range(15, 20):
        tracks = tracker.update(make_detections([beside]), index / 25)
    assert tracks.track_id.tolist() == [1]
    for index in range(20, 25):
        both = tracker.update(make_detections([standing, beside]), index / 25)
        assert len(set(both.track_id.tolist())) == len(both)
    assert dict(zip(both.detection_index.tolist(), both.track_id.tolist(), strict=True))[0] == 1


def test_the_rejoining_tracker_begins_anew() -> None:
    tracker = rejoined()
    for index in range(10):
        tracker.update(make_detections([(100, 100, 140, 200)]), index / 25)
    tracker.reset()
    tracks = tracker.update(make_detections([(100, 100, 140, 200)]), 0.0)
    assert tracks.track_id.tolist() == [1]
