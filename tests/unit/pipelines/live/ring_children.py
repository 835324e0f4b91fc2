"""Children that write or read a ring until somebody kills them: `python -m …ring_children ROLE DESCRIPTOR…`.

Every picture is of one grey, which follows from its number among those with pixels, so that a torn copy shows.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.accounting import FrameAccounting
from pipelines.live.counters import SharedCounters
from pipelines.live.decoder_frames import FrameHandler, Moment
from pipelines.live.messages import DecoderJob, GateSettings, SourceSettings
from pipelines.live.reconnect import Gaps
from pipelines.live.ring import RingDescriptors
from pipelines.live.ring_source import RingSource
from pipelines.live.ring_writer import RingWriter
from vision.sources import FrameSource, Picture
from vision.types import Frame, Image

SIZE_WH = (320, 240)
_ROOT = Path(__file__).parents[4]


def grey_of(frame_index: int) -> int:
    """The brightness of a picture."""
    return frame_index * 7 % 251


def picture_of(frame_index: int) -> Image:
    """Of one grey everywhere."""
    return np.full((SIZE_WH[1], SIZE_WH[0], 3), grey_of(frame_index), np.uint8)


@dataclass(frozen=True, slots=True)
class PlainPicture:
    """One picture of an endless source."""

    frame_index: int
    pts_seconds: float
    key_frame: bool = True
    still: bool = False

    def to_frame(self) -> Frame:
        """The picture as pixels."""
        return Frame(picture_of(self.frame_index), self.pts_seconds, self.frame_index)


class EndlessSource(FrameSource):
    """Gives pictures as fast as they are taken; one in five is lost to damage."""

    fps_nominal = None
    size_wh = SIZE_WH

    def __init__(self) -> None:
        super().__init__("endless")

    def close(self) -> None:
        """Nothing is open."""

    def _pictures(self) -> Iterator[Picture]:
        while True:
            if self.read_count % 5 == 4:
                self._lost("damaged")
                continue
            self.read_count += 1
            yield PlainPicture(self.read_count - 1, time.monotonic())


def start(role: str, descriptors: RingDescriptors) -> subprocess.Popen[bytes]:
    """A child of this role; it writes a line as soon as it is at work."""
    command = [
        sys.executable,
        "-m",
        "tests.unit.pipelines.live.ring_children",
        role,
        *map(str, descriptors.sent()),
    ]
    return subprocess.Popen(command, pass_fds=descriptors.sent(), stdout=subprocess.PIPE, cwd=_ROOT)


def write_frames(descriptors: RingDescriptors, *, live: bool) -> None:
    """What a decoder does with its pictures, without end."""
    gate = GateSettings(enabled=False)
    job = DecoderJob("gate", "endless", live, None, SourceSettings(frozen_seconds=None), gate)
    writer = RingWriter(descriptors, lossless=not live)

    def has_room() -> bool:
        while not writer.room:
            time.sleep(0.0002)
        return True

    handler = FrameHandler(
        job, writer, SharedCounters(descriptors.counters), Gaps("gate", lambda _: None, 0.0), has_room
    )
    source = EndlessSource()
    handler.open(source)
    _say_at_work()
    for picture in source.pictures():
        handler.see(picture, Moment(1.0, time.monotonic(), time.time()))


def read_frames(descriptors: RingDescriptors, *, live: bool) -> None:
    """What a matching process does: looks at each picture, says so, and keeps count."""
    source = RingSource("gate", descriptors, live=live)
    _say_at_work()
    for inferred, picture in enumerate(source.pictures(), 1):
        image = picture.to_frame().image
        assert (image == grey_of(picture.frame_index)).all(), "torn"
        source.note(FrameAccounting(read=inferred, decoded=inferred, inferred=inferred))
        os.write(1, b"%d\n" % picture.frame_index)


def _say_at_work() -> None:
    os.write(1, b"at work\n")


if __name__ == "__main__":
    wanted = sys.argv[1]
    given = RingDescriptors(*map(int, sys.argv[2:6]))
    if wanted.startswith("write"):
        write_frames(given, live=wanted.endswith("live"))
    else:
        read_frames(given, live=wanted.endswith("live"))
