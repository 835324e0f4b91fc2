"""Waits between attempts, gaps, and pictures that do not change."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from pipelines.live.messages import GapEnded
from pipelines.live.reconnect import (
    LONGEST_REFUSED_SECONDS,
    LONGEST_WAIT_SECONDS,
    Backoff,
    FrozenPictures,
    Gaps,
)

BEGAN = 1_000_000.0


def waits(count: int, *, refused: bool = False, seed: int = 0, attempt_seconds: float = 0.0) -> list[float]:
    backoff = Backoff(random.Random(seed))
    return [backoff.wait_seconds(attempt_seconds, refused=refused) for _ in range(count)]


def test_waits_grow_to_a_limit_that_leaves_time_to_be_back_within_ten_seconds() -> None:
    for seed in range(50):
        waited = waits(100, seed=seed)
        assert waited[0] <= 0.5
        assert max(waited) <= LONGEST_WAIT_SECONDS <= 5.0
        assert min(waited[10:]) >= LONGEST_WAIT_SECONDS / 2
        assert all(later <= 4.001 * earlier for earlier, later in pairwise(waited))


def test_cameras_lost_together_do_not_come_back_together() -> None:
    tenth = {round(waits(10, seed=seed)[9], 2) for seed in range(50)}
    assert len(tenth) > 30


def test_who_is_refused_asks_seldom() -> None:
    waited = waits(12, refused=True)
    assert LONGEST_WAIT_SECONDS < max(waited) <= LONGEST_REFUSED_SECONDS


def test_a_long_attempt_was_waited_for() -> None:
    assert max(waits(20, attempt_seconds=10.0)) == pytest.approx(0.25)


def test_success_makes_the_next_wait_short() -> None:
    backoff = Backoff(random.Random(1))
    for _ in range(10):
        backoff.wait_seconds(0.0)
    backoff.reset()
    assert backoff.wait_seconds(0.0) <= 0.5


class Told:
    """A camera's gaps as the supervisor hears of them: begin, end and reason, seconds after BEGAN."""

    def __init__(self) -> None:
        self.found: list[tuple[float, float | None, str]] = []
        self.gaps = Gaps("gate", self._take, BEGAN)

    def _take(self, gap: GapEnded) -> None:
        assert gap.camera_id == "gate"
        assert gap.began_at.tzinfo is UTC
        ended = None if gap.ended_at is None else seconds_of(gap.ended_at)
        self.found.append((seconds_of(gap.began_at), ended, gap.reason))


def seconds_of(moment: datetime) -> float:
    return moment.timestamp() - BEGAN


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_gap_begins_with_the_last_good_picture_and_ends_with_the_next(told: Told) -> None:
    told.gaps.good(BEGAN + 5)
    told.gaps.lost("unreachable")
    told.gaps.lost("refused")  # the next attempt fails otherwise: one gap still
    told.gaps.good(BEGAN + 9)
    told.gaps.good(BEGAN + 10)
    assert told.found == [(5, None, "unreachable"), (5, 9, "unreachable")]


def test_a_camera_that_never_came_is_a_gap_from_the_start(told: Told) -> None:
    told.gaps.lost("unreachable")
    assert told.found == [(0, None, "unreachable")]
    assert told.gaps.open_reason == "unreachable"


def test_frozen_pictures_are_a_gap_from_the_first_of_them(told: Told) -> None:
    told.gaps.good(BEGAN + 30)
    told.gaps.frozen(BEGAN + 20)
    told.gaps.frozen(BEGAN + 20)
    told.gaps.lost("unreachable")
    told.gaps.good(BEGAN + 40)
    assert told.found == [(20, None, "frozen"), (20, 40, "frozen")]
    assert told.gaps.open_reason is None


def test_no_gap_ends_before_it_began_when_the_clock_is_set_back(told: Told) -> None:
    told.gaps.good(BEGAN + 100)
    told.gaps.lost("stalled")
    told.gaps.good(BEGAN + 50)
    assert told.found[-1] == (100, 100, "stalled")


def test_pictures_that_never_change_are_frozen() -> None:
    frozen = FrozenPictures(10.0)
    picture = np.random.default_rng(0).integers(0, 256, (180, 320), np.uint8)
    assert [frozen.see(picture.copy(), at) for at in (0.0, 5.0, 9.9, 10.0, 20.0)] == [
        None,
        None,
        None,
        0.0,
        0.0,
    ]
    noisy = picture.copy()
    noisy[90, 160] ^= 1
    assert frozen.see(noisy, 21.0) is None
    assert frozen.see(noisy, 31.5) == 21.0
    assert frozen.see(noisy[:90], 32.0) is None, "another size is another picture"
    frozen.reset()
    assert frozen.see(noisy[:90], 99.0) is None


def test_frozen_pictures_can_be_let_be() -> None:
    frozen = FrozenPictures(None)
    picture = np.zeros((4, 4), np.uint8)
    assert [frozen.see(picture, at) for at in (0.0, 1e6)] == [None, None]
    assert not frozen.watching
