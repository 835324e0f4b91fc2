"""Both ends of a ring in one process."""

from __future__ import annotations

from pipelines.live.ring import RingDescriptors
from pipelines.live.ring_reader import RingPicture
from pipelines.live.ring_source import RingSource
from pipelines.live.ring_writer import RingWriter
from tests.builders import plain

SIZE_WH = (64, 48)
IMAGE = plain(SIZE_WH, (1, 2, 3))


class RingBench:
    """A writer and a source; pictures are of the grey that is their index."""

    def __init__(self, descriptors: RingDescriptors, *, live: bool) -> None:
        self.writer = RingWriter(descriptors, lossless=not live)
        self.source = RingSource("gate", descriptors, live=live)
        self.index = 0

    def write(self, *kinds: str) -> None:
        """`image` or `still`, each its own time."""
        for kind in kinds:
            image = plain(SIZE_WH, (self.index % 256,) * 3) if kind == "image" else None
            assert self.writer.write(
                image, frame_index=self.index, pts_seconds=self.index / 25, captured_seconds=100.0
            )
            self.index += 1

    def take(self) -> RingPicture | None:
        return self.source._taken()[0]

    def taken(self) -> list[int]:
        """The indices of everything that can be taken now."""
        found = []
        while (picture := self.take()) is not None:
            found.append(picture.frame_index)
        return found

    def close(self) -> None:
        self.source.close()
        self.writer.close()
