"""What every source of pictures offers, whatever it reads: pictures in order, their time, and the losses.

Decoding and converting are two steps. `pictures()` gives decoded handles, which are cheap; `to_frame()`
makes the BGR image, which is not. Whoever samples a 30 fps file at 5 fps converts only those it keeps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

from vision.errors import SourceDecodeError
from vision.images import MAX_PIXELS
from vision.types import Frame

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

PacketTap: TypeAlias = "Callable[[Packet[VideoStream]], None]"
"""Sees every encoded packet before it is decoded."""

MAX_PROBLEMS = 100
"""Problems kept word for word; all are counted."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a source is read.

    Attributes:
        multi_threaded: lets FFmpeg use every core on this one source. Right for a single file; with many
            cameras on one machine it costs more than it brings.
        open_timeout_seconds: how long an address may take to answer, and once more for what it sends to be
            understood.
        read_timeout_seconds: how long the next packet may take, however many of its bytes come before it.
        rtsp_transport: how camera streams travel; `udp` loses packets where the network does.
        folder_fps: pictures a second an image folder stands for; sets the time of each.
        max_pixels: larger pictures are refused.
        hardware_decode: FFmpeg's name of a kind of device to decode on (`cuda`, `vaapi`, …), `auto` for the first
            that works, None for none; `FrameSource.decoding` says what became of it.
        connect_to: the numeric address to connect to in place of the name in an address, as it was checked.
        clock: seconds, never going back: times the pictures of cameras that say none (MJPEG over HTTP) by when
            they came. Without it they are counted on at the nominal rate.
        packet_tap: is given every encoded packet of a file or camera in the order in which it came, before
            it is decoded, those no picture is made of as well; as `vision.packets.PacketRing.add` wants them.
    """

    multi_threaded: bool = False
    open_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 10.0
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    folder_fps: Fraction = Fraction(1)
    max_pixels: int = MAX_PIXELS
    hardware_decode: str | None = None
    connect_to: str | None = None
    clock: Callable[[], float] | None = field(default=None, repr=False, compare=False)
    packet_tap: PacketTap | None = field(default=None, repr=False, compare=False)


class Picture(Protocol):
    """A decoded picture that is not converted yet. Valid until the source is closed."""

    @property
    def frame_index(self) -> int:
        """0-based count of pictures read before it, undecodable ones included."""

    @property
    def pts_seconds(self) -> float:
        """As in `Frame`."""

    @property
    def key_frame(self) -> bool:
        """As in `Frame`."""

    @property
    def still(self) -> bool:
        """Whether nothing moved since the picture before, so that only its time counts; files never say so."""

    def to_frame(self) -> Frame:
        """The picture as pixels.

        Raises:
            SourceDecodeError: a pixel format that cannot be converted.
        """


class FrameSource(ABC):
    """Pictures from one file, folder or address, once, in order.

    It counts: `read_count` is always the pictures handed out plus `undecodable_count` and `overtaken_count`.
    They are final when the iteration has ended, by itself or by `SourceDecodeError`; what was handed out
    before one stands.

    Attributes:
        location: what is read, free of credentials.
        read_count: pictures the source announced or delivered.
        undecodable_count: of those, the ones that were lost to damage.
        overtaken_count: of those, the ones `overtake` left undecoded.
        estimated_pts_count: pictures handed out whose time the source did not give; their `Frame.pts` is
            None and their `pts_seconds` counted on at the nominal rate.
        repeated_pts_count: pictures handed out with the time of the one before, as theirs was no later.
        rebased_count: how often the source's clock jumped or wrapped, so that its times were shifted to go on.
        problems: one line each, the first hundred.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self.read_count = 0
        self.undecodable_count = 0
        self.overtaken_count = 0
        self.estimated_pts_count = 0
        self.repeated_pts_count = 0
        self.rebased_count = 0
        self.problems: list[str] = []
        self._started = False

    @property
    @abstractmethod
    def fps_nominal(self) -> float | None:
        """Pictures a second as the container states it; None where it does not. Never used for time."""

    @property
    @abstractmethod
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels, upright; before the first picture, as the container states it."""

    @property
    def codec(self) -> str | None:
        """FFmpeg's name of the codec; None where pictures are files of their own."""
        return None

    @property
    def decoding(self) -> str:
        """What decodes: `software`, or the kind of device; final with the first picture."""
        return "software"

    @property
    def start_seconds(self) -> float:
        """What `pts_seconds` reads at the source's beginning; recordings often start at another time than 0."""
        return 0.0

    def overtake(self, until_pts_seconds: float) -> None:  # noqa: B027 most sources have no hurry
        """Leaves what lies before this time undecoded, and goes on at the first picture that needs no other.

        For a camera that is read more slowly than it sends: decoding all of it would only fall further behind.
        """

    @abstractmethod
    def close(self) -> None:
        """Lets go of the file or connection. Twice is once."""

    @abstractmethod
    def _pictures(self) -> Iterator[Picture]: ...

    def pictures(self) -> Iterator[Picture]:
        """Decoded handles, in order of presentation. A source is read once.

        Raises:
            SourceDecodeError: read before; nothing decodable at all; cut off; or the connection broke.
        """
        if self._started:
            raise SourceDecodeError(self.location, "was read before; open it again")
        self._started = True
        yield from self._pictures()

    def __iter__(self) -> Iterator[Frame]:
        """Every picture as a `Frame`; as `pictures`."""
        for picture in self.pictures():
            yield picture.to_frame()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.location!r}, read={self.read_count})"

    def _lost(self, problem: str, count: int = 1) -> None:
        """Counts pictures that were read and could not be decoded, and notes why."""
        self.read_count += count
        self.undecodable_count += count
        self._note(problem)

    def _note(self, problem: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
