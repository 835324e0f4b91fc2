"""`pipelines.camera_run`: a live camera that falls silent, on painted people."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import pytest

from pipelines.accounting import FrameAccounting
from pipelines.camera_run import CameraRun
from pipelines.events import utc_now
from pipelines.live.schedule import FairTurns
from pipelines.search_lists import ListSlot, SearchList
from pipelines.session import CameraSession, SessionOptions
from pipelines.sightings import CandidateMaker, Origin, SourceClock
from pipelines.watch_parts import WatchParts
from tests.fake_engine import Painted, fake_engines, frame, square
from tests.worker_bench import make_package
from vision.identify.gallery import Gallery
from vision.sources import FrameSource, Picture
from vision.types import Frame

STRANGER = 110


@dataclass(frozen=True, slots=True)
class PaintedPicture:
    """A decoded picture of one stranger."""

    frame_index: int
    pts_seconds: float
    key_frame: bool = True
    still: bool = False

    def to_frame(self) -> Frame:
        """The picture as pixels."""
        return frame([Painted(STRANGER, square(100, 60))], self.pts_seconds, self.frame_index)


class SilentCamera(FrameSource):
    """Sends some pictures, then nothing until it is told to end; in those after the sixth nothing moves."""

    def __init__(self, still: int) -> None:
        super().__init__("rtsp://camera")
        self._still = still
        self.silent, self.end = threading.Event(), threading.Event()

    @property
    def fps_nominal(self) -> float | None:
        """As stated."""
        return 10.0

    @property
    def size_wh(self) -> tuple[int, int]:
        """Pixels."""
        return 320, 240

    def close(self) -> None:
        """Holds nothing."""

    def _pictures(self) -> Iterator[Picture]:
        for index in range(6 + self._still):
            yield PaintedPicture(index, index / 10, still=index >= 6)
        self.silent.set()
        assert self.end.wait(20)


@dataclass
class Played:
    """A run on a thread of its own, whose camera has fallen silent."""

    run: CameraRun
    camera: SilentCamera
    slot: ListSlot
    thread: threading.Thread

    @property
    def session(self) -> CameraSession | None:
        """What searches."""
        return self.run._session

    @property
    def tracks(self) -> int:
        """Templates held at most."""
        session = self.session
        return session.track_count if session else 0


def play(*, live: bool, still: int = 0) -> Played:
    package = make_package()
    slot = ListSlot(utc_now)
    slot.put(SearchList(package, Gallery(package.templates, package.subject_ids)))
    parts = WatchParts(
        engines=fake_engines,
        maker=cast("CandidateMaker", None),  # nobody on the list is shown
        publish=lambda candidate: candidate,
        inference=FairTurns(),
        stop=threading.Event(),
        min_looks=3,
    )
    camera = SilentCamera(still)
    origin = Origin("gate", "source", None, SourceClock(live=live))
    run = CameraRun(camera, origin, SessionOptions(10.0), slot, parts)
    thread = threading.Thread(target=run.play, args=(lambda: None,))
    thread.start()
    assert camera.silent.wait(10)
    return Played(run, camera, slot, thread)


@pytest.fixture
def playing() -> Iterator[Callable[..., Played]]:
    started: list[Played] = []

    def start(*, live: bool, still: int = 0) -> Played:
        started.append(play(live=live, still=still))
        return started[-1]

    yield start
    for one in started:
        one.camera.end.set()
        one.thread.join(10)
        assert not one.thread.is_alive()


def until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_stranger_is_forgotten_while_the_camera_is_silent(playing: Callable[..., Played]) -> None:
    played = playing(live=True)
    assert played.tracks == 1
    assert until(lambda: played.tracks == 0, 1.8)
    assert played.thread.is_alive()
    accounting: FrameAccounting = played.run.accounting()
    assert (accounting.read, accounting.inferred) == (6, 6)


def test_a_withdrawn_list_does_not_outlast_the_silence(playing: Callable[..., Played]) -> None:
    played = playing(live=True)
    played.slot.put(None)
    assert until(lambda: played.run.in_force is None, 1.8)
    assert played.session is not None
    assert played.session.operating_point is None


def test_a_recording_keeps_to_its_own_clock(playing: Callable[..., Played]) -> None:
    played = playing(live=False)
    time.sleep(1.5)
    assert played.tracks == 1


@pytest.mark.parametrize("live", [True, False])
def test_a_picture_in_which_nothing_moves_is_counted_as_gated(
    playing: Callable[..., Played], live: bool
) -> None:
    accounting = playing(live=live, still=4).run.accounting()
    assert (accounting.read, accounting.inferred, accounting.gated) == (10, 6, 4)
