"""The matching process's side of a ring."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from pipelines.accounting import FrameAccounting
from pipelines.live.counters import DropReason, MatcherCounts, SessionCounts, SharedCounters
from pipelines.live.memory import RingError
from pipelines.live.ring import SLOTS, FrameMark, FrameRing, RingDescriptors, wake
from vision.errors import SourceDecodeError
from vision.types import Frame, Image

_MOST_TRIES = 1000
"""Overwritten frames in a row, each during its copy: a writer a thousand times as fast as the memory is broken."""


@dataclass(frozen=True, slots=True, repr=False)
class RingPicture:
    """A frame taken from the ring; its pixels are this process's own."""

    mark: FrameMark
    image: Image | None

    @property
    def frame_index(self) -> int:
        """As in `Frame`."""
        return self.mark.frame_index

    @property
    def pts_seconds(self) -> float:
        """As in `Frame`."""
        return self.mark.pts_seconds

    @property
    def captured_seconds(self) -> float:
        """When it came, Unix time: when it was decoded, less what it waited for that."""
        return self.mark.captured_seconds

    @property
    def key_frame(self) -> bool:
        """As in `Frame`."""
        return self.mark.key_frame

    @property
    def still(self) -> bool:
        """Whether nothing moved: there are no pixels."""
        return self.mark.still

    def to_frame(self) -> Frame:
        """The picture as pixels.

        Raises:
            SourceDecodeError: a still one has none.
        """
        if self.image is None:
            raise SourceDecodeError(f"frame {self.frame_index}", "is still and carries its time only")
        return Frame(self.image, self.pts_seconds, self.frame_index, key_frame=self.key_frame)


class RingReader:
    """The matching process's side of a ring. What it takes or passes over is in the counters at once.

    Goes on behind what was taken last, by whichever process. What came while nobody was there counts as
    `matcher_away`.

    Args:
        ring: mapped.
        counters: mapped; this reader is the only one that writes the matcher's record.
        lossless: every frame in order; else the newest.
    """

    def __init__(
        self, ring: FrameRing, counters: SharedCounters, descriptors: RingDescriptors, *, lossless: bool
    ) -> None:
        self._ring = ring
        self._counters = counters
        self._room = descriptors.room
        self._lossless = lossless
        self._counts = counters.matcher
        self._before = self._counts.session
        # What was published before us, and how many of that with pixels; None once it was passed.
        self._before_us: tuple[int, int] | None = ring.newest()
        self._writing = threading.Lock()
        ring.tell_taken(self._counts.position, self._counts.images)

    @property
    def counts(self) -> MatcherCounts:
        """This reader's record, as of now."""
        return self._counts

    @property
    def before(self) -> SessionCounts:
        """What became of the frames that readers before this one took."""
        return self._before

    def note(self, accounting: FrameAccounting) -> None:
        """Keeps what became of the frames this reader took, so that it outlives this process."""
        with self._writing:
            self._store(replace(self._counts, session=self._before + SessionCounts.of(accounting)))

    def take(self) -> RingPicture | None:
        """The frame whose turn it is; None where there is none.

        Raises:
            RingError: the ring holds what cannot be.
        """
        for _ in range(_MOST_TRIES):
            published = self._ring.published
            if published == self._counts.position:
                return None
            mark = self._next_mark() if self._lossless else self._newest_mark(published)
            if mark is None:
                continue
            image = None if mark.still else self._ring.copy_slot(mark)
            if mark.still or image is not None:
                self._took(mark)
                return RingPicture(mark, image)
        raise RingError("no frame of the ring stands still")

    def _next_mark(self) -> FrameMark | None:
        return self._ring.entry(self._counts.position + 1)

    def _newest_mark(self, published: int) -> FrameMark | None:
        """The newest frame with pixels that was not taken, else the newest time."""
        if published < self._counts.position:
            raise RingError("the frames of a ring begin anew")
        newest = self._ring.entry(published)
        if newest is None or newest.images == self._counts.images:
            return newest
        marks = [self._ring.slot_mark(newest.images - age) for age in range(SLOTS)]
        fresh = [mark for mark in marks if mark and self._counts.position < mark.number <= published]
        return max(fresh, key=lambda mark: mark.number, default=None)

    def _took(self, mark: FrameMark) -> None:
        images_before = mark.images - (not mark.still)
        with self._writing:
            try:
                counts = self._passed_before_us(mark.number - 1, images_before)
                counts = counts.passed(mark.number - 1, images_before, DropReason.OVERTAKEN)
            except ValueError:
                raise RingError("the numbers of a ring's frames do not follow each other") from None
            self._store(replace(counts, position=mark.number, images=mark.images, taken=counts.taken + 1))
        self._ring.tell_taken(mark.number, mark.images)
        wake(self._room)

    def _passed_before_us(self, to: int, images: int) -> MatcherCounts:
        """Of what is passed over up to a frame, the part that came while nobody was there."""
        if self._before_us is None:
            return self._counts
        published, published_images = self._before_us
        self._before_us = None
        if published <= self._counts.position:
            return self._counts
        to, images = min(to, published), min(images, published_images)
        return self._counts.passed(to, images, DropReason.MATCHER_AWAY)

    def _store(self, counts: MatcherCounts) -> None:
        self._counters.matcher = counts
        self._counts = counts
