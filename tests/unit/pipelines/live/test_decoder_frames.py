"""What becomes of each picture, decided without a process around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from pipelines.accounting import FrameAccounting
from pipelines.live.decoder_frames import FrameHandler, Moment
from pipelines.live.messages import DecoderJob, GapEnded, GateSettings, SourceSettings
from pipelines.live.reconnect import Gaps
from pipelines.live.ring import RingDescriptors
from pipelines.live.ring_source import RingSource
from pipelines.live.ring_writer import RingWriter
from tests.builders import noise, plain
from vision.errors import SourceDecodeError
from vision.sources import FrameSource, Picture
from vision.types import Frame, Image

SIZE_WH = (64, 48)
JOB = DecoderJob(
    "gate", "rtsp://camera/1", True, None, SourceSettings(frozen_seconds=None), GateSettings(enabled=False)
)


@dataclass(frozen=True, slots=True)
class GivenPicture:
    """A picture of given pixels; without any it cannot be converted."""

    frame_index: int
    pts_seconds: float
    image: Image | None
    key_frame: bool = False
    still: bool = False

    def to_frame(self) -> Frame:
        """The picture as pixels."""
        if self.image is None:
            raise SourceDecodeError("gate", "not converted")
        return Frame(self.image, self.pts_seconds, self.frame_index)


class GivenSource(FrameSource):
    """Counts what it is told to have read."""

    fps_nominal = None
    size_wh = SIZE_WH

    def __init__(self) -> None:
        super().__init__("gate")
        self.overtook: list[float] = []

    def close(self) -> None:
        """Nothing is open."""

    def overtake(self, until_pts_seconds: float) -> None:
        """Notes it."""
        self.overtook.append(until_pts_seconds)

    def _pictures(self) -> Iterator[Picture]:
        return iter(())


class HandlerBench:
    """A handler over a source whose pictures the test hands in, and the clock with them."""

    def __init__(self, job: DecoderJob, descriptors: RingDescriptors) -> None:
        self.ring = RingSource("gate", descriptors, live=True)
        self.writer = RingWriter(descriptors, lossless=False)
        self.gaps: list[GapEnded] = []
        counters = self.ring._counters
        gaps = Gaps("gate", self.gaps.append, 1000.0)
        self.handler = FrameHandler(job, self.writer, counters, gaps, lambda: True)
        self.source = GivenSource()
        self.handler.open(self.source)
        self.now = 0.0

    def see(
        self, pts_seconds: float, image: Image | None, *, waited: float = 1.0, stopping: bool = False
    ) -> None:
        """The next picture; it arrives at `now`."""
        self.source.read_count += 1
        picture = GivenPicture(self.source.read_count - 1, pts_seconds, image)
        self.handler.see(picture, Moment(waited, self.now, 1000.0 + self.now), stopping=stopping)

    def accounting(self) -> FrameAccounting:
        """Of decoder and ring."""
        return self.ring.upstream()

    def close(self) -> None:
        """Unmaps everything."""
        self.ring.close()
        self.writer.close()


@pytest.fixture
def descriptors() -> Iterator[RingDescriptors]:
    made = RingDescriptors.create(SIZE_WH[0] * SIZE_WH[1])
    yield made
    made.close()


@pytest.fixture
def bench(descriptors: RingDescriptors) -> Iterator[HandlerBench]:
    made = HandlerBench(JOB, descriptors)
    yield made
    made.close()


def test_what_cannot_be_converted_is_counted_and_the_next_goes_on(bench: HandlerBench) -> None:
    bench.see(0.0, None)
    bench.see(0.1, plain(SIZE_WH))
    assert bench.accounting() == FrameAccounting(read=1, decoded=1, dropped={"not_converted": 1})
    assert bench.ring._taken()[0] is not None


def test_what_comes_while_it_stops_is_counted(bench: HandlerBench) -> None:
    bench.see(0.0, plain(SIZE_WH), stopping=True)
    assert bench.accounting() == FrameAccounting(read=1, decoded=1, dropped={"stopped": 1})


def test_losses_of_the_source_are_counted_with_the_next_picture_or_at_the_end(bench: HandlerBench) -> None:
    bench.source._lost("damaged", 2)
    bench.see(0.0, plain(SIZE_WH))
    bench.source._lost("damaged")
    bench.source.read_count += 5
    bench.source.overtaken_count += 5
    bench.handler.count_read()
    assert bench.accounting() == FrameAccounting(read=8, undecodable=3, dropped={"overtaken": 5})


def test_a_second_opening_counts_on(bench: HandlerBench) -> None:
    bench.source._lost("damaged", 2)
    bench.handler.count_read()
    bench.source = GivenSource()
    bench.handler.open(bench.source)
    assert bench.handler.pictures == 0
    bench.source._lost("damaged", 1)
    bench.handler.count_read()
    assert bench.accounting() == FrameAccounting(read=3, undecodable=3)


def test_a_camera_whose_time_runs_away_is_looked_at_as_often_as_configured(
    descriptors: RingDescriptors,
) -> None:
    bench = HandlerBench(replace(JOB, inference_fps=1.0), descriptors)
    for index in range(600):
        bench.now = index / 60
        bench.see(float(index), plain(SIZE_WH))
    assert bench.accounting().not_sampled == 600 - 3 - 10
    bench.close()


def test_the_late_are_overtaken_and_the_hopeless_undecoded(bench: HandlerBench) -> None:
    for index in range(50):
        bench.now = index / 25
        bench.see(index / 25, plain(SIZE_WH))
    bench.now += 4.0
    for index in range(50, 95):
        bench.now += 0.1
        bench.see(index / 25, plain(SIZE_WH), waited=0.0)
    assert bench.accounting().dropped["overtaken"] >= 45
    assert len(bench.source.overtook) == 2, "after two seconds without catching up, and after two more"
    assert bench.source.overtook[0] == pytest.approx(49 / 25 + 4.0 + 2.1, abs=0.2), "to a picture of now"


def test_when_a_late_picture_came_is_known_from_its_time(bench: HandlerBench) -> None:
    for index in range(5):
        bench.now = index / 10
        bench.see(index / 10, plain(SIZE_WH))
    bench.now = 10.5
    bench.see(0.5, plain(SIZE_WH), waited=10.0)
    picture, _ = bench.ring._taken()
    assert picture is not None
    assert picture.captured_seconds == pytest.approx(1000.5, abs=0.2)


def test_what_the_gate_holds_back_carries_its_time_and_frozen_ones_are_told(
    descriptors: RingDescriptors,
) -> None:
    job = replace(JOB, gate=GateSettings(heartbeat_seconds=60), options=SourceSettings(frozen_seconds=3.0))
    bench = HandlerBench(job, descriptors)
    picture = noise(SIZE_WH)
    for index in range(60):
        bench.now = index / 10
        bench.see(index / 10, picture)
    assert bench.writer.ring.published == 60
    assert bench.writer.ring.newest()[1] < 30
    assert [(gap.reason, gap.ended_at) for gap in bench.gaps] == [("frozen", None)]
    assert bench.gaps[0].began_at.timestamp() == 1000.0
    bench.now = 6.0
    bench.see(6.0, noise(SIZE_WH, 1))
    assert bench.gaps[1].ended_at is not None
    assert bench.gaps[1].ended_at.timestamp() == 1006.0
    bench.close()


def test_an_unsampled_picture_does_not_end_a_freeze(descriptors: RingDescriptors) -> None:
    job = replace(JOB, inference_fps=2.0, options=SourceSettings(frozen_seconds=2.0))
    bench = HandlerBench(job, descriptors)
    for index in range(60):
        bench.now = index / 10
        bench.see(index / 10, plain(SIZE_WH))
    assert [gap.ended_at for gap in bench.gaps] == [None]
    assert bench.accounting().not_sampled == 48
    bench.close()
