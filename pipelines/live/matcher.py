"""The matching process: models, galleries, spool, evidence, Redis; no camera's bytes. Started by the supervisor.

`python -m pipelines.live.matcher <descriptor of its control socket>`. It loads its models, says that it is ready, and
opens spool and galleries when it is told to go: until then another one may still be running. It ends with exit
code 75 when somebody may no longer be searched: nothing in its memory then outlives it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace

import structlog
from redis import Redis

from pipelines.acl import worker_user
from pipelines.build import Perception, PerceptionOptions, build_perception
from pipelines.camera_status import WorkerReport
from pipelines.config import CameraConfig, Config
from pipelines.errors import BusError, PipelineError
from pipelines.given_cameras import GivenCamera
from pipelines.live import control
from pipelines.live.children import REPLACE_CODE, socket_of
from pipelines.live.clip_messages import ClipMade
from pipelines.live.control import (
    AnyMessage,
    Beat,
    CamerasChanged,
    CamerasGiven,
    ChildDied,
    Ended,
    Go,
    Leave,
    MatcherJob,
    Ready,
    Refused,
    close_all,
)
from pipelines.live.door import CameraDoor
from pipelines.live.gaps import GapLogError
from pipelines.live.limits import end_with_parent
from pipelines.live.machine_load import first_guess
from pipelines.live.messages import GapEnded, MessageError
from pipelines.live.observing import Observing
from pipelines.logs import log_to_stderr
from pipelines.process_guard import forbid_memory_dumps
from pipelines.streams import connect
from pipelines.thread_budget import apply_threads, plan_threads
from pipelines.tracing import tracing_from
from pipelines.worker import Worker
from pipelines.worker_keys import WorkerKeys
from pipelines.worker_place import WorkerPlace, check_worker
from vision.errors import VisionError
from weights.catalog import load_catalog
from weights.errors import WeightsError
from weights.store import WeightStore

BEAT_SECONDS = 1.0
REFUSED_CODE = 1
ORPHANED_CODE = 70
"""The supervisor is gone; nobody is left to tell."""

Perceive = Callable[[Config, Observing], Perception]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Given:
    """What the supervisor said, read back."""

    config: Config
    job: MatcherJob

    def with_cameras(self, changed: CamerasChanged) -> _Given:
        """The same with other cameras."""
        config = self.config.model_copy(update={"cameras": _cameras_of(changed)})
        return _Given(config, replace(self.job, note=changed.note))


class Matcher:
    """One matching process, from its job to its end.

    Args:
        supervisor: the control socket.
        perceive: loads the models.
    """

    def __init__(self, supervisor: socket.socket, perceive: Perceive) -> None:
        self._supervisor = supervisor
        self._perceive = perceive
        self._sending = threading.Lock()
        self._leaving = threading.Event()
        self._worker: Worker | None = None
        self._observing: Observing | None = None
        self._door = CameraDoor(self._tell, self._leaving.is_set)
        self._beaten_at = 0.0

    def run(self) -> int:
        """Runs it; the exit code."""
        try:
            report = self._work(self._given())
        except (PipelineError, WeightsError, VisionError) as error:
            self._tell(Refused(str(error)))
            return REFUSED_CODE
        self._tell(Ended(_document(report)))
        if self._observing is not None:
            self._observing.tracing.close()
        return REPLACE_CODE if report.replace else 0

    def _given(self) -> _Given:
        message = self._next()
        if not isinstance(message, MatcherJob):
            raise MessageError(f"the supervisor began with {type(message).__name__}")
        return _Given(Config.model_validate(message.config), message)

    def _next(self) -> AnyMessage:
        received = control.receive(self._supervisor)
        if received is None:
            raise SystemExit(ORPHANED_CODE)
        message, descriptors = received
        close_all(descriptors)
        return message

    def _work(self, given: _Given) -> WorkerReport:
        keys = WorkerKeys.load(given.config.worker_keys_dir())
        check_worker(given.config, keys)
        redis = _connected(given, keys)
        # Not before: what cannot begin says one line, why, and nothing of the clock.
        observing = self._observing = Observing()
        observing.tracing = tracing_from("aiqyn-worker")
        perception = self._perceive(given.config, observing)
        frame_seconds = first_guess(given.config.cameras, perception.engines)
        self._tell(Ready())
        go = self._next()
        while isinstance(go, CamerasChanged):  # while the models were loaded, or another one still ran
            given = given.with_cameras(go)
            go = self._next()
        if not isinstance(go, Go):
            raise MessageError(f"the supervisor said {type(go).__name__} before it let this process go")
        # Spool, gaps and galleries not before: until now another process used them.
        place = WorkerPlace(
            sources=self._door,
            replaceable=True,
            beat=self._beat,
            leaving=self._left,
            mask=self._door.mask,
            ask_clip=self._tell,
            frame_seconds=frame_seconds,
            give=self._give,
            observing=observing,
        )
        self._worker = Worker(given.config, keys, perception, redis, place)
        self._worker.take_cameras(given.config.cameras, given.job.note)
        threading.Thread(target=self._listen, name="supervisor", daemon=True).start()
        with observing.serve(given.config.worker) or nullcontext():
            return self._worker.run(exit_when_done=given.job.exit_when_done)

    def _give(self, cameras: Mapping[str, GivenCamera]) -> None:
        self._tell(CamerasGiven({name: one.model_dump(mode="json") for name, one in cameras.items()}))

    def _left(self, replace: bool) -> None:
        """The worker ends; cameras stay open for the next process where there is to be one."""
        self._leaving.set()
        if replace:
            self._door.stay_open()

    def _tell(self, message: AnyMessage) -> None:
        with (
            self._sending,
            suppress(BrokenPipeError, ConnectionResetError),
        ):  # `_listen` notices, and ends all
            control.send(self._supervisor, message)

    def _beat(self) -> None:
        if time.monotonic() - self._beaten_at >= BEAT_SECONDS:
            self._beaten_at = time.monotonic()
            self._tell(Beat())

    def _listen(self) -> None:
        """Takes what the supervisor says, until it is gone."""
        while True:
            try:
                received = control.receive(self._supervisor)
            except MessageError as error:
                _log.error("supervisor_unclear", reason=str(error))
                continue
            except OSError:
                received = None
            if received is None:
                os._exit(ORPHANED_CODE)  # whatever is on disk, the next start sends
            self._take(*received)

    def _take(self, message: AnyMessage, descriptors: tuple[int, ...]) -> None:
        worker = self._worker
        if self._door.take(message, descriptors) or worker is None:
            return
        match message:
            case Leave():
                self._leaving.set()
                worker.stop()
            case CamerasChanged():
                worker.take_cameras(_cameras_of(message), message.note, message.refused)
            case GapEnded(camera_id, began_at, ended_at, reason):
                try:
                    worker.gaps.note(camera_id, reason, began_at, ended_at)
                except GapLogError as error:
                    _log.error("gap_not_kept", camera_id=camera_id, reason=str(error))
            case ClipMade() if worker.clips is not None:
                worker.clips.made(message, descriptors)
                return
            case ChildDied(process, camera_id, kind, detail):
                if self._observing is not None:
                    self._observing.metrics.replaced(process, kind)
                _log.info("child_died", process=process, camera_id=camera_id, kind=kind, reason=detail)
            case _:
                _log.warning("supervisor_unclear", reason=type(message).__name__)
        close_all(descriptors)


def run_matcher(arguments: Sequence[str], perceive: Perceive) -> int:
    """Runs a matching process on the socket its only argument names; the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the supervisor says when to end
    try:
        supervisor = socket_of(arguments[0] if arguments else "")
        end_with_parent(os.getppid())
        forbid_memory_dumps()
        log_to_stderr()
    except PipelineError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    with supervisor:
        return Matcher(supervisor, perceive).run()


