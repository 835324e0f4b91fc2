"""The cameras of a worker as they come, change and go, while the others are watched on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import structlog

from pipelines.camera_status import CameraStatus, Phase
from pipelines.camera_watch import CameraWatch
from pipelines.config import CameraConfig
from pipelines.live.camera_plan import CameraPlan, plan_cameras

REMOVED = "is in the settings no more"

_log = structlog.get_logger(__name__)


class Watches:
    """Every camera's thread. Changed by one thread, which never waits here; read by any.

    A camera that is removed, or has to be opened anew, is left first: until its frames are all counted it stays
    here. What was last to be said of one that is gone is kept until it was told.
    """

    def __init__(
        self, cameras: Mapping[str, CameraConfig], make: Callable[[str, CameraConfig], CameraWatch]
    ) -> None:
        """
        Args:
            cameras: of the settings.
            make: a camera's watch, not begun yet.
        """
        self._make = make
        self._configs = dict(cameras)
        self._watches = {camera_id: make(camera_id, camera) for camera_id, camera in cameras.items()}
        self._leaving: dict[str, CameraWatch] = {}
        self._gone: dict[str, CameraStatus] = {}
        self._parting = threading.Lock()
        self._started = False

    @property
    def cameras(self) -> dict[str, CameraConfig]:
        """The settings of every camera that is watched, or about to be."""
        return self._configs

    @property
    def active(self) -> dict[str, CameraWatch]:
        """Those that may be searched."""
        return self._watches

    @property
    def statuses(self) -> dict[str, CameraStatus]:
        """What each camera is doing, those that are being left among them."""
        watches = {**self._watches, **self._leaving}
        return {camera_id: watch.status for camera_id, watch in watches.items()}

    @property
    def gone(self) -> dict[str, CameraStatus]:
        """The last of cameras that are there no more, as far as it was not told."""
        with self._parting:
            return dict(self._gone)

    @property
    def done(self) -> bool:
        """Whether every recording is over, and nothing else is watched."""
        return not self._leaving and all(watch.done for watch in self._watches.values())

    def start(self) -> None:
        """Begins to watch."""
        self._started = True
        for watch in self._watches.values():
            watch.start()

    def change(self, cameras: Mapping[str, CameraConfig]) -> CameraPlan:
        """Takes other settings; what has to be left is on its way out when this returns. What failed is tried anew."""
        plan = plan_cameras(self._configs, cameras)
        self._configs = dict(cameras)
        watches = dict(self._watches)
        failed = [
            name for name, watch in watches.items() if watch.done and watch.status.phase is Phase.FAILED
        ]
        for camera_id in dict.fromkeys((*plan.removed, *plan.reopened, *failed)):
            watch = watches.pop(camera_id, None)
            if watch is not None:
                watch.set_list(None)
                watch.stop()
                self._leaving = {**self._leaving, camera_id: watch}
        for camera_id in plan.changed:
            if camera_id in watches:
                watches[camera_id].change(cameras[camera_id])
        self._watches = watches
        self.settle()
        return plan

    def settle(self) -> bool:
        """Lets go of cameras that have been left, and begins what waited for that; whether anything was done."""
        left = {camera_id: watch for camera_id, watch in self._leaving.items() if watch.done}
        for camera_id, watch in left.items():
            if camera_id not in self._configs:
                status = replace(watch.status, phase=Phase.STOPPED, detail=REMOVED)
                self._part(camera_id, status)
                _log.info("camera_removed", camera_id=camera_id)
        before = {camera_id: watch.status for camera_id, watch in left.items()}
        self._leaving = {name: watch for name, watch in self._leaving.items() if name not in left}
        new = [name for name in self._configs if name not in self._watches and name not in self._leaving]
        for camera_id in new:
            self._begin(camera_id, before.get(camera_id))
        return bool(left or new)

    def withdraw(self, camera_ids: Iterable[str]) -> None:
        """These were never watched, and are not spoken of any more."""
        for camera_id in camera_ids:
            self._part(camera_id, CameraStatus(Phase.STOPPED, REMOVED))

    def told(self, gone: Mapping[str, CameraStatus]) -> None:
        """The last word of these is where it belongs; from any thread."""
        with self._parting:
            self._gone = {name: one for name, one in self._gone.items() if gone.get(name) != one}

    def close(self, timeout_seconds: float) -> None:
        """Leaves every camera, and waits for that."""
        for watch in self._watches.values():
            watch.set_list(None)
        deadline = time.monotonic() + timeout_seconds
        watches = (*self._watches.values(), *self._leaving.values())
        for watch in watches:
            watch.stop()
        for watch in watches:
            watch.join(max(0.0, deadline - time.monotonic()))

    def _part(self, camera_id: str, status: CameraStatus) -> None:
        with self._parting:
            self._gone[camera_id] = status

    def _begin(self, camera_id: str, before: CameraStatus | None) -> None:
        watch = self._make(camera_id, self._configs[camera_id])
        if before is not None:
            watch.go_on_from(before)
        with self._parting:
            self._gone.pop(camera_id, None)
        self._watches = {**self._watches, camera_id: watch}
        if self._started:
            watch.start()
