"""A decoder's work: opens its camera again whenever it is lost, or plays its recording once, until it is told to stop."""

from __future__ import annotations

import math
import random
import select
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from av.packet import Packet
from av.video.stream import VideoStream

from pipelines.errors import AddressError
from pipelines.live.counters import SharedCounters
from pipelines.live.decoder_frames import FrameHandler, Moment
from pipelines.live.decoder_source import open_for
from pipelines.live.messages import DecoderJob, DecoderState, GapReason, MasksChanged, Message, Phase
from pipelines.live.reconnect import Backoff, Gaps, Loss
from pipelines.live.ring import ENDED, FAILED, OPEN, RingDescriptors, SourceAbout, clear
from pipelines.live.ring_writer import RingWriter
from vision.errors import SourceDecodeError, SourceOpenError
from vision.hardware import SOFTWARE
from vision.sources import FrameSource, PacketTap, Picture

_ROOM_CHECK_MS = 200
"""How soon a recording that waits for room notices that it is to stop."""

_STEADY_SECONDS = 5.0
"""An opening that gave pictures for so long was none that fails at once."""

_SILENT_SHARE = 0.9
"""Of the read time-out: a source that was silent for so long has not hung up."""

_SPARE_SECONDS = 10.0
"""What time-outs of FFmpeg and resolver are given on top before the process is thought stuck."""


class _Stalled(Exception):  # noqa: N818 no error: how a source that waits on is left
    """Packets come, pictures do not."""


class _Stopped(Exception):  # noqa: N818
    """To stop, while packets come without pictures."""


@dataclass(slots=True)
class _Pulse:
    """When something of an opening came last, on the monotonic clock.

    Attributes:
        opened: when it began.
        picture: the last picture, or the opening.
        asked: when the source was asked for the next one.
        first_packet: the first since then.
        packet: the last packet.
    """

    opened: float
    picture: float
    asked: float
    first_packet: float | None = None
    packet: float | None = None

    @property
    def waited_seconds(self) -> float:
        """For the first packet."""
        return 0.0 if self.first_packet is None else max(0.0, self.first_packet - self.asked)


