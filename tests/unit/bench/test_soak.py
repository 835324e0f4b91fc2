"""The soak in short: it sees the footage, counts, and says whether memory grew."""

from __future__ import annotations

import pytest

from aiqyn.demo.footage.cast import picture_ids
from bench.soak import MAX_GROWTH, Soak, resident_mb, soak


@pytest.mark.parametrize(("growth", "passed"), [(0.0, True), (MAX_GROWTH, True), (0.031, False)])
def test_growth_decides(growth: float, passed: bool) -> None:
    assert Soak(1, 10, 100.0, 100.0 * (1 + growth), growth).passed is passed


def test_memory_that_is_taken_shows() -> None:
    before = resident_mb()
    taken = bytearray(b"\x01") * 60_000_000
    assert resident_mb() > before + 40
    assert len(taken) == 60_000_000


@pytest.mark.models("centerface", "mobilefacenet-faceplugin", "yolov3-tiny", *picture_ids())
def test_one_pass_over_the_footage() -> None:
    found = soak(minutes=0, settle_minutes=0, inference_fps=0.5)
    assert (found.passes, found.growth) == (1, 0.0)
    assert found.frames_inferred >= 10
