"""What a worker is told of the process it runs in, and whether its keys are its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipelines.camera_sources import CameraSources
from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.events import utc_now
from pipelines.given_cameras import GivenCamera
from pipelines.live.camera_slot import Masks
from pipelines.live.clip_messages import ClipWanted
from pipelines.live.observing import Observing
from pipelines.worker_keys import WorkerKeys


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """What a worker is told of the process it runs in.

    Attributes:
        sources: opens cameras; None: in this process.
        replaceable: whether it ends, with `WorkerReport.replace`, when somebody may no longer be searched; otherwise
            it goes on with what is left.
        beat: called about five times a second by the main thread, as a sign of life.
        leaving: called when everything ends, before cameras are closed; with whether it is to be replaced.
        mask: called before cameras are opened, and whenever other masks hold on one.
        now: the machine's clock.
        frame_seconds: what a frame takes before any camera was measured; None: nothing is known.
        ask_clip: sends a wish for a clip to the camera's decoder, whose answer goes to `Worker.clips`; None: there are
            no clips.
        give: called with all cameras the service gives this worker, whenever there are others.
        observing: by what this process is watched.
    """

    sources: CameraSources | None = None
    replaceable: bool = False
    beat: Callable[[], None] = lambda: None
    leaving: Callable[[bool], None] = lambda _: None
    mask: Callable[[str, Masks], None] = lambda _, __: None
    now: Callable[[], datetime] = utc_now
    frame_seconds: float | None = None
    ask_clip: Callable[[ClipWanted], None] | None = None
    give: Callable[[Mapping[str, GivenCamera]], None] = lambda _: None
    observing: Observing = field(default_factory=Observing)


def check_worker(config: Config, keys: WorkerKeys) -> None:
    """Refuses what no worker can be made of; loads nothing.

    Raises:
        ConfigError: the keys are another worker's than `worker.id`.
    """
    if keys.worker_id != config.worker.id:
        raise ConfigError(
            f"worker.id is {config.worker.id!r}, the keys are those of {keys.worker_id!r}: set worker.id or "
            "worker.keys_dir"
        )
