"""The process behind `aiqyn work`: starts the matching process and the decoders, watches over them, replaces them.

It holds no models, no gallery and no key, and does not talk to Redis. It reads the settings, with the secrets of
addresses, and hands each child what that child needs over its socket. One thread, which waits for what happens.

A matching process is *loading*, then *ready*, and runs once it is told to go: so the next one can load its models
while this one still runs (`worker.standby`), and takes over without a wait when this one has to go.

Settings are read again when `reload` is called: cameras come, change and go, and nothing else is touched.
"""

from __future__ import annotations

import random
import selectors
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import structlog
from pydantic import TypeAdapter

from pipelines.camera_status import CameraStatus, Phase, WorkerReport
from pipelines.config import CameraConfig, Config
from pipelines.errors import PipelineError
from pipelines.given_cameras import GivenCamera
from pipelines.live.camera_slot import HEALTHY_SECONDS, CameraSlot, Masks
from pipelines.live.children import Child, Death, matcher_program
from pipelines.live.clip_messages import ClipWanted
from pipelines.live.control import (
    AnyMessage,
    CameraLeft,
    CameraMasks,
    CameraRefused,
    CamerasChanged,
    CamerasGiven,
    CameraWanted,
    ChildDied,
    Ended,
    Go,
    Leave,
    Ready,
    Refused,
    close_all,
)
from pipelines.live.reconnect import Backoff
from pipelines.live.reloading import LiveSettings
from pipelines.live.supervisor_options import SupervisorOptions, matcher_job
from pipelines.live.supervisor_signals import RELOAD, STOP, Words

