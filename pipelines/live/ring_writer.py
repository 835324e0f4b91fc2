"""The decoder's side of a ring."""

from __future__ import annotations

from pipelines.live.ring import ENTRIES, SLOTS, FrameMark, FrameRing, RingDescriptors, SourceAbout, wake
from vision.types import Image


class RingWriter:
    """Writes frames and what is known of their source; goes on behind what a writer before it published.

    Args:
        descriptors: stay the caller's.
        lossless: each frame is taken: `write` may be called only while there is `room`.
    """

    def __init__(self, descriptors: RingDescriptors, *, lossless: bool) -> None:
        self.ring = FrameRing(descriptors.ring)
        self._ready = descriptors.ready
        self._lossless = lossless
        self._number = self.ring.published
        _, self._images = self.ring.newest()

    @property
    def newest(self) -> FrameMark | None:
        """The frame published last, by whichever process; None where there is none."""
        return self.ring.entry(self._number)

    @property
    def room(self) -> bool:
        """Whether a frame can be written without one being lost; always for a live camera."""
        if not self._lossless:
            return True
        images_waiting = self._images - self.ring.taken_images
        return images_waiting < SLOTS and self._number - self.ring.taken < ENTRIES

    def write(
        self,
        image: Image | None,
        *,
        frame_index: int,
        pts_seconds: float,
        captured_seconds: float,
        key_frame: bool = False,
    ) -> bool:
        """Publishes a frame and wakes the reader.

        Args:
            image: (H, W, 3) uint8 BGR; None where nothing moved.
            frame_index: as in `FrameMark`, as the others.

        Returns:
            False where the picture is too large for a slot: nothing was published.
        """
        height, width = image.shape[:2] if image is not None else (0, 0)
        if image is not None and not self.ring.fits(width, height):
            return False
        mark = FrameMark(
            self._number + 1,
            self._images + (image is not None),
            frame_index,
            pts_seconds,
            captured_seconds,
            key_frame,
            image is None,
            width,
            height,
        )
        if image is not None:
            self.ring.fill_slot(mark, image)
        self.ring.publish(mark)
        self._number, self._images = mark.number, mark.images
        wake(self._ready)
        return True

    def tell(self, about: SourceAbout) -> None:
        """Tells the reader of the source; once it has ended or failed, the reader ends behind the last frame."""
        self.ring.about = about
        wake(self._ready)

    def close(self) -> None:
        """Unmaps the ring."""
        self.ring.close()
