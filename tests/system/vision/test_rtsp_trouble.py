"""RTSP on a bad network, and RTSP that leads elsewhere."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import AddressError
from pipelines.live.addresses import check_address, open_checked
from tests.camera_servers import Behave, camera_server, moved_rtsp
from tests.system import rtsp_camera_program
from tests.video_builders import filmed, moving
from vision.packets import PacketRing
from vision.sources import SourceOptions
from vision.types import Frame, Image
from vision.video import open_source

pytestmark = pytest.mark.system

COUNT = 60
QUICK = SourceOptions(open_timeout_seconds=5, read_timeout_seconds=3)

_INTERLEAVED = 0x24
_RTP = 0
"""Channel of the video's own packets (RFC 2326, 10.12)."""


@pytest.fixture(scope="module")
def images() -> list[Image]:
    return moving(COUNT, (480, 360))


@pytest.fixture(scope="module")
def clip(images: list[Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rtsp") / "clip.mp4"
    path.write_bytes(filmed(images, container="mp4", group=20))
    return path


def losing(port: int, lost: Callable[[int], bool]) -> Behave:
    """Stands between a camera at `port` and whoever reads it, and loses RTP packets by their number."""

    def behave(client: socket.socket, stop: threading.Event) -> None:
        with socket.create_connection(("127.0.0.1", port)) as camera:
            back = threading.Thread(target=pass_on, args=(camera, client, lost))
            back.start()
            with suppress(OSError):
                while got := client.recv(65536):
                    camera.sendall(got)
            camera.shutdown(socket.SHUT_RDWR)
            back.join()

    return behave


def pass_on(camera: socket.socket, client: socket.socket, lost: Callable[[int], bool]) -> None:
    buffer, number = b"", 0
    with suppress(OSError):
        while got := camera.recv(65536):
            buffer += got
            while length := first_length(buffer):
                piece, buffer = buffer[:length], buffer[length:]
                is_video = piece[0] == _INTERLEAVED and piece[1] == _RTP
                number += is_video
                if not (is_video and lost(number)):
                    client.sendall(piece if is_video else without_parameter_sets(piece))
        client.shutdown(socket.SHUT_RDWR)


def without_parameter_sets(answer: bytes) -> bytes:
    """As cameras that tell them only inside their key frames."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if b"sprop-parameter-sets" not in body:
        return answer
    body = re.sub(rb"sprop-parameter-sets=[^;\r\n]*;?", b"", body)
    head = re.sub(rb"(?i)(content-length: *)\d+", rb"\g<1>%d" % len(body), head)
    return head + end + body


def first_length(buffer: bytes) -> int:
    """Bytes of the first whole packet or answer; 0 where it is not whole yet."""
    if buffer[:1] == bytes([_INTERLEAVED]):
        length = 4 + int.from_bytes(buffer[2:4], "big") if len(buffer) >= 4 else 0
        return length if len(buffer) >= length else 0
    head, end, _ = buffer.partition(b"\r\n\r\n")
    if not end:
        return 0
    body = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    length = len(head) + 4 + (int(body.group(1)) if body else 0)
    return length if len(buffer) >= length else 0


def read_losing(
    clip: Path, lost: Callable[[int], bool], options: SourceOptions = QUICK
) -> tuple[list[Frame], int, int]:
    with rtsp_camera_program.start(clip) as (_, port), camera_server(losing(port, lost)) as relay:
        frames: list[Frame] = []
        with open_source(relay.url("main", "rtsp"), options) as source:
            frames.extend(source)
            assert source.read_count == len(frames) + source.undecodable_count
        return frames, source.read_count, source.undecodable_count


def furthest(frames: list[Frame], truth: list[Image]) -> float:
    """The largest mean difference of a picture from the one it is closest to, by one pixel in 64."""
    few = np.stack([image[::8, ::8] for image in truth]).astype(np.int16)
    return max(float(np.abs(few - frame.image[::8, ::8]).mean(axis=(1, 2, 3)).min()) for frame in frames)


def test_a_relay_that_loses_nothing_changes_nothing(clip: Path) -> None:
    frames, read, undecodable = read_losing(clip, lambda _: False)
    assert undecodable == 0
    assert len(frames) == read >= COUNT - 20


def test_pictures_whose_packets_were_lost_are_counted_and_not_shown(clip: Path, images: list[Image]) -> None:
    frames, read, undecodable = read_losing(clip, lambda number: number > 25 and number % 12 == 0)
    assert undecodable >= 3
    assert len(frames) + undecodable == read
    assert furthest(frames, images) < 20


def test_a_camera_joined_between_key_frames_is_shown_from_the_next_one_on(
    clip: Path, images: list[Image]
) -> None:
    frames, _, undecodable = read_losing(clip, lambda number: number <= 15)
    assert frames[0].key_frame
    assert undecodable >= 1
    assert frames[0].frame_index == undecodable
    assert furthest(frames[:10], images) < 10


@pytest.mark.parametrize("joined_late", [False, True])
def test_packets_of_a_camera_make_a_clip(clip: Path, joined_late: bool) -> None:
    """Joined late, how it is coded is known only once the first key frame is there."""
    ring = PacketRing(30, 10_000_000)
    options = SourceOptions(open_timeout_seconds=5, read_timeout_seconds=3, packet_tap=ring.add)
    frames, _, _ = read_losing(clip, lambda number: joined_late and number <= 30, options)
    made = ring.clip(frames[0].pts_seconds, frames[-1].pts_seconds)
    assert made is not None
    assert (made.container, made.codec, made.packets) == ("mp4", "h264", len(frames))
    path = clip.with_name("made.mp4")
    path.write_bytes(made.content)
    with open_source(path) as copy:
        shown = list(copy)
    assert [frame.image.tobytes() for frame in shown] == [frame.image.tobytes() for frame in frames]
    wanted = [frame.pts_seconds - frames[0].pts_seconds for frame in frames]
    assert [frame.pts_seconds for frame in shown] == pytest.approx(wanted, abs=0.002)


def test_a_camera_that_says_it_has_moved_is_not_followed(clip: Path) -> None:
    """FFmpeg follows; the connection is noticed and closed before a picture is taken from it."""
    with rtsp_camera_program.start(clip) as (_, port):
        inside = f"rtsp://127.0.0.1:{port}/main"
        with camera_server(moved_rtsp(lambda _: inside), host="127.0.0.2") as server:
            checked = check_address(server.url("main", "rtsp"), allow_local=True)
            with pytest.raises(AddressError, match=r"leads on to 127\.0\.0\.1, which is not followed"):
                open_checked(checked, QUICK)
            with open_source(server.url("main", "rtsp"), QUICK) as followed:
                next(followed.pictures())


def test_a_checked_camera_is_read(clip: Path) -> None:
    with rtsp_camera_program.start(clip) as (_, port):
        checked = check_address(f"rtsp://localhost:{port}/main", allow_local=True)
        with open_checked(checked, QUICK) as source:
            assert next(iter(source)).size_wh == (480, 360)
            assert "localhost" in source.location
