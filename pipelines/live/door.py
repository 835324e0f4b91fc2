"""The matching process's way to its cameras: asks the supervisor for them, and reads their rings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.accounting import FrameAccounting
from pipelines.config import CameraConfig
from pipelines.live.camera_slot import Masks
from pipelines.live.control import (
    AnyMessage,
    CameraClosed,
    CameraLeft,
    CameraMasks,
    CameraOpened,
    CameraRefused,
    CameraWanted,
)
from pipelines.live.counters import DropReason, SessionCounts, SharedCounters, account
from pipelines.live.messages import DecoderState
from pipelines.live.ring import OPEN, FrameRing, RingDescriptors
from pipelines.live.ring_source import RingSource
from vision.errors import SourceOpenError
from vision.locations import scheme_of
from vision.sources import FrameSource

ANSWER_SECONDS = 30.0
"""The supervisor answers at once, unless a decoder of the same camera is still ending."""

CLOSE_SECONDS = 5.0
_BEGIN_SECONDS = 20.0
"""Beyond a recording's own time-out: for its decoder to be started."""


@dataclass(slots=True)
class _Entry:
    """One opening of a camera."""

    opening: int
    descriptors: RingDescriptors | None = None
    refused: str = ""
    closed: bool = False
    state: DecoderState | None = None


class CameraDoor:
    """`CameraSources` over the control socket; used by the cameras' threads and by the one that listens."""

    def __init__(self, tell: Callable[[AnyMessage], None], stopping: Callable[[], bool]) -> None:
        """
        Args:
            tell: sends a message to the supervisor; from any thread.
            stopping: whether the worker ends.
        """
        self._tell = tell
        self._stopping = stopping
        self._entries: dict[str, _Entry] = {}
        self._masks: dict[str, Masks] = {}
        self._changed = threading.Condition()
        self._stays_open = False
        self._openings = 0

    def open(self, camera_id: str, camera: CameraConfig) -> FrameSource:
        """See `CameraSources.open`; for a recording it waits until the decoder has opened it."""
        live = scheme_of(camera.source) is not None
        with self._changed:
            self._openings += 1
            entry = self._entries[camera_id] = _Entry(self._openings)
            masks = self._masks.get(camera_id, Masks())
        self._tell(CameraWanted(camera_id, entry.opening, masks.privacy, masks.detection))
        descriptors = self._await_opening(camera_id, entry)
        source = _DoorSource(camera_id, descriptors, live=live, door=self)
        if not live:
            self._await_beginning(source, camera.open_timeout_seconds + _BEGIN_SECONDS)
        return source

    def state(self, camera_id: str) -> DecoderState | None:
        """See `CameraSources.state`."""
        entry = self._entries.get(camera_id)
        return entry.state if entry else None

    def mask(self, camera_id: str, masks: Masks) -> None:
        """Other masks hold for a camera, open or not."""
        with self._changed:
            if self._masks.get(camera_id, Masks()) == masks:
                return
            self._masks[camera_id] = masks
        self._tell(CameraMasks(camera_id, masks.privacy, masks.detection))

    def stay_open(self) -> None:
        """From now on cameras that are closed here stay open, for the process that comes next."""
        self._stays_open = True

    def take(self, message: AnyMessage, descriptors: tuple[int, ...]) -> bool:
        """Takes a message of the supervisor; False where it is none of a camera's opening.

        Takes the descriptors over with `CameraOpened`.
        """
        match message:
            case CameraOpened(camera_id, opening):
                found = RingDescriptors(*descriptors)
                if not self._change(camera_id, opening, descriptors=found):
                    found.close()
            case CameraRefused(camera_id, opening, reason):
                self._change(camera_id, opening, refused=reason)
            case CameraClosed(camera_id, opening):
                self._change(camera_id, opening, closed=True)
            case DecoderState(camera_id):
                self._change(camera_id, None, state=message)
            case _:
                return False
        return True

    def leave(self, camera_id: str) -> bool:
        """Has the decoder end; whether what it had in its hands is counted."""
        entry = self._entries.get(camera_id)
        if entry is None or self._stays_open:
            return False
        self._tell(CameraLeft(camera_id))
        with self._changed:
            return self._changed.wait_for(lambda: entry.closed, CLOSE_SECONDS)

    def _change(self, camera_id: str, opening: int | None, **values: object) -> bool:
        """Notes what became of an opening; False where it is not the one there is."""
        with self._changed:
            entry = self._entries.get(camera_id)
            if entry is None or opening not in (None, entry.opening):
                return False
            for name, value in values.items():
                setattr(entry, name, value)
            self._changed.notify_all()
        return True

    def _await_opening(self, camera_id: str, entry: _Entry) -> RingDescriptors:
        deadline = time.monotonic() + ANSWER_SECONDS
        with self._changed:
            while entry.descriptors is None and not entry.refused:
                if self._stopping() or time.monotonic() > deadline:
                    raise SourceOpenError(camera_id, "was not opened in time")
                self._changed.wait(0.2)
            if entry.descriptors is None:
                raise SourceOpenError(camera_id, entry.refused)
            return entry.descriptors

    def _await_beginning(self, source: RingSource, seconds: float) -> None:
        """What a recording's clock begins with is known once it is open."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while source.about.openings == 0 and source.about.state == OPEN and not self._stopping():
                if time.monotonic() > deadline:
                    return  # reading it will say why
                self._changed.wait(0.1)


class _DoorSource(RingSource):
    """A ring that is given back to the supervisor when it is closed."""

    def __init__(self, camera_id: str, descriptors: RingDescriptors, *, live: bool, door: CameraDoor) -> None:
        super().__init__(camera_id, descriptors, live=live)
        self._camera_id = camera_id
        self._door = door
        self._final: FrameAccounting | None = None
        self._left = False

    def upstream(self) -> FrameAccounting:
        """As of `RingSource`; once it was closed, with everything that was under way."""
        return self._final or super().upstream()

    def close(self) -> None:
        """Has the decoder end, and gives what nobody will take any more its fate. Twice is once."""
        if self._left:
            return
        self._left = True
        self.wake()
        counted = self._door.leave(self._camera_id)
        before = self._reader.before
        super().close()
        if counted:
            self._final = _settled(self._descriptors, before)
        self._descriptors.close()


def _settled(descriptors: RingDescriptors, before: SessionCounts) -> FrameAccounting:
    ring, counters = FrameRing(descriptors.ring), SharedCounters.attach(descriptors.counters)
    try:
        counters.settle_ring(*ring.newest(), DropReason.STOPPED)
        return account(counters.decoder, counters.matcher, before)
    finally:
        ring.close()
        counters.close()
