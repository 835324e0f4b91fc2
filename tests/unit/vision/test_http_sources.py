"""Cameras and files over HTTP, from real servers: those that behave, and those that do not."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from tests.builders import numbered, plain, write_video
from tests.camera_servers import (
    Behave,
    answering,
    camera_server,
    closing,
    head_of,
    moved_rtsp,
    request_of,
    serving,
    silent,
    trickling,
)
from tests.video_builders import sound
from vision.errors import SourceDecodeError, SourceError, SourceOpenError
from vision.images import encode_jpeg
from vision.sources import FrameSource, SourceOptions
from vision.types import Frame
from vision.video import open_source

COUNT = 12
IMAGES = [plain(colour=(20 * index + 10,) * 3) for index in range(COUNT)]
QUICK = SourceOptions(open_timeout_seconds=1, read_timeout_seconds=1)
USER, PASSWORD = "viewer", "s3 c:r@e/t?"


def mjpeg(
    *,
    announced: str = "boundary=frame",
    boundary: bytes = b"--frame",
    wrong_by: int | None = 0,
    pause_seconds: float = 0.0,
    line_end: bytes = b"\r\n",
) -> Behave:
    """A camera of JPEGs, `wrong_by` so many bytes in the lengths it states; None: it states none."""

    def behave(connection: socket.socket, stop: threading.Event) -> None:
        request_of(connection)
        connection.sendall(head_of("200 OK", f"Content-Type: multipart/x-mixed-replace; {announced}"))
        for image in IMAGES:
            jpeg = encode_jpeg(image)
            head = [boundary, b"Content-Type: image/jpeg"]
            if wrong_by is not None:
                head.append(b"Content-Length: %d" % (len(jpeg) + wrong_by))
            connection.sendall(line_end.join([*head, b"", b""]) + jpeg + line_end)
            if stop.wait(pause_seconds):
                return

    return behave


def all_of(source: FrameSource) -> list[Frame]:
    """Every frame until the connection ends, which over HTTP without a length looks like a break."""
    frames: list[Frame] = []
    with pytest.raises(SourceDecodeError, match="the connection ended"):
        frames.extend(source)
    assert source.read_count == len(frames) + source.undecodable_count
    return frames


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(mjpeg(), id="as it should be"),
        pytest.param(mjpeg(wrong_by=None), id="no lengths"),
        pytest.param(mjpeg(announced="boundary=other"), id="another boundary than announced"),
        pytest.param(mjpeg(announced='boundary="--frame"'), id="quoted, with its dashes"),
        pytest.param(mjpeg(announced="x=y"), id="none announced"),
        pytest.param(mjpeg(boundary=b""), id="none sent"),
        pytest.param(mjpeg(line_end=b"\n"), id="bare line feeds"),
    ],
)
def test_a_camera_of_jpegs_is_read_picture_by_picture(behave: Behave) -> None:
    with camera_server(behave) as server, open_source(server.url(), QUICK) as source:
        frames = all_of(source)
        assert (source.codec, source.fps_nominal) == ("mjpeg", None)
    assert len(frames) >= COUNT - 1, "the last is complete only where something follows"
    assert [round(float(frame.image.mean()) - 10) // 20 for frame in frames] == list(range(len(frames)))
    assert all(frame.key_frame for frame in frames)


@pytest.mark.parametrize("wrong_by", [-100, 77])
def test_wrong_lengths_are_noticed_and_done_without(wrong_by: int) -> None:
    with camera_server(mjpeg(wrong_by=wrong_by)) as server, open_source(server.url(), QUICK) as source:
        frames = all_of(source)
        assert server.connections == 2
        told = [
            problem for problem in source.problems if "headers between its pictures do not hold" in problem
        ]
        assert len(told) == 1
    assert len(frames) >= COUNT
    assert {round(float(frame.image.mean()) - 10) // 20 for frame in frames} == set(range(COUNT))


def test_pictures_without_times_are_timed_by_when_they_came() -> None:
    options = SourceOptions(open_timeout_seconds=5, read_timeout_seconds=5, clock=time.monotonic)
    with camera_server(mjpeg(pause_seconds=0.08)) as server, open_source(server.url(), options) as source:
        began = time.monotonic()
        frames = all_of(source)
        took = time.monotonic() - began
        assert source.estimated_pts_count == 0
    times = [frame.pts_seconds for frame in frames]
    assert np.all(np.diff(times) >= 0)
    assert 0.5 < times[-1] - times[0] <= took + 1, "not what the pictures' number would make of it: 0.44 s"
    assert frames[-1].pts is not None


def test_without_a_clock_they_are_counted_on_and_said_so() -> None:
    with camera_server(mjpeg()) as server, open_source(server.url(), QUICK) as source:
        frames = all_of(source)
        assert source.estimated_pts_count == len(frames)
    assert [frame.pts_seconds for frame in frames] == pytest.approx([n / 25 for n in range(len(frames))])


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
def test_a_file_over_http(tmp_path: Path, suffix: str) -> None:
    path = write_video(
        tmp_path / f"clip{suffix}", [numbered(n) for n in range(20)], index_first=suffix == ".mp4"
    )
    with camera_server(serving(path.read_bytes())) as server, open_source(server.url(), QUICK) as source:
        frames = list(source)
        assert (source.read_count, source.undecodable_count) == (20, 0)
    assert [frame.frame_index for frame in frames] == list(range(20))


def basic(request: bytes) -> str | None:
    wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return None if f"Authorization: {wanted}\r\n".encode() in request else 'Basic realm="cam"'


def digest(request: bytes) -> str | None:
    """RFC 2617 with quality of protection; None where the password was right."""
    given = re.search(rb"Authorization: Digest (.*)\r\n", request)
    if given is None:
        return 'Digest realm="cam", nonce="n0nce", qop="auth", algorithm=MD5'
    said = dict(re.findall(r'(\w+)="?([^",]*)"?', given.group(1).decode()))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    ours = [
        md5(f"{USER}:cam:{PASSWORD}"),
        "n0nce",
        said["nc"],
        said["cnonce"],
        "auth",
        md5(f"GET:{said['uri']}"),
    ]
    return (
        None if said["response"] == md5(":".join(ours)) else 'Digest realm="cam", nonce="n0nce", qop="auth"'
    )


def guarded(challenge: Callable[[bytes], str | None]) -> Behave:
    def behave(connection: socket.socket, stop: threading.Event) -> None:
        request = connection.recv(8192, socket.MSG_PEEK)
        asked = challenge(request)
        if asked is None:
            mjpeg()(connection, stop)
        else:
            answering("401 Unauthorized", f"WWW-Authenticate: {asked}")(connection, stop)

    return behave


@pytest.mark.parametrize("challenge", [basic, digest])
def test_a_camera_with_a_password(challenge: Callable[[bytes], str | None]) -> None:
    user = f"{USER}:{quote(PASSWORD, safe='')}@"
    with camera_server(guarded(challenge)) as server, open_source(server.url(user=user), QUICK) as source:
        assert len(all_of(source)) >= COUNT - 1
        assert "s3" not in repr(source) + "".join(source.problems)


@pytest.mark.parametrize("challenge", [basic, digest])
def test_a_wrong_password_is_refused_without_being_told(challenge: Callable[[bytes], str | None]) -> None:
    with (
        camera_server(guarded(challenge)) as server,
        pytest.raises(SourceOpenError, match="refused the user name or password") as caught,
    ):
        open_source(server.url(user=f"{USER}:hunter2@"), QUICK)
    assert caught.value.refused
    assert "hunter2" not in str(caught.value)


def leading_to(target: Callable[[int], str]) -> Behave:
    def behave(connection: socket.socket, stop: threading.Event) -> None:
        port = connection.getsockname()[1]
        answering("302 Found", f"Location: {target(port)}")(connection, stop)

    return behave


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
def test_no_redirect_is_followed(status: str) -> None:
    with camera_server(mjpeg()) as inside:
        behave = answering(status, f"Location: {inside.url()}")
        with (
            camera_server(behave) as server,
            pytest.raises(SourceOpenError, match="another address") as caught,
        ):
            open_source(server.url(), QUICK)
        assert (inside.connections, server.connections) == (0, 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("behave", "scheme"),
    [
        pytest.param(silent, "http", id="silent"),
        pytest.param(silent, "rtsp", id="silent RTSP"),
        pytest.param(trickling(b"HTTP/1.1 200 OK\r\nX: y\r\n" * 50), "http", id="a byte at a time"),
        pytest.param(trickling(b"RTSP/1.0 200 OK\r\nX: y\r\n" * 50), "rtsp", id="a byte at a time RTSP"),
        pytest.param(
            leading_to(lambda port: f"http://127.0.0.1:{port}/again"), "http", id="endless redirect"
        ),
        pytest.param(
            moved_rtsp(lambda at: f"rtsp://127.0.0.1:{at.getsockname()[1]}/again"),
            "rtsp",
            id="endless redirect RTSP",
        ),
        pytest.param(closing, "http", id="hangs up"),
        pytest.param(closing, "rtsp", id="hangs up RTSP"),
    ],
)
def test_an_address_that_gives_nothing_is_given_up_in_time(behave: Behave, scheme: str) -> None:
    with camera_server(behave) as server:
        began = time.monotonic()
        with pytest.raises(SourceOpenError) as caught:
            open_source(server.url(scheme=scheme, user="u:s3cret@"), QUICK)
        assert time.monotonic() - began < 2 * QUICK.open_timeout_seconds + 5
    assert "s3cret" not in str(caught.value)


def flooding(connection: socket.socket, stop: threading.Event) -> None:
    """Headers without an end."""
    request_of(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not stop.is_set():
        connection.sendall(b"X-A: " + b"a" * 2000 + b"\r\n")


def test_headers_without_an_end_are_given_up_in_time() -> None:
    with camera_server(flooding) as server, pytest.raises(SourceOpenError, match="no answer in time"):
        open_source(server.url(), QUICK)


def stalling(connection: socket.socket, stop: threading.Event) -> None:
    """Three pictures, then a byte now and then."""
    request_of(connection)
    connection.sendall(head_of("200 OK", "Content-Type: multipart/x-mixed-replace; boundary=frame"))
    for image in IMAGES[:3]:
        jpeg = encode_jpeg(image)
        connection.sendall(
            b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg) + jpeg
        )
    trickling(b"--frame\r\n" * 1000)(connection, stop)


def test_a_camera_that_only_trickles_on_is_given_up_in_time() -> None:
    with camera_server(stalling) as server, open_source(server.url(), QUICK) as source:
        began = time.monotonic()
        with pytest.raises(SourceDecodeError, match="no answer in time"):
            list(source.pictures())
        assert time.monotonic() - began < QUICK.read_timeout_seconds + 5
        assert source.read_count >= 2


def test_sound_that_goes_on_does_not_hide_that_the_pictures_have_stopped() -> None:
    content = sound(60, [numbered(index) for index in range(25)])

    def behave(connection: socket.socket, stop: threading.Event) -> None:
        request_of(connection)
        connection.sendall(head_of("200 OK", "Content-Type: video/mp2t") + content[: len(content) // 2])
        for start in range(len(content) // 2, len(content), len(content) // 1000):
            connection.sendall(content[start : start + len(content) // 1000])
            if stop.wait(0.1):
                return

    with camera_server(behave) as server, open_source(server.url(), QUICK) as source:
        began = time.monotonic()
        with pytest.raises(SourceDecodeError, match="no answer in time"):
            list(source.pictures())
        assert time.monotonic() - began < 25, "the sound goes on for 50 s"
        assert source.read_count >= 24


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n%s\n#EXT-X-ENDLIST\n"


def test_a_playlist_leads_nowhere() -> None:
    with camera_server(silent) as inside:
        content = PLAYLIST % inside.url().encode()
        playlist = serving(content, "application/vnd.apple.mpegurl")
        with camera_server(playlist) as server, pytest.raises(SourceOpenError, match="no kind of video"):
            open_source(server.url("live.m3u8"), QUICK)
        assert inside.connections == 0


@pytest.mark.parametrize(
    ("status", "reason"), [("404 Not Found", "404"), ("403 Forbidden", "password"), ("500 Oops", "5XX")]
)
def test_what_a_server_says_is_told(status: str, reason: str) -> None:
    with camera_server(answering(status)) as server, pytest.raises(SourceError, match=reason):
        open_source(server.url(), QUICK)
