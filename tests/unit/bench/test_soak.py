"""The soak in short: it sees the footage, counts, and says whether memory grew."""

from __future__ import annotations

import mmap

import pytest

from aiqyn.demo.footage.cast import picture_ids
from bench.soak import MAX_GROWTH, Soak, resident_mb, soak


@pytest.mark.parametrize(("growth", "passed"), [(0.0, True), (MAX_GROWTH, True), (0.031, False)])
def test_growth_decides(growth: float, passed: bool) -> None:
    assert Soak(1, 10, 100.0, 100.0 * (1 + growth), growth).passed is passed


def test_memory_that_is_taken_shows() -> None:
    # Mapped by ourselves: malloc may serve so much from what it kept of what earlier tests freed,
    # and then nothing grows.
    with mmap.mmap(-1, 200_000_000) as taken:
        before = resident_mb()
        taken.write(b"\x01" * len(taken))
        assert resident_mb() > before + 100


@pytest.mark.system  # takes its time
@pytest.mark.models("centerface", "mobilefacenet-faceplugin", "yolov3-tiny", *picture_ids())
def test_one_pass_over_the_footage() -> None:
    found = soak(minutes=0, settle_minutes=0, inference_fps=0.5)
    assert (found.passes, found.growth) == (1, 0.0)
    assert found.frames_inferred >= 10
