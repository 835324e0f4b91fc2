"""The decoder's side of clips: its last packets in memory, and files made of them when somebody asks.

Clear pictures never touch a disk: packets stay in this process, the redacted clip is encoded from them here, and what
leaves goes through anonymous memory to whoever seals it. Where privacy masks are drawn the stream itself is
never given away, as it shows what they cover.
"""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import av
import av.error
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from pipelines.errors import EvidenceError, PipelineError
from pipelines.evidence_clip import Clip
from pipelines.live.clip_memory import MAX_CLIP_BYTES
from pipelines.live.clip_messages import ClipMade, ClipPart, ClipWanted
from pipelines.live.limits import stand_back
from pipelines.redacted_clip import ClipFrame, ProbePath, redacted_clip
from vision.masks import Masks, Polygon
from vision.packets import EncodedClip, PacketRing
from vision.types import Image

SPARE_SECONDS = 6.0
"""Kept beyond the clip: what passes between its end and somebody asking for it."""

MAX_RING_BYTES = 48 * 1024 * 1024
"""Of packets; thirty seconds at 12 Mbit/s."""

MAX_WAITING = 4
NICENESS = 15

_QUARTER_TURNS = {90: 1, -90: 3, 180: 2, -180: 2}
"""Counter-clockwise, for each mark of rotation."""

Deliver = Callable[[ClipMade, tuple[bytes, ...]], None]
"""Takes an answer and the files of its parts, in their order; called from the maker's own thread."""


@dataclass(frozen=True, slots=True)
class _Order:
    """A clip to be made, of packets taken when it was asked for, under the masks of that time."""

    wanted: ClipWanted
    kept: EncodedClip
    shift_seconds: float
    masks: tuple[Polygon, ...]


class ClipMaker:
    """Makes clips of one camera in a thread of its own, one after the other."""

    def __init__(
        self,
        seconds: float,
        privacy_masks: Sequence[Polygon],
        deliver: Deliver,
        *,
        shift_seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """
        Args:
            seconds: before and after a candidate together.
            privacy_masks: in force now.
            deliver: takes what was made.
            shift_seconds: what is added to the camera's own times for those of the ring, as of now.
        """
        self._packets = PacketRing(seconds + SPARE_SECONDS, MAX_RING_BYTES)
        self._masks = tuple(privacy_masks)
        self._deliver = deliver
        self._shift_seconds = shift_seconds
        self._mutex = threading.Lock()
        self._orders: queue.Queue[_Order | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)
        self._thread.start()

    def tap(self, packet: Packet[VideoStream]) -> None:
        """Takes a packet as the source reads it: a source's `packet_tap`."""
        with self._mutex:
            self._packets.add(packet)

    def masks_changed(self, privacy_masks: Sequence[Polygon]) -> None:
        """Other masks from now on. What came under others is forgotten: no clip shows it unmasked."""
        with self._mutex:
            if tuple(privacy_masks) != self._masks:
                self._masks = tuple(privacy_masks)
                self._packets.clear()

    def want(self, wanted: ClipWanted) -> None:
        """Takes the packets of that time now, and makes the clip soon; returns at once."""
        with self._mutex:
            shift = self._shift_seconds()
            kept = self._packets.clip(wanted.began_pts_seconds - shift, wanted.ended_pts_seconds - shift)
            masks = self._masks
        if kept is None:
            self._refuse(wanted, "no packets of that time are held")
            return
        try:
            self._orders.put_nowait(_Order(wanted, kept, shift, masks))
        except queue.Full:
            self._refuse(wanted, f"{MAX_WAITING} clips are waiting already")

    def close(self, timeout_seconds: float = 10.0) -> None:
        """Ends the thread after what waits."""
        self._orders.put(None)
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        # Beside a running camera: its pictures come first. On Linux a thread has a niceness of its own.
        stand_back(NICENESS, threading.get_native_id())
        while (order := self._orders.get()) is not None:
            # Both those it came under and those drawn since: no clip shows what either covers.
            masks = tuple(dict.fromkeys((*order.masks, *self._masks)))
            try:
                made, contents = make_clips(order.wanted, order.kept, masks, order.shift_seconds)
            except (PipelineError, av.error.FFmpegError, ValueError) as error:
                self._refuse(order.wanted, f"the clip cannot be made: {type(error).__name__}")
                continue
            self._deliver(made, contents)

    def _refuse(self, wanted: ClipWanted, problem: str) -> None:
        self._deliver(ClipMade(wanted.camera_id, wanted.clip_id, problem=problem), ())


def make_clips(
    wanted: ClipWanted, kept: EncodedClip, privacy_masks: Sequence[Polygon], shift_seconds: float = 0.0
) -> tuple[ClipMade, tuple[bytes, ...]]:
    """The redacted clip and, where no privacy mask is drawn, the original; with their files in that order.

    Args:
        wanted: what was asked.
        kept: the packets of that time.
        privacy_masks: burnt into every picture before anything else is done with it.
        shift_seconds: from the camera's own times to those of the ring.

    Raises:
        EvidenceError: nothing of it can be decoded, or the encoder refuses.
    """
    masks = Masks(privacy_masks)
    frames = decoded_frames(kept, masks, shift_seconds)
    redacted = redacted_clip(frames, ProbePath(wanted.looks))
    if redacted is None:
        raise EvidenceError("nothing of the clip can be decoded")
    clips = [("clip_redacted", redacted)]
    if not privacy_masks:
        clips.append(("clip", _original(kept, redacted, shift_seconds)))
    fitting = [(kind, clip) for kind, clip in clips if len(clip.content) <= MAX_CLIP_BYTES]
    parts = tuple(_part(kind, clip) for kind, clip in fitting)
    return ClipMade(wanted.camera_id, wanted.clip_id, parts), tuple(clip.content for _, clip in fitting)


def decoded_frames(kept: EncodedClip, masks: Masks, shift_seconds: float = 0.0) -> Iterator[ClipFrame]:
    """The pictures of some packets, masks burnt in, in the order of their time.

    Args:
        kept: the packets, in a container.
        masks: privacy masks.
        shift_seconds: from the camera's own times to those of the ring.
    """
    with av.open(io.BytesIO(kept.content), "r") as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        offset = None
        for picture in container.decode(stream):
            if picture.pts is None:
                continue
            if offset is None:
                offset = kept.began_pts_seconds + shift_seconds - picture.time
            image = upright(picture)
            masks.burn(image)
            yield ClipFrame(picture.time + offset, image)


def upright(picture: av.VideoFrame) -> Image:
    """(H, W, 3) uint8 BGR, writeable, turned as the stream says, as `vision.video` does."""
    image = picture.to_ndarray(format="bgr24")
    return np.ascontiguousarray(np.rot90(image, _QUARTER_TURNS.get(picture.rotation, 0)), dtype=np.uint8)


def _original(kept: EncodedClip, redacted: Clip, shift_seconds: float) -> Clip:
    with av.open(io.BytesIO(kept.content), "r") as container:
        context = container.streams.video[0].codec_context
        width, height = context.width, context.height
    return Clip(
        kept.content,
        "video/mp4" if kept.container == "mp4" else "video/x-matroska",
        width or redacted.width,
        height or redacted.height,
        kept.began_pts_seconds + shift_seconds,
        kept.ended_pts_seconds - kept.began_pts_seconds,
    )


def _part(kind: str, clip: Clip) -> ClipPart:
    return ClipPart(
        "clip" if kind == "clip" else "clip_redacted",
        clip.media_type,
        clip.width,
        clip.height,
        clip.began_pts_seconds,
        clip.duration_seconds,
        len(clip.content),
    )
