"""What the matching process reads a camera through: the ring's frames as a source like any other."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator

from pipelines.accounting import FrameAccounting
from pipelines.live.counters import SharedCounters, account
from pipelines.live.memory import RingError
from pipelines.live.ring import ENDED, FAILED, FrameRing, RingDescriptors, SourceAbout, clear, wake
from pipelines.live.ring_reader import RingPicture, RingReader
from vision.errors import SourceDecodeError
from vision.sources import FrameSource, Picture


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

    @property
    def openings(self) -> int:
        """How often the camera was opened, by all its decoders."""
        return self.about.openings

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
