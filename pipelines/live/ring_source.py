"""What the matching process reads a camera through: the ring's frames as a source like any other."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipelines.accounting import FrameAccounting
from pipelines.live.counters import DropReason, MatcherCounts, SessionCounts, SharedCounters, account
from pipelines.live.memory import RingError
from pipelines.live.ring import (
    ENDED,
    FAILED,
    SLOTS,
    FrameMark,
    FrameRing,
    RingDescriptors,
    SourceAbout,
    clear,
    wake,
)
from vision.errors import SourceDecodeError
from vision.sources import FrameSource, Picture
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
        self._before_us: tuple[int, int] | None = (ring.published, ring.published_images)
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


class RingSource(FrameSource):
    """One camera, as the matching process sees it.

    `read_count` is what it handed out; everything else that became of the camera's frames is in `upstream`.
    """

    def __init__(self, camera_id: str, descriptors: RingDescriptors, *, live: bool) -> None:
        """
        Args:
            camera_id: names it in errors.
            descriptors: stay the caller's, and open until this is closed.
            live: the newest frame wins; else every frame of a recording comes.

        Raises:
            RingError: the memory is no ring.
        """
        super().__init__(camera_id)
        self._descriptors = descriptors
        self._ring = FrameRing(descriptors.ring)
        self._counters = SharedCounters(descriptors.counters)
        self._reader = RingReader(self._ring, self._counters, descriptors, lossless=not live)
        self._about = self._ring.about
        self._woken = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._using = threading.RLock()
        self._stopping = self._closed = False

    @property
    def fps_nominal(self) -> float | None:
        """As the decoder's source states it."""
        fps = self.about.fps
        return fps if fps > 0 else None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Of the source as it was opened last; (0, 0) before."""
        return self.about.width, self.about.height

    @property
    def start_seconds(self) -> float:
        """As in `FrameSource`."""
        return self.about.start_seconds

    @property
    def about(self) -> SourceAbout:
        """What the decoder told of its source last."""
        with self._using:
            if not self._closed:
                self._about = self._ring.about
            return self._about

    def upstream(self) -> FrameAccounting:
        """What became of the frames that this source did not hand out: by decoder and ring, and by processes before.

        Frames without a fate yet are not in it. Together with the session's own accounting of what it took,
        these are all frames of the camera.
        """
        with self._using:
            if self._closed:
                return self._last_upstream
            return account(self._counters.decoder, self._reader.counts, self._reader.before)

    def note(self, accounting: FrameAccounting) -> None:
        """Keeps the session's accounting of the frames handed out, for whoever comes after this process.

        Call it after each frame: what is not noted when this process is killed counts as `matcher_died`.

        Args:
            accounting: of all frames since this source was made, `upstream` not in it.
        """
        with self._using:
            if not self._closed:
                self._reader.note(accounting)

    def wake(self) -> None:
        """Ends the iteration soon, from any thread."""
        self._stopping = True
        wake(self._woken)

    def close(self) -> None:
        """Ends the iteration and unmaps the ring; from any thread, and soon. Twice is once."""
        self.wake()
        with self._using:
            if self._closed:
                return
            self._about = self._ring.about
            self._last_upstream = self.upstream()
            self._closed = True
            self._ring.close()
            self._counters.close()
            # `_woken` stays open, as a reader may still poll it; it goes with this object.

    def __del__(self) -> None:
        woken = getattr(self, "_woken", None)
        if woken is not None:
            os.close(woken)

    def _pictures(self) -> Iterator[Picture]:
        while not self._stopping:
            picture, state = self._taken()
            if picture is not None:
                self.read_count += 1
                yield picture
            elif state is not None and state.state == ENDED:
                return
            elif state is not None and state.state == FAILED:
                raise SourceDecodeError(self.location, state.reason or "cannot be read")
            else:
                self._wait()

    def _taken(self) -> tuple[RingPicture | None, SourceAbout | None]:
        """The next picture, and the source's state from before it was asked for."""
        with self._using:
            if self._closed:
                return None, None
            try:
                # In this order: a source that ended has published its last frame before.
                about = self._ring.about
                return self._reader.take(), about
            except RingError as error:
                reason = str(error)
        raise SourceDecodeError(self.location, reason)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._descriptors.ready, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        poll.poll()
        clear(self._descriptors.ready)