class DecoderRun:
    """One camera from its first opening to its end.

    Args:
        job: what to decode.
        descriptors: of its ring; stay the caller's.
        tell: sends a message to the supervisor.
        tap: is given every encoded packet.
    """

    def __init__(
        self,
        job: DecoderJob,
        descriptors: RingDescriptors,
        tell: Callable[[Message], None],
        tap: PacketTap | None = None,
    ) -> None:
        self._job = job
        self._tell = tell
        self._tap_clips = tap
        self._room = descriptors.room
        self._writer = RingWriter(descriptors, lossless=not job.live)
        self._counters = SharedCounters(descriptors.counters)
        self._gaps = Gaps(job.camera_id, tell, time.time())
        self._handler = FrameHandler(job, self._writer, self._counters, self._gaps, self._has_room)
        self._backoff = Backoff(random.SystemRandom())
        self._about = replace(self._writer.ring.about, state=OPEN, reason="")
        self._state = DecoderState(job.camera_id, "opening")
        self._rebased_before = 0
        self._stop = threading.Event()
        self._new_masks: MasksChanged | None = None
        self._pulse = _Pulse(0.0, 0.0, 0.0)
        self._answer_by: float | None = None

    @property
    def shift_seconds(self) -> float:
        """What is added to the camera's own times for those of the ring."""
        return self._handler.time.shift_seconds

    @property
    def stopping(self) -> bool:
        """Whether it is to end."""
        return self._stop.is_set()

    @property
    def stuck(self) -> bool:
        """Whether a camera's source has not answered for longer than its time-outs allow; from any thread."""
        return self._answer_by is not None and time.monotonic() > self._answer_by

    def stop(self) -> None:
        """Asks it to end soon; from any thread."""
        self._stop.set()

    def set_masks(self, masks: MasksChanged) -> None:
        """Other masks from the next picture on; from any thread."""
        self._new_masks = masks

    def give_up(self) -> None:
        """Tells that it is stuck; for the watching thread, before it ends the process."""
        self._gaps.lost("stalled")
        self._say("retrying", "the source does not answer; the decoder is replaced")

    def run(self) -> None:
        """Decodes until the recording's end, `stop`, or a failure for good; tells which it was."""
        self._writer.tell(self._about)
        if self._job.live:
            self._watch()
        else:
            self._play_once()

    def close(self) -> None:
        """Unmaps the ring."""
        self._writer.close()
        self._counters.close()

    def _watch(self) -> None:
        """A camera: opened again and again."""
        while not self._stop.is_set():
            began = time.monotonic()
            loss = self._opening()
            if self.stopping:
                break
            if self._steady:
                self._backoff.reset()
            self._gaps.lost(loss.reason)
            self._say("retrying", loss.detail)
            took = time.monotonic() - began
            self._stop.wait(self._backoff.wait_seconds(took, refused=loss.reason == "refused"))
        self._say("stopped")

    @property
    def _steady(self) -> bool:
        """Whether the last opening gave pictures for a while: one that fails at once is not tried ever faster."""
        return self._handler.pictures > 0 and self._pulse.picture - self._pulse.opened > _STEADY_SECONDS

    def _opening(self) -> Loss:
        """One opening of a camera, and why it ended."""
        try:
            self._open_and_play()
        except AddressError as error:
            return Loss("unreachable", str(error))
        except SourceOpenError as error:
            return Loss("refused" if error.refused else "unreachable", str(error))
        except SourceDecodeError as error:
            return Loss(self._decode_reason(), str(error))
        except _Stalled:
            seconds = self._job.options.read_timeout_seconds
            return Loss("undecodable", f"no picture could be decoded for {seconds:g} s")
        except _Stopped:
            return Loss("unreachable", "stopped")
        finally:
            self._answer_by = None
        return Loss("unreachable", "the camera ended the stream")

    def _decode_reason(self) -> GapReason:
        pulse = self._pulse
        silent_seconds = time.monotonic() - (pulse.packet or pulse.picture)
        if silent_seconds > _SILENT_SHARE * self._job.options.read_timeout_seconds:
            return "stalled"
        return "undecodable" if pulse.packet and not self._handler.pictures else "unreachable"

    def _play_once(self) -> None:
        """A recording: to its end."""
        about = replace(self._about, state=ENDED)
        try:
            self._open_and_play()
        except _Stopped:
            pass
        except (SourceOpenError, SourceDecodeError) as error:
            about = replace(self._about, state=FAILED, reason=str(error))
        if self.stopping:
            self._say("stopped")
            return
        about = replace(about, fps=self._about.fps, start_seconds=self._about.start_seconds)
        self._writer.tell(replace(about, width=self._about.width, height=self._about.height))
        self._say("failed" if about.state == FAILED else "ended", about.reason)

    def _open_and_play(self) -> None:
        if not self._about.openings:
            self._say("opening")
        now = time.monotonic()
        self._pulse = _Pulse(now, now, now)
        self._expect_answer(3 * self._job.options.open_timeout_seconds)
        with open_for(self._job, self._tap) as source:
            self._handler.open(source)
            self._pulse.picture = time.monotonic()
            try:
                self._play(source)
            finally:
                self._handler.count_read()
                self._rebased_before += source.rebased_count

    def _play(self, source: FrameSource) -> None:
        pictures = source.pictures()
        while (picture := self._next(pictures)) is not None:
            self._put_masks_in_force()
            moment = Moment(self._pulse.waited_seconds, self._pulse.picture, time.time())
            self._tell_changes(source)
            self._handler.see(picture, moment, stopping=self.stopping)
            if self.stopping:
                return

    def _next(self, pictures: Iterator[Picture]) -> Picture | None:
        pulse = self._pulse
        pulse.asked, pulse.first_packet = time.monotonic(), None
        self._expect_answer(self._job.options.read_timeout_seconds)
        picture = next(pictures, None)
        self._answer_by = None
        pulse.picture = time.monotonic()
        return picture

    def _expect_answer(self, within_seconds: float) -> None:
        self._answer_by = time.monotonic() + within_seconds + _SPARE_SECONDS if self._job.live else None

    def _tap(self, packet: Packet[VideoStream]) -> None:
        """Sees every packet: keeps it for clips, and leaves a source that gives no pictures."""
        now, pulse = time.monotonic(), self._pulse
        silent_seconds = now - (pulse.packet or now)
        pulse.packet = now
        if pulse.first_packet is None:
            pulse.first_packet = now
        if self._tap_clips is not None:
            self._tap_clips(packet)
        if self.stopping:
            raise _Stopped
        longest = self._job.options.read_timeout_seconds
        # After a silence this may be what FFmpeg held back, before it says that its time is up.
        if self._job.live and now - pulse.picture > longest and silent_seconds < longest / 2:
            raise _Stalled

    def _put_masks_in_force(self) -> None:
        masks, self._new_masks = self._new_masks, None
        if masks is not None:
            self._handler.set_masks(masks.privacy_masks, masks.detection_masks)

    def _has_room(self) -> bool:
        poll = None
        while not self._writer.room:
            if self.stopping:
                return False
            if poll is None:
                poll = select.poll()
                poll.register(self._room, select.POLLIN)
            poll.poll(_ROOM_CHECK_MS)
            clear(self._room)
        return True

    def _tell_changes(self, source: FrameSource) -> None:
        """Tells of the first picture of an opening, and of what is other than before."""
        first = not self._handler.pictures
        state = replace(
            self._state,
            phase="running",
            detail=self._fallback(source),
            size_wh=source.size_wh,
            fps=source.fps_nominal if first else self._state.fps,
            codec=source.codec,
            decoding=source.decoding,
            reconnects=self._state.reconnects + (first and self._about.openings > 0),
            rebased=self._rebased_before + source.rebased_count,
        )
        if state == self._state:
            return
        self._about = SourceAbout(
            math.nan if state.fps is None else state.fps,
            source.start_seconds,
            *source.size_wh,
            self._about.openings + first,
        )
        self._writer.tell(self._about)
        self._state = state
        self._tell(state)

    def _fallback(self, source: FrameSource) -> str:
        """Why software decodes where a device was wanted."""
        wanted = self._job.options.hardware_decode
        if wanted is None or source.decoding != SOFTWARE:
            return ""
        told = (problem for problem in source.problems if problem.endswith(f"{SOFTWARE} decodes"))
        return next(told, f"no device ({wanted}) takes {source.codec}; {SOFTWARE} decodes")

    def _say(self, phase: Phase, detail: str = "") -> None:
        self._state = replace(self._state, phase=phase, detail=detail)
        self._tell(self._state)
