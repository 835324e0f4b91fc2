"""How a control is made to look like its neighbour, and what an answer to it is worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.review.cases import Answer, Truth
from api.review.controls import (
    ControlSource,
    Mark,
    Moment,
    Neighbour,
    fits_time_of_day,
    is_doubtful,
    mark,
    seen_like,
)
from api.review.intervals import rate, share
from pipelines.accounting import FrameAccounting

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNTS = {"read": 1001, "decoded": 1001, "undecodable": 0, "not_sampled": 800, "gated": 100, "inferred": 101, "dropped": {}}  # fmt: skip
LIVE = Neighbour("d1", "gate", NOON, True, 40.0, 1000, COUNTS, NOON + timedelta(seconds=2))
OLD_COUNTS: dict[str, Any] = {"read": 10, "decoded": 10, "undecodable": 0, "not_sampled": 8, "gated": 0, "inferred": 2, "dropped": {}}  # fmt: skip


def like(neighbour: Neighbour = LIVE, *, after: float = 10.0, draw: float = 0.5) -> Moment:
    return seen_like(neighbour, 5.4, OLD_COUNTS, neighbour.queued_at + timedelta(seconds=after), draw)


@given(after=st.floats(0, 30), draw=st.floats(0, 1, exclude_max=True))
def test_on_a_live_camera_a_control_is_as_fresh_as_its_neighbour(after: float, draw: float) -> None:
    seen = like(after=after, draw=draw)
    assert seen.observed_at is not None
    latency = (LIVE.queued_at + timedelta(seconds=after) - seen.observed_at).total_seconds()
    assert 1.0 <= latency <= 3.0
    assert seen.pts_seconds - LIVE.pts_seconds == pytest.approx((seen.observed_at - NOON).total_seconds())
    looks = (seen.pts_seconds - LIVE.pts_seconds) / 0.2
    assert looks == pytest.approx(round(looks), abs=1e-6), "on a frame the models see"
    assert round(looks) != 0, "two pictures of one moment would tell"


@given(after=st.floats(0, 30), draw=st.floats(0, 1, exclude_max=True))
def test_the_counts_of_frames_grow_as_they_do(after: float, draw: float) -> None:
    seen = like(after=after, draw=draw)
    FrameAccounting(**seen.frame_accounting)  # the sum holds
    frames = seen.frame_accounting["read"] - COUNTS["read"]
    assert frames == round((seen.pts_seconds - LIVE.pts_seconds) / 0.04)


def test_of_a_recording_the_picture_keeps_its_place() -> None:
    recorded = replace(LIVE, is_live=False)
    seen = like(recorded)
    assert (seen.pts_seconds, seen.shift_seconds, seen.frame_accounting) == (5.4, 0.0, OLD_COUNTS)
    assert seen.observed_at == NOON + timedelta(seconds=5.4 - 40.0)
    assert like(replace(recorded, observed_at=None)).observed_at is None


def test_a_camera_of_which_nothing_was_counted_yet_breaks_nothing() -> None:
    nothing = dict.fromkeys(("read", "decoded", "undecodable", "not_sampled", "gated", "inferred"), 0)
    seen = like(replace(LIVE, frame_index=0, frame_accounting=nothing | {"dropped": {}}))
    FrameAccounting(**seen.frame_accounting)


@pytest.mark.parametrize(
    ("hours", "fits"), [(0, True), (2.9, True), (3.1, False), (12, False), (23, True), (24 * 6 + 1, True)]
)
def test_a_picture_of_the_night_is_not_shown_at_noon(hours: float, fits: bool) -> None:
    assert fits_time_of_day(NOON - timedelta(hours=hours), NOON) is fits
    assert fits_time_of_day(None, NOON)


def test_doubt_contradicts_nothing() -> None:
    assert [mark(Truth.SAME, answer) for answer in Answer] == [Mark.RIGHT, Mark.WRONG, Mark.DOUBT]
    assert [mark(Truth.DIFFERENT, answer) for answer in Answer] == [Mark.WRONG, Mark.RIGHT, Mark.DOUBT]


def test_two_who_see_somebody_there_put_the_control_in_doubt_and_not_themselves() -> None:
    assert is_doubtful(ControlSource.REJECTED, [Mark.WRONG, Mark.WRONG])
    assert not is_doubtful(ControlSource.REJECTED, [Mark.WRONG, Mark.RIGHT])
    assert not is_doubtful(ControlSource.LIBRARY, [Mark.WRONG, Mark.WRONG])
    assert not is_doubtful(ControlSource.TEST_LIST, [Mark.WRONG, Mark.WRONG])


def test_rates_have_their_interval() -> None:
    few, many = rate(0, 5), rate(9, 3000)
    assert few.per_1000 is None
    assert [few.low, few.high] == pytest.approx([0.0, 737.7759], abs=1e-3)  # R: poisson.test(0, 5)
    assert many.per_1000 == 3.0
    assert [many.low, many.high] == pytest.approx([1.3718, 5.6949], abs=1e-3)  # R: poisson.test(9, 3)
    for count, of in ((-1, 5), (1, 0)):
        with pytest.raises(ValueError, match="no rate"):
            rate(count, of)


def test_few_cases_give_an_interval_and_no_percentage() -> None:
    few, many = share(0, 5), share(3, 60)
    assert few.share is None
    assert [few.low, few.high] == pytest.approx([0.0, 0.5218], abs=1e-4)  # R: binom.test(0, 5)
    assert many.share == 0.05
    assert [many.low, many.high] == pytest.approx([0.0104, 0.1392], abs=1e-4)  # R: binom.test(3, 60)
    assert (share(0, 0).low, share(0, 0).high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="no share"):
        share(3, 2)
