"""Either side of a ring killed at any moment: no frame is torn, and every frame is counted once."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pipelines.accounting import FrameAccounting
from pipelines.live.counters import DropReason, SharedCounters
from pipelines.live.memory import RingError
from pipelines.live.ring import FrameRing, RingDescriptors
from pipelines.live.ring_reader import RingReader
from pipelines.live.ring_source import RingSource
from pipelines.live.ring_writer import RingWriter
from tests.unit.pipelines.live import ring_children
from tests.unit.pipelines.live.ring_children import SIZE_WH, grey_of, picture_of
from tests.waiting import wait_until

KILLS = 4


@pytest.fixture
def descriptors() -> Iterator[RingDescriptors]:
    made = RingDescriptors.create(SIZE_WH[0] * SIZE_WH[1])
    yield made
    made.close()


@contextmanager
def child(role: str, descriptors: RingDescriptors) -> Iterator[subprocess.Popen[bytes]]:
    """A child at work; killed at the end, and its output closed."""
    with ring_children.start(role, descriptors) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"at work\n"
            yield process
        finally:
            process.kill()


@contextmanager
def counters_of(descriptors: RingDescriptors) -> Iterator[SharedCounters]:
    counters = SharedCounters(descriptors.counters)
    yield counters
    counters.close()


@contextmanager
def ring_of(descriptors: RingDescriptors) -> Iterator[FrameRing]:
    ring = FrameRing(descriptors.ring)
    yield ring
    ring.close()


def take_for(source: RingSource, seconds: float, saw: Callable[[int, int], None], at_least: int = 0) -> None:
    """Takes pictures for a while, and until there were some, telling each one's index and grey."""
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until or count < at_least:
        assert time.monotonic() < until + 20, "nothing comes"
        picture, _ = source._taken()
        if picture is not None:
            count += 1
            image = picture.to_frame().image
            assert (image == image[0, 0, 0]).all(), "a picture was put together from two"
            saw(picture.frame_index, int(image[0, 0, 0]))


@pytest.mark.system  # takes its time
@pytest.mark.parametrize("mode", ["live", "recording"])
def test_a_writer_killed_at_random_leaves_whole_frames_and_true_counts(
    descriptors: RingDescriptors, mode: str
) -> None:
    chance = random.Random(20261122)
    taken: list[int] = []

    def saw(frame_index: int, grey: int) -> None:
        assert grey == grey_of(frame_index)
        taken.append(frame_index)

    source = RingSource("gate", descriptors, live=mode == "live")
    with counters_of(descriptors) as counters, ring_of(descriptors) as ring:
        for _ in range(KILLS):
            with child(f"write-{mode}", descriptors) as writer:
                take_for(source, chance.uniform(0.01, 0.2), saw, at_least=1)
                writer.kill()
                writer.wait()
            take_for(source, 0.02, saw)  # what it had published is there still
            assert counters.settle_decoder(ring.published) <= 1, "one frame at most is in a decoder's hands"
        read = counters.decoder.read
        upstream = source.upstream()
        assert upstream.read + len(taken) == read, "each frame read was handed out, or has a fate"
        assert upstream.undecodable == pytest.approx(read / 5, abs=KILLS)
        assert upstream.dropped.get("overtaken", 0) > 0 or mode == "recording"
        assert set(upstream.dropped) <= {"overtaken", "decoder_died"}
    source.close()


def test_of_a_recording_nothing_is_passed_over(descriptors: RingDescriptors) -> None:
    taken: list[int] = []
    source = RingSource("gate", descriptors, live=False)
    with child("write-recording", descriptors):
        take_for(source, 0.3, lambda frame_index, _: taken.append(frame_index), at_least=20)
    source.close()
    assert taken == [index for index in range(taken[-1] + 1) if index % 5 != 4]


