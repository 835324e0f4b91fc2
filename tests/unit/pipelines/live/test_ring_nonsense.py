"""Rings that a decoder which was taken over might write: they cost their own camera, and nobody else anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from pipelines.accounting import FrameAccounting
from pipelines.live.memory import RingError
from pipelines.live.ring import ENDED, FrameMark, FrameRing, RingDescriptors, SourceAbout
from tests.unit.pipelines.live.ring_bench import IMAGE, SIZE_WH, RingBench
from vision.errors import SourceDecodeError


@pytest.fixture
def descriptors() -> Iterator[RingDescriptors]:
    made = RingDescriptors.create(SIZE_WH[0] * SIZE_WH[1])
    yield made
    made.close()


GOOD = FrameMark(1, 1, 0, 0.0, 0.0, False, False, *SIZE_WH)


def write_anyhow(ring: FrameRing, mark: FrameMark) -> None:
    """As a decoder that was taken over might."""
    if not mark.still and mark.width == SIZE_WH[0]:
        ring.fill_slot(mark, IMAGE)
    ring._write_mark(ring._slot_at(mark.images), mark)
    ring.publish(mark)


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(replace(GOOD, width=1 << 40), id="larger than its slot"),
        pytest.param(replace(GOOD, width=0), id="pixels without width"),
        pytest.param(replace(GOOD, still=True), id="still, and pixels"),
        pytest.param(replace(GOOD, pts_seconds=float("nan")), id="no time"),
        pytest.param(replace(GOOD, captured_seconds=float("inf")), id="no such time"),
        pytest.param(replace(GOOD, images=2), id="more pictures than frames"),
    ],
)
@pytest.mark.parametrize("is_live", [True, False])
def test_nonsense_fails_its_camera(descriptors: RingDescriptors, nonsense: FrameMark, is_live: bool) -> None:
    bench = RingBench(descriptors, live=is_live)
    write_anyhow(bench.writer.ring, nonsense)
    with pytest.raises(SourceDecodeError, match="gate: a ring holds"):
        list(bench.source.pictures())
    assert bench.source.upstream() == FrameAccounting()
    bench.close()


@pytest.mark.parametrize("number", [5, 1 << 60])
@pytest.mark.parametrize("is_live", [True, False])
def test_numbers_out_of_turn_crash_nobody(descriptors: RingDescriptors, number: int, is_live: bool) -> None:
    bench = RingBench(descriptors, live=is_live)
    write_anyhow(bench.writer.ring, replace(GOOD, number=number))
    bench.writer.tell(SourceAbout(state=ENDED))
    with suppress(SourceDecodeError):
        assert len(list(bench.source.pictures())) <= 1
    bench.source.upstream()
    bench.close()


def test_frames_that_begin_anew_are_told(descriptors: RingDescriptors) -> None:
    bench = RingBench(descriptors, live=True)
    bench.write("image", "image")
    bench.take()
    bench.writer.ring.memory.store_word(0, 1)
    with pytest.raises(SourceDecodeError, match="begin anew"):
        bench.take()
    bench.close()


def test_memory_that_is_no_ring_is_refused() -> None:
    small = os.memfd_create("small", os.MFD_CLOEXEC)
    os.ftruncate(small, 4096)
    with pytest.raises(RingError, match="holds no ring"):
        FrameRing(small)
    os.close(small)