FAILED_STARTS = 3
"""Attempts at a first start; after it, a matching process that dies is replaced for ever."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Matcher:
    """One matching process."""

    child: Child
    ready: bool = False
    running: bool = False
    report: WorkerReport | None = None
    refused: str = ""
    beat_heard: bool = False


class Supervisor:
    """Runs one worker's processes until asked to stop."""

    def __init__(self, config: Config, options: SupervisorOptions) -> None:
        self._settings = LiveSettings(config, options.read_settings)
        self._options = options
        self._times = options.times
        self._slots = {
            camera_id: self._slot(camera_id, camera) for camera_id, camera in config.cameras.items()
        }
        self._active: _Matcher | None = None
        self._standby: _Matcher | None = None
        self._backoff = Backoff(random.Random())  # noqa: S311 spreads attempts, hides nothing
        self._start_at: float | None = time.monotonic()
        self._standby_at: float | None = None
        self._reap_slots_at: float | None = None
        self._end_at: float | None = None
        self._died_at: float | None = None
        self._deaths: list[ChildDied] = []
        self._ever_ran = False
        self._failed_starts = 0
        self._report: WorkerReport | None = None
        self._words = Words()

    def stop(self) -> None:
        """Asks everything to end in order; `run` returns soon after. Safe in a signal handler."""
        self._words.leave(STOP)

    def reload(self) -> None:
        """Asks for the settings to be read again, once for all that asked meanwhile. Safe in a signal handler."""
        self._words.leave(RELOAD)

    def run(self) -> WorkerReport:
        """Watches over everything until it has ended.

        Raises:
            PipelineError: the matching process cannot begin; with what to do.
        """
        try:
            while self._report is None:
                timeout = self._do_what_is_due()
                if self._report is None:
                    self._wait(timeout)
            return self._report
        finally:
            self._end_all()

    def _wait(self, timeout_seconds: float | None) -> None:
        """Waits until something happens, and deals with it."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._words, selectors.EVENT_READ, self._signalled)
            for matcher in self._matchers():
                self._watch(selector, matcher.child, partial(self._hear, matcher))
            for slot in self._slots.values():
                if slot.child is not None:
                    self._watch(selector, slot.child, partial(self._hear_decoder, slot))
            for key, _ in selector.select(timeout_seconds):
                key.data()

    def _watch(self, selector: selectors.BaseSelector, child: Child, hear: Callable[[], None]) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.wants_to_write else 0)
        if not child.silent:
            selector.register(child.control, events, hear)
        selector.register(child.pidfd, selectors.EVENT_READ, hear)

    def _matchers(self) -> Iterator[_Matcher]:
        yield from (one for one in (self._active, self._standby) if one is not None)

    def _signalled(self) -> None:
        words = self._words.taken()
        if self._end_at is not None:
            return
        if STOP in words:
            self._end_in_order()
        elif self._settings.read_again() is None:
            self._tell_cameras()  # what is wrong stands in their state, too
        else:
            self._put_cameras_in_force()

    def _put_cameras_in_force(self) -> None:
        """Every camera has its slot, and every slot its settings; who reads those that are gone leaves them."""
        cameras = self._settings.config.cameras
        for camera_id, camera in cameras.items():
            if camera_id in self._slots:
                self._slots[camera_id].change(camera)
            else:
                self._slots[camera_id] = self._slot(camera_id, camera)
        for camera_id in self._slots.keys() - cameras.keys():
            slot = self._slots[camera_id]
            slot.retired = True
            if self._active is None or not self._active.running:
                slot.leave()  # nobody else will
        self._tell_cameras()

    def _tell_cameras(self) -> None:
        document = self._settings.config.model_dump(mode="json", include={"cameras"})
        for matcher in self._matchers():
            matcher.child.post(
                CamerasChanged(document["cameras"], self._settings.note, self._settings.refused)
            )

    def _slot(self, camera_id: str, camera: CameraConfig) -> CameraSlot:
        return CameraSlot(camera_id, camera, self._options.decoder, self._tell_matcher)

    def _end_in_order(self) -> None:
        self._end_at = time.monotonic() + self._times.end_seconds
        self._start_at = self._standby_at = None
        if self._standby is not None:
            self._standby.child.close()
            self._standby = None
        if self._active is not None and self._active.running:
            self._active.child.post(Leave())
        else:
            self._report = self._own_report(Phase.STOPPED, "")

    def _do_what_is_due(self) -> float | None:
        """Starts, kills and leaves what it is time for; seconds until there is more."""
        now = time.monotonic()
        due = [self._matcher_due(now), self._hangs_due(now), self._unwanted_due(now)]
        due += [slot.due(now) for slot in self._slots.values()]
        self._slots = {name: slot for name, slot in self._slots.items() if slot.is_open or not slot.retired}
        known = [at for at in due if at is not None]
        return max(0.0, min(known) - time.monotonic()) if known else None

    def _matcher_due(self, now: float) -> float | None:
        if self._start_at is not None and now >= self._start_at:
            self._start_at = None
            self._active = self._load()
        if self._standby_at is not None and now >= self._standby_at:
            self._standby_at = None
            self._standby = self._load()
        return min((at for at in (self._start_at, self._standby_at) if at is not None), default=None)

    def _hangs_due(self, now: float) -> float | None:
        """Kills matching processes that are overdue; their end is heard like any other."""
        next_at: list[float] = []
        for matcher in self._matchers():
            child = matcher.child
            patience = self._times.beat_seconds if matcher.running else self._times.load_seconds
            waits = matcher.ready and not matcher.running
            at = child.heard_at + patience
            if matcher is self._active and self._end_at is not None:
                at = self._end_at
            if waits:
                continue
            if now >= at:
                child.kill(Death("hung", f"gave no sign of life for {patience:g} s and was killed"))
            else:
                next_at.append(at)
        return min(next_at, default=None)

    def _unwanted_due(self, now: float) -> float | None:
        if self._reap_slots_at is None or now < self._reap_slots_at:
            return self._reap_slots_at
        self._reap_slots_at = None
        for slot in self._slots.values():
            if slot.is_open and not slot.read:
                slot.leave()
        return None

    def _load(self) -> _Matcher:
        matcher = _Matcher(Child("matcher", self._options.matcher or matcher_program(self._settings.config)))
        matcher.child.post(matcher_job(self._settings, self._options))
        return matcher

    def _hear(self, matcher: _Matcher) -> None:
        if matcher not in (self._active, self._standby):
            return  # buried a moment ago
        child = matcher.child
        child.flush()
        for message, descriptors in child.received():
            self._take(matcher, message)
            close_all(descriptors)
        death = child.died()
        if death is not None:
            self._bury(matcher, death)

    def _take(self, matcher: _Matcher, message: AnyMessage) -> None:
        match message:
            case Ready():  # not told before: one that cannot begin says one line, why
                _log.info("child_started", child=matcher.child.name, pid=matcher.child.pid)
                matcher.ready = True
                self._let_go(matcher)
            case Refused(reason):
                matcher.refused = reason
            case Ended(report):
                matcher.report = TypeAdapter(WorkerReport).validate_python(report)
            case CameraWanted():
                self._want(message)
            case CamerasGiven(cameras) if self._end_at is None:
                self._settings.give({name: GivenCamera.model_validate(one) for name, one in cameras.items()})
                self._put_cameras_in_force()
            case CameraMasks(camera_id, privacy, detection) if camera_id in self._slots:
                self._slots[camera_id].mask(Masks(privacy, detection))
            case CameraLeft(camera_id) if camera_id in self._slots:
                self._slots[camera_id].leave()
            case ClipWanted(camera_id) if camera_id in self._slots:
                self._slots[camera_id].ask_clip(message)
            case _:
                self._heard_beat(matcher)

    def _heard_beat(self, matcher: _Matcher) -> None:
        if matcher.beat_heard:
            return
        matcher.beat_heard = self._ever_ran = True
        if self._died_at is not None:
            seconds = time.monotonic() - self._died_at
            _log.info("matcher_replaced", blind_seconds=round(seconds, 3))
            self._died_at = None

    def _want(self, wanted: CameraWanted) -> None:
        slot = self._slots.get(wanted.camera_id)
        if slot is None or slot.retired:
            refused = CameraRefused(wanted.camera_id, wanted.opening, "is not in the settings")
            self._tell_matcher(refused, ())
        else:
            slot.want(wanted.opening, Masks(wanted.privacy_masks, wanted.detection_masks))

    def _let_go(self, matcher: _Matcher) -> None:
        """Lets a matching process run that is ready, where no other one does."""
        if matcher is not self._active or not matcher.ready or matcher.running:
            return
        matcher.running = True
        for slot in self._slots.values():
            slot.read = False
        now = time.monotonic()
        self._reap_slots_at = now + self._times.unwanted_seconds
        if self._options.standby:
            self._standby_at = now + self._times.standby_after_seconds
        matcher.child.heard_at = now
        matcher.child.post(Go())
        for died in self._deaths:
            matcher.child.post(died)
        self._deaths.clear()

    def _bury(self, matcher: _Matcher, death: Death) -> None:
        exit_code = matcher.child.exit_code
        lived_seconds = time.monotonic() - matcher.child.began_at
        matcher.child.close()
        if matcher is self._standby:
            _log.warning("standby_died", kind=death.kind, reason=matcher.refused or death.detail)
            self._standby, self._standby_at = None, time.monotonic() + self._backoff_seconds(lived_seconds)
            return
        self._active = None
        for slot in self._slots.values():
            slot.matcher_died()
        if matcher.report is not None and not matcher.report.replace and exit_code == 0:
            self._report = matcher.report
        elif self._end_at is not None:
            self._report = matcher.report or self._own_report(
                Phase.FAILED, f"the matching process {death.detail}"
            )
        elif not self._ever_ran and self._gives_up(matcher):
            raise PipelineError(matcher.refused or f"the matching process did not begin: it {death.detail}")
        else:
            self._replace(matcher, death, lived_seconds)

    def _gives_up(self, matcher: _Matcher) -> bool:
        """Whether nothing will come of trying again: it said why, or it never began."""
        self._failed_starts += 1
        return bool(matcher.refused) or self._failed_starts >= FAILED_STARTS

    def _replace(self, matcher: _Matcher, death: Death, lived_seconds: float) -> None:
        """The next one: the stand-by where there is one; at once where the last one ended on purpose."""
        now = time.monotonic()
        self._died_at = self._died_at or now
        reason = matcher.refused or death.detail
        on_purpose = death.kind == "gallery_changed" and matcher.running
        log = _log.info if on_purpose else _log.warning
        log("matcher_died", kind=death.kind, reason=reason)
        self._deaths.append(ChildDied("matcher", "", death.kind, reason))
        if self._standby is not None:
            self._active, self._standby = self._standby, None
            self._let_go(self._active)
        else:
            self._standby_at = None
            self._start_at = now + (0.0 if on_purpose else self._backoff_seconds(lived_seconds))

    def _backoff_seconds(self, lived_seconds: float) -> float:
        if lived_seconds >= HEALTHY_SECONDS:
            self._backoff.reset()
            return 0.0
        return self._backoff.wait_seconds(0.0, refused=True)

    def _hear_decoder(self, slot: CameraSlot) -> None:
        child = slot.child
        if child is None:
            return
        child.flush()
        slot.take(child)
        death = child.died()
        if death is not None:
            code, lived_seconds = child.exit_code, time.monotonic() - child.began_at
            child.close()
            slot.buried(death, 0 if code is None else code, lived_seconds)

    def _tell_matcher(self, message: AnyMessage, descriptors: tuple[int, ...]) -> None:
        if self._active is not None and self._active.running:
            self._active.child.post(message, descriptors)

    def _own_report(self, phase: Phase, detail: str) -> WorkerReport:
        """What can be said where no matching process said it."""
        status = CameraStatus(phase, detail)
        config = self._settings.config
        spool = config.paths.data_dir / "spool" / config.worker.id
        waiting = len(list(spool.glob("*.json"))) if spool.is_dir() else 0
        return WorkerReport(dict.fromkeys(self._slots, status), waiting)

    def _end_all(self) -> None:
        for matcher in self._matchers():
            matcher.child.close()
        self._active = self._standby = None
        for slot in self._slots.values():
            slot.abandon()
        self._words.close()
