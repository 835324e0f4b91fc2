"""Opens what a decoder's job names: an address is checked first, and what was checked is what is connected to."""

from __future__ import annotations

import time

from pipelines.live.addresses import check_address, open_checked
from pipelines.live.messages import DecoderJob
from vision.locations import scheme_of
from vision.sources import FrameSource, PacketTap, SourceOptions
from vision.video import open_source


def open_for(job: DecoderJob, tap: PacketTap) -> FrameSource:
    """The job's camera or recording.

    Args:
        job: what to open and how.
        tap: is given every encoded packet.

    Raises:
        AddressError: an address that may not be opened, or whose name is not resolved in time.
        SourceOpenError: as for `vision.video.open_source`.
    """
    settings = job.options
    options = SourceOptions(
        open_timeout_seconds=settings.open_timeout_seconds,
        read_timeout_seconds=settings.read_timeout_seconds,
        rtsp_transport=settings.transport,
        max_pixels=settings.max_pixels,
        hardware_decode=settings.hardware_decode,
        clock=time.monotonic,
        packet_tap=tap,
    )
    if scheme_of(job.address) is None:
        return open_source(job.address, options)
    checked = check_address(
        job.address, allow_local=settings.allow_local, timeout_seconds=settings.open_timeout_seconds
    )
    return open_checked(checked, options)