def perceive_with_weights(config: Config, observing: Observing) -> Perception:
    """The configured models, verified, each call of them measured; run by as many threads as are configured."""
    plan = plan_threads(config.worker)
    in_force = apply_threads(plan.library_threads)
    _log.info(
        "threads",
        budget=plan.budget,
        inference_threads=plan.inference_threads,
        intra_op_threads=plan.intra_op_threads,
        max_batch=plan.max_batch,
        opencv_threads=in_force.opencv,
        blas_threads=in_force.blas,
    )
    store = WeightStore(config.paths.weights_dir, load_catalog(config.paths.weights_dir))
    return build_perception(store, replace(PerceptionOptions.of(config, plan), watch_of=observing.watch_of))


def _connected(given: _Given, keys: WorkerKeys) -> Redis:
    job, config = given.job, given.config
    if job.redis_address is None:
        raise BusError(
            f"redis.url is not set, and no embedded Redis runs on {config.paths.data_dir}: set it, or start "
            "the service first"
        )
    return connect(
        job.redis_address,
        username=job.redis_username or worker_user(keys.worker_id),
        password=keys.redis_password if job.redis_password is None else job.redis_password,
        security=config.redis.security(),
    )


def _cameras_of(changed: CamerasChanged) -> dict[str, CameraConfig]:
    return {name: CameraConfig.model_validate(one) for name, one in changed.cameras.items()}


def _document(report: WorkerReport) -> dict[str, object]:
    return asdict(report)


def main() -> None:
    """The program; leaves without waiting for threads that still read cameras."""
    code = run_matcher(sys.argv[1:], perceive_with_weights)
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
