"""What the decoder does with each picture: counts it, passes it over, or puts it into the ring, masked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from pipelines.live.counters import DecoderCounts, DropReason, SharedCounters
from pipelines.live.messages import DecoderJob
from pipelines.live.pace import Allowance, Backlog, ContinuedTime, Pace
from pipelines.live.reconnect import FrozenPictures, Gaps
from pipelines.live.ring_writer import RingWriter
from pipelines.sampling import Sampler
from vision.detect.gate import LONG_SIDE_PX, GateOptions, MotionGate
from vision.errors import ImageError, SourceDecodeError
from vision.luma import Grey
from vision.masks import Masks
from vision.polygons import Polygon
from vision.sources import FrameSource, Picture
from vision.types import Image


@runtime_checkable
class HasBrightness(Protocol):
    """A picture whose brightness costs less than all of it."""

    def to_grey(self, max_width: int) -> Grey:
        """As `vision.luma.small_grey`."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a picture came.

    Attributes:
        waited_seconds: for its packet, before there was anything to decode.
        monotonic_seconds: by the clock that never jumps.
        unix_seconds: by the machine's clock.
    """

    waited_seconds: float
    monotonic_seconds: float
    unix_seconds: float


class FrameHandler:
    """One camera's pictures, across its openings.

    Args:
        job: whose.
        writer: of its ring.
        counters: this handler is the only one that writes the decoder's record.
        gaps: told of pictures that are good, and of frozen ones.
        has_room: waits until a recording's next frame has room; False where the decoder is to stop.
    """

    def __init__(
        self,
        job: DecoderJob,
        writer: RingWriter,
        counters: SharedCounters,
        gaps: Gaps,
        has_room: Callable[[], bool],
    ) -> None:
        self._live = job.live
        self._writer = writer
        self._counters = counters
        self._counts = counters.decoder
        self._gaps = gaps
        self._has_room = has_room
        self.time = ContinuedTime(live=job.live)
        self._backlog = Backlog()
        self._sampler = Sampler(job.inference_fps)
        self._allowance = Allowance(job.inference_fps if job.live else None)
        self._frozen = FrozenPictures(job.options.frozen_seconds if job.live else None)
        options = GateOptions(job.gate.min_moving_share, job.gate.linger_seconds, job.gate.heartbeat_seconds)
        self._gate = MotionGate(options) if job.gate.enabled else None
        self._pictures = 0
        self.set_masks(job.privacy_masks, job.detection_masks)
        self._go_on_after_predecessor()

    def set_masks(self, privacy_masks: Sequence[Polygon], detection_masks: Sequence[Polygon]) -> None:
        """Puts other masks in force from the next picture on."""
        self._privacy = Masks(privacy_masks)
        if self._gate is not None:
            # What a privacy mask covers, the models do not see either.
            self._gate.set_masks((*privacy_masks, *detection_masks))

    def open(self, source: FrameSource) -> None:
        """Begins a new opening."""
        self._source = source
        self._read = self._undecodable = self._overtaken = 0
        self._pictures = 0
        self.time.open()
        self._backlog.reset()
        self._frozen.reset()

    @property
    def pictures(self) -> int:
        """Handed in since the last `open`."""
        return self._pictures

    def see(self, picture: Picture, moment: Moment, *, stopping: bool = False) -> None:
        """Counts a picture and gives it its fate."""
        self.count_read()
        self._pictures += 1
        if stopping:
            self._dropped(DropReason.STOPPED)
            return
        pts_seconds = self.time.place(picture.pts_seconds, moment.monotonic_seconds)
        pace = self._keep_pace(pts_seconds, moment)
        # FFmpeg holds the last picture back when a camera falls silent: it came when its time says.
        moment = replace(moment, unix_seconds=moment.unix_seconds - self._backlog.late_seconds)
        if not (self._sampler.wants(pts_seconds) and self._allowance.take(moment.monotonic_seconds)):
            self._good_unless_frozen(moment)
            self._store(replace(self._counts, not_sampled=self._counts.not_sampled + 1))
        elif pace is not Pace.KEPT:
            self._good_unless_frozen(moment)
            self._dropped(DropReason.OVERTAKEN)
        else:
            self._hand_on(picture, pts_seconds, moment)

    def count_read(self) -> None:
        """Counts what the source has read since it was asked last; undecodable and undecoded ones with their fate."""
        source, counts = self._source, self._counts
        undecodable = source.undecodable_count - self._undecodable
        undecoded = source.overtaken_count - self._overtaken
        read = source.read_count - self._read
        self._undecodable, self._overtaken = source.undecodable_count, source.overtaken_count
        self._read = source.read_count
        if undecoded:
            counts = counts.plus_dropped(DropReason.OVERTAKEN, undecoded)
        self._store(
            replace(
                counts,
                read=counts.read + read,
                undecodable=counts.undecodable + undecodable,
                undecoded=counts.undecoded + undecoded,
            )
        )

    def _keep_pace(self, pts_seconds: float, moment: Moment) -> Pace:
        if not self._live:
            return Pace.KEPT
        now = moment.monotonic_seconds
        pace = self._backlog.see(pts_seconds, moment.waited_seconds, now)
        if pace is Pace.HOPELESS:
            self._source.overtake(self._backlog.timely_pts_seconds(now) - self.time.shift_seconds)
        return pace

    def _good_unless_frozen(self, moment: Moment) -> None:
        """Of a picture nobody looked at."""
        if self._gaps.open_reason != "frozen":
            self._gaps.good(moment.unix_seconds)

    def _hand_on(self, picture: Picture, pts_seconds: float, moment: Moment) -> None:
        try:
            moves = self._looked_at(picture, pts_seconds, moment)
            image = self._masked(picture) if moves else None
        except (SourceDecodeError, ImageError):
            self._dropped(DropReason.NOT_CONVERTED)
            return
        if not self._has_room():
            self._dropped(DropReason.STOPPED)
            return
        written = self._writer.write(
            image,
            frame_index=picture.frame_index,
            pts_seconds=pts_seconds,
            captured_seconds=moment.unix_seconds,
            key_frame=picture.key_frame,
        )
        if not written:
            self._dropped(DropReason.TOO_LARGE)

    def _looked_at(self, picture: Picture, pts_seconds: float, moment: Moment) -> bool:
        """Whether the models are to see it."""
        if self._gate is None and not self._frozen.watching:
            self._gaps.good(moment.unix_seconds)
            return True
        grey = _brightness(picture)
        frozen_since = self._frozen.see(grey, moment.unix_seconds)
        if frozen_since is None:
            self._gaps.good(moment.unix_seconds)
        else:
            self._gaps.frozen(frozen_since)
        return self._gate is None or self._gate.see(grey, pts_seconds).open

    def _masked(self, picture: Picture) -> Image:
        image = picture.to_frame().image
        if self._privacy.polygons:
            image = image if image.flags.writeable else image.copy()
            self._privacy.burn(image)
        return image

    def _dropped(self, reason: DropReason) -> None:
        self._store(self._counts.plus_dropped(reason))

    def _store(self, counts: DecoderCounts) -> None:
        if counts != self._counts:
            self._counters.decoder = counts
            self._counts = counts

    def _go_on_after_predecessor(self) -> None:
        newest = self._writer.newest
        if newest is not None and self._live:
            elapsed = time.time() - newest.captured_seconds
            self.time.go_on_after(newest.pts_seconds, elapsed, time.monotonic())


def _brightness(picture: Picture) -> Grey:
    """Small and upright; of a picture that has it only in colour, from there."""
    if isinstance(picture, HasBrightness):
        return picture.to_grey(LONG_SIDE_PX)
    image = picture.to_frame().image
    step = max(1, max(image.shape[:2]) // LONG_SIDE_PX)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image[::step, ::step]), cv2.COLOR_BGR2GRAY), np.uint8)
