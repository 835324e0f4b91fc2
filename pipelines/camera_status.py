"""What a camera is doing, and how a worker ended: for whoever watches over them, without anything that sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pipelines.accounting import FrameAccounting


class Phase(StrEnum):
    """What a camera is doing."""

    WAITING = "waiting"
    OPENING = "opening"
    RUNNING = "running"
    RETRYING = "retrying"
    ENDED = "ended"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """What a camera is doing, for those who watch over it.

    Attributes:
        phase: in one word.
        detail: why, where there is more to say; free of credentials.
        deployment_id: under which it is searched; None: it is not.
        gallery_version: of the list in force.
        frame_accounting: what became of the frames since it was opened last.
        candidates: published since this process began.
        lost: findings that could not be published, since this process began.
        decoding: `software`, or the device that decodes; empty while nothing is decoded for it.
        fps: as the source states it; None where it does not, or is not open.
        reconnects: how often the camera was lost and came back since its decoder began.
        masked_detections: people, vehicles and faces dropped under a detection mask since this process began.
        faces_searched: faces of which a look was held against a list, since this process began.
    """

    phase: Phase = Phase.WAITING
    detail: str = ""
    deployment_id: str | None = None
    gallery_version: int | None = None
    frame_accounting: FrameAccounting = field(default_factory=FrameAccounting)
    candidates: int = 0
    lost: int = 0
    decoding: str = ""
    fps: float | None = None
    reconnects: int = 0
    masked_detections: int = 0
    faces_searched: int = 0


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """How a worker ended.

    Attributes:
        cameras: the last status of each.
        waiting: candidates left on disk; the next start sends them.
        replace: whether it ended because somebody may no longer be searched, and the process is to be replaced.
    """

    cameras: dict[str, CameraStatus]
    waiting: int
    replace: bool = False

    @property
    def failed(self) -> tuple[str, ...]:
        """Cameras that failed."""
        return tuple(name for name, status in self.cameras.items() if status.phase is Phase.FAILED)
