"""Which device decodes video: tried before a stream is opened, so that what it lacks costs no connection."""

from __future__ import annotations

from dataclasses import dataclass

import av.error
from av.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.video.codeccontext import VideoCodecContext

SOFTWARE = "software"

_BY_PREFERENCE = ("cuda", "qsv", "vaapi", "videotoolbox", "d3d11va", "vulkan")
"""What `auto` tries. FFmpeg's other kinds (drm, opencl, amf, …) are none that decode by themselves."""

_PIXEL_FORMATS = {"videotoolbox": "videotoolbox_vld", "d3d11va": "d3d11"}
"""FFmpeg's pixel format of a device's pictures, where it is not called like the device."""

_TRIED_WITH = "h264"
"""The codec whose decoder a device is tried with: the one that every camera and device has."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """A device to decode on, or why there is none.

    Attributes:
        device: FFmpeg's name of its kind; None: software decodes.
        accelerator: what `av.open` takes; None as `device`.
        problem: one line where a device was wanted and there is none.
    """

    device: str | None = None
    accelerator: HWAccel | None = None
    problem: str | None = None

    def decoding(self, context: VideoCodecContext) -> str:
        """What really decodes: the device, or `software` where it could not take this stream."""
        if self.device is None or not context.is_hwaccel:
            return SOFTWARE
        wanted = _PIXEL_FORMATS.get(self.device, self.device)
        return self.device if context.pix_fmt == wanted else SOFTWARE


def find_hardware(wanted: str | None) -> Hardware:
    """The device to decode on.

    Args:
        wanted: FFmpeg's name of a kind of device, `auto` for the first that works, None or `off` for none.

    Returns:
        The device, tried; without one, software decodes and `problem` says why where one was wanted.
    """
    if wanted in (None, "off"):
        return Hardware()
    built_in = hwdevices_available()
    kinds = [kind for kind in _BY_PREFERENCE if kind in built_in] if wanted == "auto" else [str(wanted)]
    for kind in kinds:
        if kind in built_in and _works(kind):
            return Hardware(kind, HWAccel(kind, allow_software_fallback=True))
    if wanted == "auto":
        return Hardware(problem=f"no device that decodes video was found; {SOFTWARE} decodes")
    if wanted not in built_in:
        known = ", ".join(kind for kind in _BY_PREFERENCE if kind in built_in) or "none"
        return Hardware(problem=f"FFmpeg is built without {wanted} (it has: {known}); {SOFTWARE} decodes")
    return Hardware(problem=f"no {wanted} device answers; {SOFTWARE} decodes")


def _works(kind: str) -> bool:
    try:
        HWAccel(kind).create(Codec(_TRIED_WITH, "r"))
    except (av.error.FFmpegError, NotImplementedError):
        return False
    return True
