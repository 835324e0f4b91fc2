"""One camera's frames in shared memory: one writer, one reader, no locks, and either may die at any moment.

Frames are numbered from 1. Those with pixels go into one of three slots in turn; those in which nothing moved
leave their time only. A frame is published by storing its number, after everything else of it. For a live camera
the newest frame with pixels wins, and a time never hides a frame with pixels; a recording's frames are all taken,
in order, the writer waiting for room. A slot overwritten while it was copied shows by its number, and the newest
frame is copied in its place.
"""

from __future__ import annotations

import math
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import numpy as np

from pipelines.live.counters import SharedCounters
from pipelines.live.memory import RingError, SharedMemory, TwinRecord, fence, new_memory
from vision.types import Image

SLOTS = 3
ENTRIES = 64
"""Frames whose times are kept; a recording's writer waits before it would write over one not taken yet."""

OPEN, ENDED, FAILED = 0, 1, 2

_PUBLISHED_AT, _TAKEN_AT, _TAKEN_IMAGES_AT, _SLOT_BYTES_AT = 0, 8, 16, 24
_ABOUT_AT = 512
_ABOUT = struct.Struct("ddQQQQ512s")
_LONGEST_REASON = 512
_ENTRIES_AT = 4096
_ENTRY = struct.Struct("QQQddQQQQ")
_ENTRY_BYTES = 128
_SLOTS_AT = _ENTRIES_AT + ENTRIES * _ENTRY_BYTES
_SLOT_HEADER_BYTES = 4096
_PAGE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class RingDescriptors:
    """What a process needs to use a camera's ring; each process closes its own copies.

    Attributes:
        ring: memory of the frames.
        counters: memory of `SharedCounters`.
        ready: eventfd; written when there is something to take, or the source's state changed.
        room: eventfd; written when something was taken.
    """

    ring: int
    counters: int
    ready: int
    room: int

    @classmethod
    def create(cls, max_pixels: int) -> Self:
        """A fresh ring, for pictures of at most this many pixels."""
        eventfd = (0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        return cls(
            FrameRing.new_memory(max_pixels),
            SharedCounters.new_memory(),
            os.eventfd(*eventfd),
            os.eventfd(*eventfd),
        )

    def sent(self) -> tuple[int, int, int, int]:
        """In the order in which they travel; `RingDescriptors(*received)` takes them again."""
        return self.ring, self.counters, self.ready, self.room

    def close(self) -> None:
        """Closes this process's copies."""
        for descriptor in self.sent():
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class FrameMark:
    """What the ring says of a frame besides its pixels.

    Attributes:
        number: place in the ring's order, from 1.
        images: frames with pixels up to and with this one.
        frame_index: 0-based count of pictures read from the source.
        pts_seconds: on the source's clock, never falling while one decoder runs.
        captured_seconds: when it came, Unix time: when it was decoded, less what it waited for that.
        key_frame: as in `Frame`.
        still: nothing moved; there are no pixels.
        width, height: of the pixels; 0 without.
    """

    number: int
    images: int
    frame_index: int
    pts_seconds: float
    captured_seconds: float
    key_frame: bool
    still: bool
    width: int
    height: int

    @property
    def sound(self) -> bool:
        """Whether a writer of ours could have written it."""
        sizes = self.width > 0 and self.height > 0
        times = math.isfinite(self.pts_seconds) and math.isfinite(self.captured_seconds)
        return times and self.number >= self.images and sizes is not self.still


@dataclass(frozen=True, slots=True)
class SourceAbout:
    """What the decoder knows of its source.

    Attributes:
        fps: pictures a second as the source states it; nan where it does not.
        start_seconds: as `FrameSource.start_seconds`.
        width, height: upright pixels.
        openings: how often the source was opened.
        state: `OPEN`, `ENDED` or `FAILED`: the latter two are for good.
        reason: why it failed, free of credentials.
    """

    fps: float = math.nan
    start_seconds: float = 0.0
    width: int = 0
    height: int = 0
    openings: int = 0
    state: int = OPEN
    reason: str = ""


class FrameRing:
    """The memory of a ring; what `ring_writer.RingWriter` and `ring_reader.RingReader` share.

    Args:
        descriptor: of `FrameRing.new_memory()`; stays the caller's.

    Raises:
        RingError: not such memory.
    """

    def __init__(self, descriptor: int) -> None:
        size_bytes = os.fstat(descriptor).st_size
        self.memory = SharedMemory(descriptor, size_bytes)
        self.slot_bytes = (size_bytes - _SLOTS_AT) // SLOTS
        if self.slot_bytes <= _SLOT_HEADER_BYTES:
            raise RingError(f"shared memory of {size_bytes} bytes holds no ring")
        self._about = TwinRecord(self.memory, _ABOUT_AT, _ABOUT)

    @staticmethod
    def new_memory(max_pixels: int) -> int:
        """A descriptor of an empty ring for pictures of at most this many pixels."""
        pixels_bytes = -(-max_pixels * 3 // _PAGE_BYTES) * _PAGE_BYTES
        return new_memory("aiqyn-ring", _SLOTS_AT + SLOTS * (_SLOT_HEADER_BYTES + pixels_bytes))

    def close(self) -> None:
        """Unmaps it. Twice is once."""
        self.memory.close()

    @property
    def published(self) -> int:
        """Number of the newest frame."""
        return self.memory.load_word(_PUBLISHED_AT)

    def newest(self) -> tuple[int, int]:
        """Number of the newest frame, and how many up to it have pixels: of one moment, whatever is written meanwhile.

        Raises:
            RingError: it is not there.
        """
        for _ in range(ENTRIES):
            published = self.published
            if not published:
                return 0, 0
            mark = self.entry(published)
            if mark is not None:  # else later ones came so fast that one has its place
                return published, mark.images
        raise RingError("the newest frame of a ring is not there")

    @property
    def taken(self) -> int:
        """Number of the last frame taken or passed over, as far as the writer was told."""
        return self.memory.load_word(_TAKEN_AT)

    @property
    def taken_images(self) -> int:
        """How many of these have pixels."""
        return self.memory.load_word(_TAKEN_IMAGES_AT)

    def tell_taken(self, number: int, images: int) -> None:
        """The reader's word to the writer."""
        self.memory.store_word(_TAKEN_IMAGES_AT, images)
        self.memory.store_word(_TAKEN_AT, number)

    @property
    def about(self) -> SourceAbout:
        """What the decoder told of its source last."""
        fps, start_seconds, width, height, openings, state, reason = self._about.load()
        words = reason.rstrip(b"\0").decode(errors="replace")
        return SourceAbout(fps, start_seconds, width, height, openings, state, words)

    @about.setter
    def about(self, about: SourceAbout) -> None:
        reason = about.reason.encode()[:_LONGEST_REASON]
        self._about.store(
            about.fps, about.start_seconds, about.width, about.height, about.openings, about.state, reason
        )

    def publish(self, mark: FrameMark) -> None:
        """Makes a frame the newest; its pixels, if any, lie in its slot already."""
        self._write_mark(self._entry_at(mark.number), mark)
        fence()
        self.memory.store_word(_PUBLISHED_AT, mark.number)

    def entry(self, number: int) -> FrameMark | None:
        """What is said of a frame; None where a later one stands in its place, or it never came."""
        mark = self._read_mark(self._entry_at(number))
        return mark if mark is not None and mark.number == number else None

    def fill_slot(self, mark: FrameMark, image: Image) -> None:
        """Writes pixels into the slot that is next in turn."""
        offset = self._slot_at(mark.images)
        self.memory.store_word(offset, 0)
        fence()
        self._pixels(offset, mark)[...] = image
        self._write_mark(offset, mark)

    def slot_mark(self, images: int) -> FrameMark | None:
        """Which frame lies in the slot of the n-th frame with pixels; None while it is written."""
        return self._read_mark(self._slot_at(images))

    def copy_slot(self, mark: FrameMark) -> Image | None:
        """The pixels of a frame, of their own memory; None where they were overwritten meanwhile.

        Raises:
            RingError: a size that does not fit a slot.
        """
        offset = self._slot_at(mark.images)
        if not self.fits(mark.width, mark.height):
            raise RingError(f"a ring holds a picture of {mark.width}×{mark.height}, larger than its slots")
        copied = self._pixels(offset, mark).copy()
        fence()
        return copied if self.memory.load_word(offset) == mark.number else None

    def fits(self, width: int, height: int) -> bool:
        """Whether a slot takes a picture of this size."""
        return 0 < width * height * 3 <= self.slot_bytes - _SLOT_HEADER_BYTES

    def _pixels(self, slot_at: int, mark: FrameMark) -> Image:
        count = mark.width * mark.height * 3
        flat = np.frombuffer(self.memory.bytes, np.uint8, count, slot_at + _SLOT_HEADER_BYTES)
        return flat.reshape(mark.height, mark.width, 3)

    def _slot_at(self, images: int) -> int:
        return _SLOTS_AT + (images % SLOTS) * self.slot_bytes

    def _entry_at(self, number: int) -> int:
        return _ENTRIES_AT + (number % ENTRIES) * _ENTRY_BYTES

    def _write_mark(self, offset: int, mark: FrameMark) -> None:
        """Its number first goes, then comes back when all the rest is there."""
        self.memory.store_word(offset, 0)
        fence()
        _ENTRY.pack_into(
            self.memory.bytes,
            offset,
            0,
            mark.images,
            mark.frame_index,
            mark.pts_seconds,
            mark.captured_seconds,
            mark.key_frame,
            mark.still,
            mark.width,
            mark.height,
        )
        fence()
        self.memory.store_word(offset, mark.number)

    def _read_mark(self, offset: int) -> FrameMark | None:
        """None while it is written.

        Raises:
            RingError: what no writer of ours would write.
        """
        number = self.memory.load_word(offset)
        fence()
        _, images, frame_index, pts, captured, key, still, width, height = _ENTRY.unpack_from(
            self.memory.bytes, offset
        )
        fence()
        if number == 0 or self.memory.load_word(offset) != number:
            return None
        mark = FrameMark(number, images, frame_index, pts, captured, bool(key), bool(still), width, height)
        if not mark.sound:
            raise RingError("a ring holds a frame that cannot be")
        return mark


def wake(eventfd: int) -> None:
    """Wakes whoever polls it."""
    with suppress(BlockingIOError):  # its count is full: it is awake
        os.eventfd_write(eventfd, 1)


def clear(eventfd: int) -> None:
    """Takes what woke us; look at the memory only afterwards, so that no call is lost."""
    with suppress(BlockingIOError):
        os.eventfd_read(eventfd)
