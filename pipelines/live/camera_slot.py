"""One camera as the supervisor keeps it: its ring and counters, and a decoder that fills them, replaced when it dies.

Ring and counters outlive every process that uses them. A decoder that died is started again after a while that
grows with each time, for as long as the matching process wants the camera; a recording's is not: what it had given
cannot be given twice, so the matching process decides. Where the settings change, a camera's decoder alone is
replaced: ring, counters and whoever reads them go on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from pipelines.config import CameraConfig
from pipelines.errors import PipelineError
from pipelines.live.camera_plan import is_live, must_reopen
from pipelines.live.children import Child, Death, Program
from pipelines.live.clip_messages import ClipMade, ClipWanted
from pipelines.live.control import (
    AnyMessage,
    CameraClosed,
    CameraOpened,
    CameraRefused,
    ChildDied,
    close_all,
)
from pipelines.live.counters import SharedCounters
from pipelines.live.memory import RingError
from pipelines.live.messages import (
    DecoderJob,
    DecoderState,
    GapEnded,
    GateSettings,
    MasksChanged,
    Stop,
)
from pipelines.live.reconnect import Backoff
from pipelines.live.ring import FAILED, FrameRing, RingDescriptors, wake
from pipelines.live.slot_gaps import SlotGaps
from vision.polygons import Polygon

STOP_SECONDS = 3.0
"""What a decoder has to end in order; then it is killed."""

CHECK_SECONDS = 5.0
"""How often a live camera's decoder is looked at: whether it read something, or said something."""

_SPARE_SECONDS = 15.0
_LONGEST_WAIT_SECONDS = 30.0
"""Between two attempts to reach a camera; a decoder says nothing meanwhile."""

HEALTHY_SECONDS = 30.0
"""A decoder that ran so long before it died is started again soon."""

_log = structlog.get_logger(__name__)

Tell = Callable[[AnyMessage, tuple[int, ...]], None]
"""Posts a message, with descriptors that stay the caller's, to the matching process, if there is one."""


@dataclass(frozen=True, slots=True)
class Masks:
    """Polygons on one camera's picture, as `DecoderJob` has them."""

    privacy: tuple[Polygon, ...] = ()
    detection: tuple[Polygon, ...] = ()


