"""Opens a container and chooses what to decode of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vision.errors import SourceOpenError
from vision.hardware import Hardware
from vision.media_options import DAMAGE, REFUSALS, Opening, reason_of, why_address_not_opened, why_not_media
from vision.sources import SourceOptions


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """An open container and the video stream that is read from it."""

    container: InputContainer
    stream: VideoStream

    def announced(self) -> int:
        """Pictures the container's index promises; 0 where it has none to go by."""
        if self.container.format.name.startswith("mov"):
            # The index knows edit lists; the header's count includes pictures an edit has cut away.
            return len(self.stream.index_entries)
        return self.stream.frames


def open_media(shown: str, opening: Opening, hardware: Hardware, options: SourceOptions) -> OpenMedia:
    """Opens a file or address.

    Args:
        shown: what errors call it, free of credentials.
        opening: how.
        hardware: what decodes.
        options: as for `vision.video.open_source`.

    Raises:
        SourceOpenError: as for `open_source`.
    """
    container = _opened(shown, opening, hardware)
    try:
        return OpenMedia(container, _prepared(shown, container, options))
    except SourceOpenError:
        container.close()
        raise


def _opened(shown: str, opening: Opening, hardware: Hardware) -> InputContainer:
    # Raised below, outside the handler: the library's own error carries the address with its password.
    try:
        return av.open(
            opening.location,
            mode="r",
            format=opening.container,
            options=opening.choices,
            timeout=opening.timeout,
            metadata_errors="replace",
            hwaccel=hardware.accelerator,
        )
    except DAMAGE as error:
        reason = why_address_not_opened(error) if opening.is_address else reason_of(error)
        refused = isinstance(error, REFUSALS)
    if not opening.is_address:
        reason = why_not_media(Path(opening.location), reason)
    raise SourceOpenError(shown, reason, refused=refused)


def _prepared(shown: str, container: InputContainer, options: SourceOptions) -> VideoStream:
    """The stream to decode, its decoder told its limits."""
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise SourceOpenError(shown, f"holds no video, only {kinds}")
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise SourceOpenError(shown, "holds video in a format this machine cannot decode")
    if context.width * context.height > options.max_pixels:
        raise SourceOpenError(
            shown,
            f"pictures of {context.width}×{context.height} are too large: at most {options.max_pixels} pixels "
            "are decoded (max_pixels)",
        )
    context.options = {"max_pixels": str(options.max_pixels)}
    if options.multi_threaded:
        context.thread_type = "AUTO"
    else:
        context.thread_count = 1
    return stream
