"""`pipelines.live.slot_gaps`: gaps whose decoder did not live to end them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipelines.live.messages import GapEnded
from pipelines.live.slot_gaps import SlotGaps

BEGAN = datetime(2026, 5, 1, 12, tzinfo=UTC)


def made() -> tuple[SlotGaps, list[GapEnded]]:
    told: list[GapEnded] = []
    return SlotGaps("gate", told.append), told


def lasting(told: list[GapEnded]) -> set[datetime]:
    newest = {gap.began_at: gap.ended_at for gap in told}
    return {began_at for began_at, ended_at in newest.items() if ended_at is None}


def test_what_a_decoder_begins_it_ends_itself() -> None:
    gaps, told = made()
    gaps.pass_on(GapEnded("gate", BEGAN, None, "frozen"))
    gaps.good()
    assert lasting(told) == {BEGAN}
    gaps.pass_on(GapEnded("gate", BEGAN, BEGAN + timedelta(seconds=3), "frozen"))
    gaps.end()
    assert len(told) == 2


def test_a_gap_whose_decoder_died_ends_with_the_next_picture() -> None:
    gaps, told = made()
    gaps.pass_on(GapEnded("gate", BEGAN, None, "unreachable"))
    gaps.decoder_gone()
    gaps.begin("decoder_died")
    gaps.begin("decoder_died")
    assert len(lasting(told)) == 2
    gaps.good()
    assert lasting(told) == set()
    assert [gap.reason for gap in told if gap.ended_at is not None] == ["decoder_died", "unreachable"]


def test_nothing_lasts_once_nobody_looks() -> None:
    gaps, told = made()
    gaps.pass_on(GapEnded("gate", BEGAN, None, "unreachable"))
    gaps.begin("settings_changed")
    gaps.end()
    assert lasting(told) == set()
    assert all(gap.ended_at is None or gap.ended_at >= gap.began_at for gap in told)
