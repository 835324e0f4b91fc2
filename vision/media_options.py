"""What FFmpeg is told when a file or address is opened, and what its errors mean."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import av.error

from vision.sources import SourceOptions

FILE_FORMATS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,asf,mjpeg,ogg,mxf,dhav,"
    "rm,gif,nut,wtv,mjpeg_2000,yuv4mpegpipe,dv"
)
"""Containers read from disk. Playlists and scripts (concat, hls, …) are left out: a file that only claims to
be a video would otherwise make FFmpeg open other files and addresses."""

ADDRESS_FORMATS = f"{FILE_FORMATS},rtsp,sdp,rtp,mpjpeg"
"""Containers read from addresses; for the same reason no playlists."""

ADDRESS_PROTOCOLS = "rtsp,rtsps,rtp,rtcp,srtp,tcp,udp,tls,http,https"

_OWN_CLOCK = {"correct_ts_overflow": "0"}
"""Counters that wrap are `vision.timestamps`' business: FFmpeg takes any time before the first for a wrap."""

UNTIMED_FORMATS = frozenset({"mpjpeg", "mjpeg"})
"""Streams of JPEGs say nothing about time; FFmpeg counts them on at 25 a second, whatever the camera does."""

BARE_JPEGS = "mjpeg"
"""Reads JPEGs by their own marks, whatever stands between them."""

MULTIPART = "mpjpeg"
"""Reads JPEGs by the part headers between them (multipart/x-mixed-replace)."""

DAMAGE = (av.error.FFmpegError, ValueError, IndexError)
"""What the library raises on damaged media; the last two where damage reaches its own tables."""

REFUSALS = (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)
"""What the library raises where a user name or password is wrong or missing; over RTSP as well."""

DAMAGED = "damaged or unknown data"


@dataclass(frozen=True, slots=True)
class Opening:
    """How `av.open` is called.

    Attributes:
        location: path or address, with its secrets.
        choices: FFmpeg's options.
        timeout: seconds to open and to read; each holds for every step that waits.
        is_address: whether it lies on a network.
        container: FFmpeg's name of the format; None: found out.
    """

    location: str = field(repr=False)
    choices: dict[str, str] = field(repr=False)
    timeout: tuple[float, float]
    is_address: bool
    container: str | None = None


def opening_of_file(path: str, options: SourceOptions) -> Opening:
    """How a file is opened: as a container of `FILE_FORMATS`, which can name no other file."""
    choices = {"protocol_whitelist": "file", "format_whitelist": FILE_FORMATS, **_OWN_CLOCK}
    return Opening(path, choices, (options.open_timeout_seconds, options.read_timeout_seconds), False)


def opening_of_address(address: str, options: SourceOptions, *, bare_jpegs: bool = False) -> Opening:
    """How an address is opened: no redirect is followed over HTTP, no playlist, of RTSP the video alone.

    Args:
        address: rtsp, rtsps, http or https.
        options: as for `open_source`.
        bare_jpegs: reads the pictures of an MJPEG camera by their own marks, as its part headers do not hold.
    """
    choices = {"protocol_whitelist": ADDRESS_PROTOCOLS, "format_whitelist": ADDRESS_FORMATS, **_OWN_CLOCK}
    # FFmpeg's own choice holds twenty pictures back to measure the rate: seconds of every connection.
    choices |= {"fpsprobesize": "3"}
    scheme = urlsplit(address).scheme.lower()
    if scheme in ("rtsp", "rtsps"):
        choices |= {"rtsp_transport": options.rtsp_transport, "allowed_media_types": "video"}
        # What the camera announced says enough to decode; longer reading ahead only delays the first picture.
        choices |= {"analyzeduration": "300000"}
    else:
        choices |= {"max_redirects": "0"}
    if bare_jpegs:
        # Reading ahead to learn the rate would hold back a slow camera's first pictures for seconds.
        choices |= {"probesize": "32", "analyzeduration": "0"}
    if options.connect_to is not None:
        host = _host_of(address)
        if scheme == "http":
            choices["headers"] = f"Host: {host}\r\n"
        address = _connecting_to(address, options.connect_to)
    timeout = (options.open_timeout_seconds, options.read_timeout_seconds)
    return Opening(address, choices, timeout, True, BARE_JPEGS if bare_jpegs else None)


def _host_of(address: str) -> str:
    """Host and port as the address has them."""
    return urlsplit(address).netloc.rpartition("@")[2]


def _connecting_to(address: str, ip: str) -> str:
    """The address with a numeric one in place of its host's name."""
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    port = host.rpartition("]")[2].partition(":")[2]
    numeric = f"[{ip}]" if ":" in ip else ip
    return parts._replace(netloc=f"{user}{at}{numeric}{f':{port}' if port else ''}").geturl()


def reason_of(error: Exception) -> str:
    """What FFmpeg said, in words for whoever sent the source, and without its address."""
    if isinstance(error, REFUSALS):
        return "refused the user name or password"
    if isinstance(error, av.error.HTTPNotFoundError):
        return "nothing at this address (404)"
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return "no answer in time"
    if isinstance(error, av.error.InvalidDataError):
        return DAMAGED
    if type(error) is av.error.OSError:
        return "the connection ended" if error.errno == errno.EIO else str(error.strerror)
    return getattr(error, "strerror", None) or type(error).__name__


def why_address_not_opened(error: Exception) -> str:
    """The reason where an address would not open: some of FFmpeg's words are about something else."""
    reason = reason_of(error)
    if reason == DAMAGED:
        # Silence reaches us as damage: the RTSP client does not say that its time was up.
        return "no answer in time, or nothing that is media"
    if isinstance(error, av.error.EOFError):
        return "closed the connection without an answer"
    if isinstance(error, av.error.ArgumentError):
        return "no kind of video that is read from an address (playlists are none)"
    if type(error) is av.error.OSError:
        # Too many redirects, which here is any, is an input/output error to FFmpeg.
        return "ended too early, or leads on to another address, which is not followed: give that one"
    return reason


def why_not_media(path: Path, reason: str) -> str:
    """A closer look at a file FFmpeg would not open."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        return error.strerror or reason
    if head[4:8] == b"ftyp":
        return "cut off or damaged: the index (moov) without which an MP4 cannot be read is missing"
    return f"not a video file that can be read ({reason})"
