"""What every camera of a worker shares."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.events import Candidate
from pipelines.live.camera_slot import Masks
from pipelines.live.clips import ClipDesk
from pipelines.live.observing import Observing
from pipelines.live.preview import PreviewWriter
from pipelines.live.schedule import FairTurns
from pipelines.sightings import CandidateMaker
from pipelines.stages import Engines


@dataclass(frozen=True, slots=True)
class WatchParts:
    """What every camera of a worker shares.

    Attributes:
        engines: makes the models and trackers of one session.
        maker: turns findings into candidates.
        publish: signs a candidate and puts it on disk.
        inference: whose turn it is on the device; held while models run.
        stop: set when the worker is to end.
        min_looks: as in `SessionOptions`.
        masks: that hold on a camera's picture now.
        clips: asks for clips of what is found; None: there are none.
        previews: shows cameras to whoever looks; None: nobody can.
        observing: by what the process is watched.
    """

    engines: Callable[[], Engines]
    maker: CandidateMaker
    publish: Callable[[Candidate], Candidate]
    inference: FairTurns
    stop: threading.Event
    min_looks: int
    masks: Callable[[str], Masks] = lambda _: Masks()
    clips: ClipDesk | None = None
    previews: PreviewWriter | None = None
    observing: Observing = field(default_factory=Observing)