@pytest.mark.system  # takes its time
@pytest.mark.parametrize("mode", ["live", "recording"])
def test_a_reader_killed_at_random_is_followed_by_one_that_goes_on(
    descriptors: RingDescriptors, mode: str
) -> None:
    chance = random.Random(20261123)
    writer = RingWriter(descriptors, lossless=mode == "recording")
    logged: list[int] = []
    images = died = 0

    def write_for(seconds: float, enough: Callable[[], bool]) -> int:
        written = 0
        until = time.monotonic() + seconds
        while time.monotonic() < until or not enough():
            assert time.monotonic() < until + 20, "nothing is taken"
            if writer.room:
                index = images + written
                writer.write(
                    picture_of(index), frame_index=index, pts_seconds=index / 25, captured_seconds=0.0
                )
                written += 1
        return written

    with counters_of(descriptors) as counters:
        for _ in range(KILLS):
            with child(f"read-{mode}", descriptors) as reader:
                taken = counters.matcher.taken
                images += write_for(chance.uniform(0.05, 0.25), lambda: counters.matcher.taken > taken + 3)  # noqa: B023
                reader.kill()
                assert reader.stdout is not None
                logged += [int(line) for line in reader.stdout.read().splitlines()]
                reader.wait()
            images += write_for(0.02, lambda: True)  # while nobody is there
            lost = counters.settle_matcher()
            assert lost <= 1, "one frame at most is in a reader's hands"
            died += lost
        counters.settle_ring(*writer.ring.newest(), DropReason.MATCHER_AWAY)
        accounting = counters.accounting()
    writer.close()
    assert accounting.read == images
    assert accounting.dropped.get("matcher_died", 0) == died
    assert len(logged) <= accounting.inferred <= len(logged) + KILLS
    assert logged == sorted(set(logged)), "no frame is taken twice, and none out of order"
    if mode == "recording":
        assert accounting.inferred + died + accounting.dropped["matcher_away"] == images
    else:
        assert accounting.dropped["overtaken"] > 0
        assert accounting.dropped["matcher_away"] > 0


class WrittenMeanwhile(FrameRing):
    """A ring to which a frame comes each time somebody has just asked for its newest."""

    def __init__(self, descriptors: RingDescriptors) -> None:
        super().__init__(descriptors.ring)
        self._writer = RingWriter(descriptors, lossless=False)
        self._written = 0
        self._write()

    def _write(self) -> None:
        self._writer.write(
            picture_of(0), frame_index=self._written, pts_seconds=float(self._written), captured_seconds=1.0
        )
        self._written += 1

    @property
    def published(self) -> int:
        number = super().published
        self._write()
        return number

    def close(self) -> None:
        self._writer.close()
        super().close()


def assert_a_reader_begins_while_frames_come(descriptors: RingDescriptors) -> None:
    with counters_of(descriptors) as counters:
        ring = WrittenMeanwhile(descriptors)
        reader = RingReader(ring, counters, descriptors, lossless=False)
        picture = reader.take()
        assert picture is not None
        ring.close()
        assert sum(reader.counts.dropped) + reader.counts.taken == picture.mark.number


def test_a_reader_begins_while_frames_come(descriptors: RingDescriptors) -> None:
    assert_a_reader_begins_while_frames_come(descriptors)


def test_a_beginning_of_two_moments_is_caught(
    descriptors: RingDescriptors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_two_moments(ring: FrameRing) -> tuple[int, int]:
        number, mark = ring.published, ring.entry(ring.published)
        return number, mark.images if mark else 0

    monkeypatch.setattr(FrameRing, "newest", of_two_moments)
    with pytest.raises(RingError, match="do not follow"):
        assert_a_reader_begins_while_frames_come(descriptors)


def test_both_sides_at_once(descriptors: RingDescriptors) -> None:
    chance = random.Random(7)
    with counters_of(descriptors) as counters, ring_of(descriptors) as ring:
        for _ in range(3):
            with child("write-live", descriptors) as writer, child("read-live", descriptors) as reader:
                taken = counters.matcher.session.inferred
                wait_until(lambda: counters.matcher.session.inferred > taken)  # noqa: B023
                time.sleep(chance.uniform(0.0, 0.1))
                first, second = chance.sample([writer, reader], 2)
                first.kill()
                time.sleep(chance.uniform(0.0, 0.05))
                second.kill()
                assert reader.stdout is not None
                reader.stdout.read()
                writer.wait()
                reader.wait()
            counters.settle_decoder(ring.published)
            counters.settle_matcher()
        counters.settle_ring(*ring.newest(), DropReason.STOPPED)
        accounting = counters.accounting()
        assert accounting.read == counters.decoder.read > 0
        assert accounting.inferred > 0
        assert isinstance(accounting, FrameAccounting)
