"""The ring's order: the newest of a camera, everything of a recording, and nothing a broken writer wrote."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pipelines.accounting import FrameAccounting
from pipelines.live.ring import (
    ENDED,
    ENTRIES,
    FAILED,
    SLOTS,
    FrameMark,
    RingDescriptors,
    SourceAbout,
)
from pipelines.live.ring_source import RingSource
from pipelines.live.ring_writer import RingWriter
from tests.builders import plain
from tests.unit.pipelines.live.ring_bench import IMAGE, SIZE_WH, RingBench
from vision.errors import SourceDecodeError
from vision.types import Image


@pytest.fixture
def descriptors() -> Iterator[RingDescriptors]:
    made = RingDescriptors.create(SIZE_WH[0] * SIZE_WH[1])
    yield made
    made.close()


@pytest.fixture
def live(descriptors: RingDescriptors) -> Iterator[RingBench]:
    bench = RingBench(descriptors, live=True)
    yield bench
    bench.close()


@pytest.fixture
def recording(descriptors: RingDescriptors) -> Iterator[RingBench]:
    bench = RingBench(descriptors, live=False)
    yield bench
    bench.close()


def test_a_frame_arrives_as_it_was_written(live: RingBench) -> None:
    image = np.random.default_rng(0).integers(0, 256, (47, 63, 3), np.uint8)
    live.writer.write(image, frame_index=9, pts_seconds=1.5, captured_seconds=7.25, key_frame=True)
    picture = live.take()
    assert picture is not None
    assert (picture.frame_index, picture.pts_seconds, picture.captured_seconds) == (9, 1.5, 7.25)
    assert (picture.key_frame, picture.still) == (True, False)
    frame = picture.to_frame()
    assert (frame.image == image).all()
    assert (frame.pts_seconds, frame.frame_index, frame.key_frame) == (1.5, 9, True)
    assert live.take() is None


def test_what_was_taken_is_its_readers_own(live: RingBench) -> None:
    live.write("image")
    picture = live.take()
    assert picture is not None
    live.write(*["image"] * 4)
    assert (picture.to_frame().image == 0).all()


@pytest.mark.parametrize(
    ("written", "taken", "overtaken", "gated"),
    [
        pytest.param([], [], 0, 0, id="nothing"),
        pytest.param(["image"], [0], 0, 0, id="one"),
        pytest.param(["image"] * 2, [1], 1, 0, id="the newer"),
        pytest.param(["image"] * 9, [8], 8, 0, id="round the slots"),
        pytest.param(["still"] * 3, [2], 0, 2, id="times: the newest"),
        pytest.param(["image", "still"], [0, 1], 0, 0, id="a time never hides a picture"),
        pytest.param(["image", "still", "still", "still"], [0, 3], 0, 2, id="many times neither"),
        pytest.param(
            ["image"] + ["still"] * (ENTRIES + 5), [0, ENTRIES + 5], 0, ENTRIES + 4, id="ever so many"
        ),
        pytest.param(["still", "image"], [1], 0, 1, id="a time before a picture"),
        pytest.param(["image", "still", "image", "still"], [2, 3], 1, 1, id="mixed"),
    ],
)
def test_of_a_camera_the_newest_wins(
    live: RingBench, written: list[str], taken: list[int], overtaken: int, gated: int
) -> None:
    live.write("image")
    live.take()  # so that nothing counts as from before this reader
    live.index = 0
    live.write(*written)
    assert live.taken() == taken
    upstream = live.source.upstream()
    assert upstream.dropped == ({"overtaken": overtaken} if overtaken else {})
    assert upstream.gated == gated
    assert upstream.read == overtaken + gated


def test_a_recording_comes_whole_and_in_order(recording: RingBench) -> None:
    recording.write("image", "still", "image", "still", "still")
    assert recording.taken() == [0, 1, 2, 3, 4]
    recording.write("image", "image", "image")
    assert recording.taken() == [5, 6, 7]
    assert recording.source.upstream() == FrameAccounting()


def test_a_recordings_writer_waits_for_room(recording: RingBench) -> None:
    recording.write(*["image"] * SLOTS)
    rooms = [recording.writer.room]
    recording.take()
    rooms.append(recording.writer.room)
    recording.write("image", *["still"] * (ENTRIES - SLOTS))
    rooms.append(recording.writer.room)
    assert recording.taken() == list(range(1, ENTRIES + 1))
    rooms.append(recording.writer.room)
    assert rooms == [False, True, False, True]


def test_a_camera_never_waits(live: RingBench) -> None:
    live.write(*["image", "still"] * ENTRIES)
    assert live.writer.room


def test_what_is_too_large_is_not_written_and_harms_nothing(live: RingBench) -> None:
    live.write("image")
    larger = plain((SIZE_WH[0] * 2, SIZE_WH[1] * 2))
    assert not live.writer.write(larger, frame_index=1, pts_seconds=1.0, captured_seconds=0.0)
    turned = plain((SIZE_WH[1], SIZE_WH[0]))
    assert live.writer.write(turned, frame_index=2, pts_seconds=2.0, captured_seconds=0.0)
    picture = live.take()
    assert picture is not None
    assert picture.to_frame().size_wh == (SIZE_WH[1], SIZE_WH[0])


def test_a_still_picture_has_no_pixels(live: RingBench) -> None:
    live.write("still")
    picture = live.take()
    assert picture is not None
    assert picture.still
    with pytest.raises(SourceDecodeError, match="time only"):
        picture.to_frame()


def test_what_came_before_the_first_reader_was_missed_by_nobody_there(descriptors: RingDescriptors) -> None:
    writer = RingWriter(descriptors, lossless=False)
    for index in range(5):
        writer.write(IMAGE, frame_index=index, pts_seconds=index, captured_seconds=0.0)
    source = RingSource("gate", descriptors, live=True)
    picture, _ = source._taken()
    assert picture is not None
    assert picture.frame_index == 4
    assert source.upstream().dropped == {"matcher_away": 4}
    source.close()
    writer.close()


def test_a_reader_goes_on_after_the_last_frame_taken(descriptors: RingDescriptors) -> None:
    writer = RingWriter(descriptors, lossless=True)
    first = RingSource("gate", descriptors, live=False)
    for index in range(3):
        writer.write(IMAGE, frame_index=index, pts_seconds=index, captured_seconds=0.0)
    assert first._taken()[0] is not None
    first.note(FrameAccounting(read=1, decoded=1, inferred=1))
    first.close()
    second = RingSource("gate", descriptors, live=False)
    picture, _ = second._taken()
    assert picture is not None
    assert picture.frame_index == 1
    assert second.upstream().inferred == 1, "what the first made of its frames is not lost"
    second.note(FrameAccounting(read=1, decoded=1, gated=1))
    assert second.upstream() == FrameAccounting(read=1, decoded=1, inferred=1), "its own is the session's"
    second.close()
    writer.close()


def test_the_source_tells_what_the_decoder_knows(live: RingBench) -> None:
    assert (live.source.fps_nominal, live.source.size_wh) == (None, (0, 0))
    live.writer.tell(SourceAbout(12.5, 3.0, 1920, 1080, openings=2))
    told = live.source.fps_nominal, live.source.size_wh, live.source.start_seconds
    assert told == (12.5, (1920, 1080), 3.0)


def test_it_ends_behind_the_last_frame(live: RingBench) -> None:
    live.write("image", "still")
    live.writer.tell(SourceAbout(state=ENDED))
    assert [picture.frame_index for picture in live.source.pictures()] == [0, 1]
    assert live.source.read_count == 2


def test_a_failure_for_good_is_an_error_behind_the_last_frame(live: RingBench) -> None:
    live.write("image")
    reason = "no such file or folder" + "é" * 400
    live.writer.tell(SourceAbout(state=FAILED, reason=reason))
    pictures = live.source.pictures()
    assert next(pictures).frame_index == 0
    with pytest.raises(SourceDecodeError, match="gate: no such file or folder"):
        next(pictures)


@pytest.mark.parametrize("how", ["wake", "close"])
def test_a_reader_that_waits_ends_at_once(live: RingBench, how: str) -> None:
    ended = threading.Event()

    def read() -> None:
        assert list(live.source.pictures()) == []
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.05)
    assert not ended.is_set(), "it waits, and does not spin to an end"
    getattr(live.source, how)()
    assert ended.wait(5)
    reader.join()


def test_a_reader_that_waits_costs_no_processor_time_and_wakes_for_a_frame(live: RingBench) -> None:
    got: list[int] = []
    clocks: list[float] = []

    def read() -> None:
        began = time.thread_time()
        got.append(next(live.source.pictures()).frame_index)
        clocks.append(time.thread_time() - began)

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.2)
    live.write("image")
    reader.join(10)
    assert got == [0]
    assert clocks[0] < 0.1


def test_counts_can_be_asked_after_closing(live: RingBench) -> None:
    live.write("image", "image", "image")
    live.take()
    live.source.close()
    live.source.close()
    assert live.source.upstream().dropped == {"overtaken": 2}
    assert live.source.size_wh == (0, 0)
    live.source.note(FrameAccounting())
    assert list(live.source.pictures()) == []


def test_a_second_reading_is_refused(live: RingBench) -> None:
    live.writer.tell(SourceAbout(state=ENDED))
    assert list(live.source.pictures()) == []
    with pytest.raises(SourceDecodeError, match="read before"):
        next(live.source.pictures())


class OvertakenCopy:
    """Pixels that are written over while somebody copies them."""

    def __init__(self, pixels: Image, write: Callable[[], None]) -> None:
        self._pixels = pixels
        self._write = write

    def copy(self) -> Image:
        copied = self._pixels.copy()
        self._write()
        middle = len(copied) // 2
        copied[middle:] = self._pixels[middle:]
        return copied


def test_a_frame_overwritten_while_it_was_copied_is_copied_anew(
    live: RingBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.write("image")
    ring = live.source._ring
    pixels, times = ring._pixels, iter(range(3))

    def overwritten(slot_at: int, mark: FrameMark) -> object:
        more = next(times, None) is not None
        return OvertakenCopy(pixels(slot_at, mark), lambda: live.write(*["image"] * SLOTS if more else []))

    monkeypatch.setattr(ring, "_pixels", overwritten)
    picture = live.take()
    assert picture is not None
    assert picture.frame_index == 3 * SLOTS
    assert (picture.to_frame().image == picture.frame_index).all()
    assert live.source.upstream().dropped == {"overtaken": 3 * SLOTS}


def test_a_writer_that_always_overtakes_is_told(live: RingBench, monkeypatch: pytest.MonkeyPatch) -> None:
    live.write("image")
    monkeypatch.setattr(live.source._ring, "copy_slot", lambda _: None)
    with pytest.raises(SourceDecodeError, match="stands still"):
        live.take()


def test_a_slot_that_is_being_written_is_not_taken(live: RingBench) -> None:
    live.write("image", "image")
    ring = live.writer.ring
    ring.memory.store_word(ring._slot_at(2), 0)  # the newest one's number, as while it is written over
    picture = live.take()
    assert picture is not None
    assert picture.frame_index == 0
