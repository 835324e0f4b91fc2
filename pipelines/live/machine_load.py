"""What a worker's cameras ask of its machine, and which of them it therefore watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import structlog

from pipelines.config import CameraConfig
from pipelines.live.admission import Admission, Demand, Standing
from pipelines.live.schedule import FairTurns, TurnFigures
from pipelines.session import CameraSession, SessionOptions
from pipelines.stages import Engines
from vision.locations import scheme_of
from vision.types import Frame

DECIDE_SECONDS = 1.0
_TRUSTED_TURNS = 10
"""A camera's first frames pay for what is made once; its mean counts from here on."""

_ASKED_SECONDS = 60.0
"""Over about so long it is seen what a camera whose gate closes really asks for."""

_EXPECTED_SHARE = 0.5
"""Of its configured rate is what a camera with a gate counts for until it was seen: most scenes are still at times."""

_LEAST_SHARE = 0.1
"""Of its configured rate is set aside even for a camera that has been still for hours."""

_LONG_WAIT = 0.5
"""Of a camera's period between frames: who waits longer may ask for more than it gets."""

_USUAL_WH = (1280, 720)

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Asked:
    """What a camera asked for lately."""

    fps: float
    turns: int
    at_seconds: float


class MachineLoad:
    """Decides, about once a second, which live cameras are watched.

    Recordings do not count: they are read as fast as what is left allows. A camera whose motion gate closes asks for
    less than its configured rate; what it really asks for is seen while nobody waits, else its full rate counts.

    Args:
        cameras: all there are.
        turns: measures what their frames take.
        usual_seconds: what a frame takes before that is known, by `measure_frame_seconds`; None: nothing is known.
        monotonic: seconds that never go back.
    """

    def __init__(
        self,
        cameras: Mapping[str, CameraConfig],
        turns: FairTurns,
        usual_seconds: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turns = turns
        self._monotonic = monotonic
        self._admission = Admission(turns.slots, usual_seconds)
        self._cameras: dict[str, CameraConfig] = {}
        self._asked: dict[str, _Asked] = {}
        self._standing = Standing()
        self._next_seconds = -1.0
        self._asking: frozenset[str] = frozenset()
        self.cameras_are(cameras)

    @property
    def standing(self) -> Standing:
        """What was decided last."""
        return self._standing

    def cameras_are(self, cameras: Mapping[str, CameraConfig]) -> None:
        """Takes other cameras in place of those before."""
        for camera_id in self._cameras.keys() - cameras.keys():
            self._turns.forget(camera_id)
            self._asked.pop(camera_id, None)
        for camera_id, camera in cameras.items():
            self._turns.ask(camera_id, camera.inference_fps, camera.priority)
        self._cameras = dict(cameras)

    def admitted(self, asking: Iterable[str]) -> frozenset[str]:
        """Which of the cameras that may be searched now are watched.

        Args:
            asking: those cameras.
        """
        wanted = frozenset(asking)
        now = self._monotonic()
        if wanted != self._asking or now >= self._next_seconds:
            self._asking, self._next_seconds = wanted, now + DECIDE_SECONDS
            before, self._standing = self._standing, self._admission.decide(self._demands(wanted), now)
            if self._standing.refused.keys() != before.refused.keys():
                self._tell()
        return wanted - self._standing.refused.keys()

    def _demands(self, asking: frozenset[str]) -> list[Demand]:
        figures = self._turns.figures()
        demands = []
        for camera_id, camera in self._cameras.items():
            if camera_id not in asking or scheme_of(camera.source) is None:
                continue
            had = figures.get(camera_id)
            known = had is not None and had.turns >= _TRUSTED_TURNS
            seconds = had.recent_held_seconds if had is not None and known else None
            asked = _expected_fps(camera)
            if had is not None and camera_id in self._standing.admitted:
                asked = self._asked_fps(camera_id, camera, had)
            else:
                self._asked.pop(camera_id, None)  # what is not watched asks for nothing that could be seen
            demands.append(Demand(camera_id, asked, camera.priority, seconds))
        return demands

    def _asked_fps(self, camera_id: str, camera: CameraConfig, had: TurnFigures) -> float:
        """Frames a second a camera asks for, at most its configured rate."""
        configured, now = camera.inference_fps, self._monotonic()
        asked = self._asked.setdefault(camera_id, _Asked(_expected_fps(camera), had.turns, now))
        elapsed = now - asked.at_seconds
        if elapsed > 0:
            newest = min(1.0, elapsed / _ASKED_SECONDS)
            asked.fps += newest * ((had.turns - asked.turns) / elapsed - asked.fps)
            asked.turns, asked.at_seconds = had.turns, now
        if not camera.motion_gate.enabled or had.recent_wait_seconds * configured > _LONG_WAIT:
            return configured
        return min(configured, max(asked.fps, _LEAST_SHARE * configured))

    def _tell(self) -> None:
        standing = self._standing
        if standing.refused:
            _log.warning("machine_full", reason=standing.summary, not_admitted=sorted(standing.refused))
        else:
            _log.info("machine_has_room", reason=standing.summary)


def expected_standing(cameras: Mapping[str, CameraConfig], slots: int, usual_seconds: float) -> Standing:
    """Who would be watched, were all live cameras searched at once.

    Args:
        cameras: all there are.
        slots: frames looked at at a time.
        usual_seconds: what a frame takes.
    """
    demands = [
        Demand(camera_id, _expected_fps(camera), camera.priority)
        for camera_id, camera in cameras.items()
        if scheme_of(camera.source) is not None
    ]
    return Admission(slots, usual_seconds).decide(demands, 0.0)


def _expected_fps(camera: CameraConfig) -> float:
    return camera.inference_fps * (_EXPECTED_SHARE if camera.motion_gate.enabled else 1.0)


def first_guess(cameras: Mapping[str, CameraConfig], engines: Callable[[], Engines]) -> float | None:
    """What a frame takes, measured where it decides anything: one camera alone is watched in any case.

    Args:
        cameras: of a worker.
        engines: makes those of one session.

    Raises:
        VisionError: a model failed.
    """
    crops = [camera.region_crops for camera in cameras.values() if scheme_of(camera.source) is not None]
    return measure_frame_seconds(engines(), max(crops)) if len(crops) > 1 else None


def measure_frame_seconds(
    engines: Engines, region_crops: int = 1, monotonic: Callable[[], float] = time.perf_counter
) -> float:
    """What one frame takes on this machine, one at a time: a first guess, before cameras are measured.

    The picture is a wall of 1280 × 720 before which something moves, so that parts of it are searched closely, too;
    nobody is found, and faces come on top.

    Args:
        engines: as a session is given them.
        region_crops: moving parts searched closely.
        monotonic: a clock, seconds.

    Raises:
        VisionError: a model failed.
    """
    with CameraSession(engines, SessionOptions(None, region_crops=region_crops)) as session:
        for index in range(2):  # the first ones are slower
            session.infer(_wall(index))
        began = monotonic()
        session.infer(_wall(2))
        return monotonic() - began


def _wall(index: int) -> Frame:
    width, height = _USUAL_WH
    shade = np.linspace(60, 160, width, dtype=np.float32).astype(np.uint8)
    image = np.broadcast_to(shade[None, :, None], (height, width, 3)).copy()
    left = 400 + 40 * index
    image[300:460, left : left + 60] = 30
    return Frame(image, index / 10, index)
