"""Where a worker's pictures come from: opened in this process, or through a ring another process fills."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from pipelines.accounting import FrameAccounting
from pipelines.config import CameraConfig
from pipelines.live.messages import DecoderState
from vision.sources import FrameSource, SourceOptions
from vision.video import open_source


@runtime_checkable
class CountsUpstream(Protocol):
    """A source that samples, gates and counts frames before they come here, as `RingSource` does.

    Its pictures are those the inference rate asks for; what became of the others it says itself.
    """

    @property
    def openings(self) -> int:
        """How often what it reads was opened so far."""

    def upstream(self) -> FrameAccounting:
        """Every frame but those handed out here; may be asked at any time, from any thread, after `close` too."""

    def note(self, accounting: FrameAccounting) -> None:
        """Keeps what became of all frames handed out so far, for whoever comes after this process."""

    def wake(self) -> None:
        """Ends the iteration soon, from any thread."""


class CameraSources(Protocol):
    """Opens cameras for a worker."""

    def open(self, camera_id: str, camera: CameraConfig) -> FrameSource:
        """The camera or recording, opened; its `close` ends all that was begun for it.

        Raises:
            VisionError, PipelineError, OSError: it cannot be opened.
        """

    def state(self, camera_id: str) -> DecoderState | None:
        """What the camera's decoder said last; None where none runs or the source is of this process."""


class SourcesHere:
    """Cameras and recordings, opened in this process by the thread that reads them."""

    def open(self, camera_id: str, camera: CameraConfig) -> FrameSource:  # noqa: ARG002 as the protocol has it
        """See `CameraSources.open`."""
        options = SourceOptions(
            open_timeout_seconds=camera.open_timeout_seconds,
            read_timeout_seconds=camera.read_timeout_seconds,
            rtsp_transport=camera.transport,
        )
        return open_source(camera.address(), options)

    def state(self, camera_id: str) -> DecoderState | None:  # noqa: ARG002 as the protocol has it
        """None: what there is to say, the reading thread says."""
        return None