class CameraSlot:
    """One configured camera."""

    def __init__(self, camera_id: str, config: CameraConfig, program: Program, tell: Tell) -> None:
        self.camera_id = camera_id
        self.config = config
        self.live = is_live(config)
        self.child: Child | None = None
        self.retired = False
        """Whether it is in the settings no more; it goes as soon as nobody reads it."""
        self._program = program
        self._tell = tell
        self._masks = Masks()
        self._descriptors: RingDescriptors | None = None
        self._state: DecoderState | None = None
        self._backoff = Backoff(random.Random())  # noqa: S311 spreads attempts, hides nothing
        self._gaps = SlotGaps(camera_id, lambda gap: tell(gap, ()))
        self._start_at: float | None = None
        self._kill_at: float | None = None
        self._opening = 0
        self._read, self._read_at, self._check_at = 0, 0.0, 0.0
        self._wanted = False
        self._wanted_again: int | None = None
        self._next: CameraConfig | None = None
        self._job_now: DecoderJob | None = None
        self._swapping = False
        self.read = False
        """Whether the matching process that runs now wants it; set by `want`."""

    @property
    def is_open(self) -> bool:
        """Whether it has a ring: it is wanted, or its decoder is ending."""
        return self._descriptors is not None

    def want(self, opening: int, masks: Masks) -> None:
        """The matching process reads this camera, from now on or again.

        Args:
            opening: its number for this; the answers repeat it.
            masks: that hold.
        """
        self._masks = masks
        self.read = True
        if self._next is not None and self._wanted:
            self.leave()  # what is open is of the settings before
        if self.is_open and not self._wanted:
            self._wanted_again = opening  # opened afresh as soon as the decoder that is ending has ended
            return
        self._opening = opening
        if self.is_open:
            self.mask(masks)
        else:
            self._open()
        if self._descriptors is not None:
            self._tell(CameraOpened(self.camera_id, self._opening), self._descriptors.sent())
            if self._state is not None:
                self._tell(self._state, ())

    def mask(self, masks: Masks) -> None:
        """Other masks hold from the next picture on."""
        self._masks = masks
        if self.child is not None:
            self.child.post(MasksChanged(masks.privacy, masks.detection))

    def change(self, config: CameraConfig) -> None:
        """Goes by other settings, or by the same with other secrets.

        A camera's decoder is replaced where it would be told something else than before. What has to be opened anew
        is left as it is, until whoever reads it has left it.
        """
        before, self.retired = self._next or self.config, False
        if self.is_open and must_reopen(self.config, config):
            self._next = config
            return
        self._next, self.config, self.live = None, config, is_live(config)
        if not self.live or not self._wanted:
            return
        try:
            told = replace(self._job(), privacy_masks=(), detection_masks=())
        except PipelineError as error:
            if config == before:
                _log.error(
                    "camera_secret_missing", camera_id=self.camera_id, reason=str(error), now="as before"
                )
                return
            told = None  # starting it will say why it cannot be
        if told != self._job_now:
            self._swap()

    def ask_clip(self, wanted: ClipWanted) -> None:
        """Hands a wish on, where a decoder runs; whoever asked gives up by the clock."""
        if self.child is not None:
            self.child.post(wanted)

    def leave(self) -> None:
        """Nobody reads this camera any more."""
        self._wanted, self._wanted_again = False, None
        self._start_at = None
        if self.child is None:
            self._close()
        elif self._kill_at is None:
            self.child.post(Stop())
            self._kill_at = time.monotonic() + STOP_SECONDS

    def matcher_died(self) -> None:
        """What it had taken, and not said the fate of, gets one; the next goes on behind it."""
        if self._descriptors is not None:
            counters = SharedCounters.attach(self._descriptors.counters)
            counters.settle_matcher()
            counters.close()

    def take(self, child: Child) -> None:
        """Hands on what the decoder said."""
        for message, descriptors in child.received():
            if (
                isinstance(message, DecoderState | GapEnded | ClipMade)
                and message.camera_id == self.camera_id
            ):
                self._pass_on(message, descriptors)
            else:
                _log.warning("decoder_unclear", camera_id=self.camera_id, message=type(message).__name__)
            close_all(descriptors)

    def _pass_on(self, message: DecoderState | GapEnded | ClipMade, descriptors: tuple[int, ...]) -> None:
        if isinstance(message, GapEnded):
            self._gaps.pass_on(message)
        elif not (isinstance(message, DecoderState) and self._swapping):  # another one is awaited
            if isinstance(message, DecoderState):
                self._heard(message)
            self._tell(message, descriptors)

    def buried(self, death: Death, exit_code: int, lived_seconds: float) -> None:
        """The decoder is gone; `child` was closed."""
        self.child = None
        self._settle()
        self._gaps.decoder_gone()
        if lived_seconds >= HEALTHY_SECONDS:
            self._backoff.reset()
        if not self._wanted:
            self._close()
            return
        if self._swapping:
            self._swapping, self._kill_at, self._start_at = False, None, time.monotonic()
            return
        over = exit_code >= 0 and self._state is not None and self._state.phase in ("ended", "failed")
        if not over:
            self._lost(death)

    def due(self, now: float) -> float | None:
        """Does what it is time for; when it is to be asked again, None: when something happens."""
        if self._kill_at is not None and now >= self._kill_at and self.child is not None:
            self._kill_at = None
            self.child.kill(Death("hung", f"did not end within {STOP_SECONDS:g} s and was killed"))
        if self._start_at is not None and now >= self._start_at:
            self._start_at = None
            self._start()
        self._kill_if_hung(now)
        check_at = self._check_at if self.child is not None and self.live else None
        return min((at for at in (self._kill_at, self._start_at, check_at) if at is not None), default=None)

    def abandon(self) -> None:
        """Ends everything at once."""
        self._wanted, self._wanted_again = False, None
        if self.child is not None:
            self.child.close()
            self.child = None
        self._close()

    def _kill_if_hung(self, now: float) -> None:
        """A live camera's decoder reads pictures, or says why not; one that does neither was stopped, or hangs."""
        if self.child is None or self._descriptors is None or not self.live or now < self._check_at:
            return
        self._check_at = now + CHECK_SECONDS
        counters = SharedCounters.attach(self._descriptors.counters)
        read = counters.decoder.read
        counters.close()
        if read != self._read:
            self._read, self._read_at = read, now
        settings = self.config
        patience = max(
            3 * settings.open_timeout_seconds, settings.read_timeout_seconds, _LONGEST_WAIT_SECONDS
        )
        if now - max(self._read_at, self.child.heard_at) > patience + _SPARE_SECONDS:
            self.child.kill(
                Death("hung", f"gave no sign of life for {patience + _SPARE_SECONDS:g} s and was killed")
            )

    def _open(self) -> None:
        try:
            descriptors = RingDescriptors.create(self.config.max_pixels)
        except OSError as error:
            reason = f"no memory for the camera's frames: {error.strerror}"
            self._tell(CameraRefused(self.camera_id, self._opening, reason), ())
            return
        self._descriptors, self._state = descriptors, None
        self._wanted = True
        self._start()

    def _swap(self) -> None:
        """Another decoder, at once; until it gives pictures the camera is in a gap."""
        self._gaps.end()
        self._gaps.begin("settings_changed")
        self._say("opening", "the settings have changed")
        self._backoff.reset()
        if self.child is None:
            self._start_at = time.monotonic()
        elif not self._swapping:
            self._swapping = True
            self.child.post(Stop())
            self._kill_at = time.monotonic() + STOP_SECONDS

    def _start(self) -> None:
        if self._descriptors is None:
            return
        try:
            job = self._job()
            child = Child(f"decoder {self.camera_id}", self._program)
        except PipelineError as error:  # a secret that is missing, a machine that is full
            self._fail(str(error))
            return
        _log.info("child_started", child=child.name, pid=child.pid)
        child.post(job, self._descriptors.sent())
        self.child, self._job_now = child, replace(job, privacy_masks=(), detection_masks=())

    def _job(self) -> DecoderJob:
        camera, gate = self.config, self.config.motion_gate
        return DecoderJob(
            self.camera_id,
            camera.address(),
            self.live,
            camera.inference_fps,
            camera.source_settings(),
            GateSettings(gate.enabled, gate.min_moving_share, gate.heartbeat_seconds, gate.linger_seconds),
            self._masks.privacy,
            self._masks.detection,
            camera.clip.seconds_before,
            camera.clip.seconds_after,
        )

    def _heard(self, state: DecoderState) -> None:
        self._state = state
        if state.phase == "running":
            self._gaps.good()

    def _lost(self, death: Death) -> None:
        _log.warning("decoder_died", camera_id=self.camera_id, kind=death.kind, reason=death.detail)
        self._tell(ChildDied("decoder", self.camera_id, death.kind, death.detail), ())
        detail = f"the decoder {death.detail}"
        if not self.live:
            self._fail(detail)
            return
        self._gaps.begin("decoder_died")
        seconds = self._backoff.wait_seconds(0.0, refused=True)
        self._start_at = time.monotonic() + seconds
        self._say("retrying", f"{detail}; started again in {seconds:.1f} s")

    def _fail(self, detail: str) -> None:
        """Ends the source for whoever reads the ring, too."""
        self._say("failed", detail)
        if self._descriptors is not None:
            ring = FrameRing(self._descriptors.ring)
            ring.about = replace(ring.about, state=FAILED, reason=detail)
            ring.close()
            wake(self._descriptors.ready)

    def _say(self, phase: Literal["failed", "opening", "retrying"], detail: str) -> None:
        reconnects = self._state.reconnects if self._state else 0
        self._state = DecoderState(self.camera_id, phase, detail, reconnects=reconnects)
        self._tell(self._state, ())

    def _settle(self) -> None:
        """What the decoder had in its hands gets a fate."""
        if self._descriptors is None:
            return
        with suppress(RingError):  # what it wrote makes no sense; what is counted stays as it is
            ring, counters = (
                FrameRing(self._descriptors.ring),
                SharedCounters.attach(self._descriptors.counters),
            )
            counters.settle_decoder(ring.published)
            ring.close()
            counters.close()

    def _close(self) -> None:
        self._kill_at = self._start_at = None
        self._state, self._job_now, self._swapping = None, None, False
        self._gaps.end()
        if self._next is not None:
            self.config, self.live, self._next = self._next, is_live(self._next), None
        if self._descriptors is None:
            return
        self._tell(CameraClosed(self.camera_id, self._opening), ())
        self._descriptors.close()
        self._descriptors = None
        opening, self._wanted_again = self._wanted_again, None
        if opening is not None:
            self.want(opening, self._masks)
