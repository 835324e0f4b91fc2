"""Every frame counted once, whatever became of it and whoever died meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipelines.accounting import FrameAccounting
from pipelines.live.counters import (
    NO_DROPS,
    DecoderCounts,
    DropReason,
    MatcherCounts,
    SessionCounts,
    SharedCounters,
    add_drops,
    drops_of,
)


@pytest.fixture
def counters() -> Iterator[SharedCounters]:
    descriptor = SharedCounters.new_memory()
    made = SharedCounters(descriptor)
    os.close(descriptor)  # the mapping holds the memory
    yield made
    made.close()


def test_nothing_is_counted_at_first(counters: SharedCounters) -> None:
    assert counters.decoder == DecoderCounts()
    assert counters.matcher == MatcherCounts()
    assert counters.accounting() == FrameAccounting()


def test_records_are_kept_whole() -> None:
    descriptor = SharedCounters.new_memory()
    ours, theirs = SharedCounters(descriptor), SharedCounters.attach(descriptor)
    drops = tuple(range(1, len(DropReason) + 1))
    decoder = DecoderCounts(100, 2, 3, 4, drops)
    matcher = MatcherCounts(50, 40, 30, 5, drops, SessionCounts(6, 7, 8, drops[::-1]))
    ours.decoder, ours.matcher = decoder, matcher
    assert (theirs.decoder, theirs.matcher) == (decoder, matcher)
    for each in (ours, theirs):
        each.close()
    os.close(descriptor)


def test_all_fates_add_up(counters: SharedCounters) -> None:
    counters.decoder = replace(
        DecoderCounts(read=100, undecodable=5, not_sampled=40, undecoded=3).plus_dropped(
            DropReason.OVERTAKEN, 4
        )
    ).plus_dropped(DropReason.TOO_LARGE)
    session = SessionCounts(20, 8, 1, add_drops(NO_DROPS, DropReason.INFERENCE_FAILED))
    counters.matcher = replace(
        MatcherCounts(session=session, taken=31),
        dropped=add_drops(NO_DROPS, DropReason.OVERTAKEN, 9),
        gated=7,
    )
    assert counters.accounting() == FrameAccounting(
        read=96,
        decoded=88,
        undecodable=5,
        not_sampled=41,
        gated=15,
        inferred=20,
        dropped={"overtaken": 13, "too_large": 1, "inference_failed": 1},
    )


def test_what_a_dead_decoder_held_is_settled_once(counters: SharedCounters) -> None:
    counters.decoder = DecoderCounts(read=10, undecodable=1, not_sampled=2)
    assert counters.settle_decoder(published=5) == 2
    assert counters.accounting().dropped == {"decoder_died": 2}
    assert counters.settle_decoder(published=5) == 0
    assert counters.accounting().dropped == {"decoder_died": 2}


def test_a_frame_published_but_not_counted_yet_is_the_rings(counters: SharedCounters) -> None:
    counters.decoder = DecoderCounts(read=3)
    assert counters.settle_decoder(published=3) == 0


def test_what_a_dead_matcher_held_is_settled_once(counters: SharedCounters) -> None:
    counters.matcher = MatcherCounts(
        position=9, images=9, taken=6, session=SessionCounts(inferred=4, gated=1)
    )
    assert counters.settle_matcher() == 1
    assert counters.settle_matcher() == 0
    assert counters.accounting().dropped == {"matcher_died": 1}


def test_what_nobody_takes_any_more_is_settled_with_its_reason(counters: SharedCounters) -> None:
    counters.matcher = MatcherCounts(position=10, images=6, taken=4)
    assert counters.settle_ring(15, 9, DropReason.MATCHER_AWAY) == 5
    settled = counters.matcher
    assert (settled.position, settled.images, settled.gated) == (15, 9, 2)
    assert counters.accounting().dropped == {"matcher_away": 3}
    assert counters.settle_ring(15, 9, DropReason.STOPPED) == 0


@pytest.mark.parametrize(("to", "images"), [(9, 6), (10, 5), (11, 9)])
def test_numbers_that_cannot_follow_are_refused(to: int, images: int) -> None:
    with pytest.raises(ValueError, match="cannot follow"):
        MatcherCounts(position=10, images=6).passed(to, images, DropReason.OVERTAKEN)


def test_reasons_are_a_fixed_list() -> None:
    assert drops_of({"overtaken": 2, "stopped": 1}) == add_drops(
        add_drops(NO_DROPS, DropReason.OVERTAKEN, 2), DropReason.STOPPED
    )
    with pytest.raises(ValueError, match="tired"):
        drops_of({"tired": 1})
    assert {reason.value for reason in DropReason} == {
        "overtaken",
        "decoder_died",
        "matcher_died",
        "matcher_away",
        "not_converted",
        "too_large",
        "not_searched",
        "stopped",
        "inference_failed",
    }
