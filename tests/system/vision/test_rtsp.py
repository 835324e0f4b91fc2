"""A real RTSP camera, read by the source that ships."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest

from tests.system import rtsp_camera_program
from vision.errors import SourceDecodeError, SourceOpenError
from vision.sources import SourceOptions
from vision.video import open_source

pytestmark = pytest.mark.system

FPS, FRAME_COUNT, SIZE_WH = 25, 75, (320, 240)
USER, PASSWORD = "viewer", "hunter2"
QUICK = SourceOptions(open_timeout_seconds=5, read_timeout_seconds=3)


@dataclass(frozen=True, slots=True)
class Camera:
    """A serving camera."""

    port: int
    process: subprocess.Popen[str]

    def address(self, credentials: str = "") -> str:
        return f"rtsp://{credentials}127.0.0.1:{self.port}/main"


def grey_of(index: int) -> int:
    """The brightness that marks a frame, far enough from its neighbours' to survive compression."""
    return 20 + 3 * index


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of H.264 in which each frame's brightness says which one it is."""
    path = tmp_path_factory.mktemp("rtsp") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=FPS, options={"g": "5", "tune": "zerolatency", "crf": "12"}
        )
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = "yuv420p"
        for index in range(FRAME_COUNT):
            image = np.full((SIZE_WH[1], SIZE_WH[0], 3), grey_of(index), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


@contextmanager
def serving(clip: Path, *credentials: str) -> Iterator[Camera]:
    with rtsp_camera_program.start(clip, *credentials) as (process, port):
        yield Camera(port, process)


@pytest.fixture
def camera(clip: Path) -> Iterator[Camera]:
    with serving(clip) as made:
        yield made


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_frames_arrive_whole_in_order_and_on_the_cameras_clock(
    camera: Camera, transport: Literal["tcp", "udp"]
) -> None:
    options = SourceOptions(open_timeout_seconds=5, read_timeout_seconds=3, rtsp_transport=transport)
    with open_source(camera.address(), options) as source:
        frames = list(source)
        assert source.size_wh == SIZE_WH
        assert source.read_count == len(frames) + source.undecodable_count
    assert len(frames) >= FRAME_COUNT - 10, "a camera is joined at its next key frame"
    times = [frame.pts_seconds for frame in frames]
    assert np.diff(times) == pytest.approx(1 / FPS, abs=0.005)
    brightness = np.array([float(frame.image.mean()) for frame in frames])
    first = round((brightness[0] - grey_of(0)) / 3)
    expected = [grey_of(first + index) for index in range(len(frames))]
    assert brightness == pytest.approx(expected, abs=1.4)


def test_a_camera_with_a_password_is_read(clip: Path) -> None:
    with (
        serving(clip, USER, PASSWORD) as camera,
        open_source(camera.address(f"{USER}:{PASSWORD}@"), QUICK) as source,
    ):
        assert next(iter(source)).image.shape == (*SIZE_WH[::-1], 3)
        assert PASSWORD not in repr(source)


@pytest.mark.parametrize("credentials", ["", f"{USER}:wrong@"])
def test_a_camera_that_refuses_is_told_without_its_password(clip: Path, credentials: str) -> None:
    with (
        serving(clip, USER, PASSWORD) as camera,
        pytest.raises(SourceOpenError, match="user name or password") as caught,
    ):
        open_source(camera.address(credentials), QUICK)
    assert "wrong" not in str(caught.value)


def test_a_path_the_camera_does_not_have_is_told(camera: Camera) -> None:
    with pytest.raises(SourceOpenError, match="404"):
        open_source(f"rtsp://127.0.0.1:{camera.port}/other", QUICK)


def read_until_lost(camera: Camera, signal_number: int) -> int:
    """Reads; sends the camera a signal after some frames; returns how many came."""
    count = 0
    with open_source(camera.address(), QUICK) as source:
        for count, _ in enumerate(source, start=1):
            if count == 5:
                camera.process.send_signal(signal_number)
    return count


def test_a_camera_that_falls_silent_is_an_error_in_time(camera: Camera) -> None:
    began = time.monotonic()
    with pytest.raises(SourceDecodeError, match=r"127\.0\.0\.1"):
        read_until_lost(camera, signal.SIGSTOP)
    assert time.monotonic() - began < QUICK.read_timeout_seconds + 7


def test_a_camera_that_goes_away_ends_the_source_in_time(camera: Camera) -> None:
    """It closes its connection, which is how a recording ends too: the source ends, and whoever reads a
    camera without an end opens it again."""
    began = time.monotonic()
    assert 5 <= read_until_lost(camera, signal.SIGKILL) < FRAME_COUNT
    assert time.monotonic() - began < QUICK.read_timeout_seconds + 7
