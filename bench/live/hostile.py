"""Cameras that are broken or mean it: an HTTP server on loopback whose every path is another way to go wrong."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

PAUSE_SECONDS = 0.1


def mpegts(encoders: Sequence[str], *, size_wh: tuple[int, int] = (320, 240), seconds: float = 2.0) -> bytes:
    """MPEG-TS with one codec after the other in what claims to be one stream.

    Args:
        encoders: in order.
        size_wh: of the pictures.
        seconds: of each part.
    """
    parts = []
    slope = np.linspace(0, 255, size_wh[0]).astype(np.uint8)
    for encoder in encoders:
        content = io.BytesIO()
        with av.open(content, "w", format="mpegts") as container:
            stream = container.add_stream(encoder, rate=10)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height = size_wh
            stream.pix_fmt = "yuv420p"
            for number in range(int(seconds * 10)):
                image = np.ascontiguousarray(
                    np.broadcast_to(np.roll(slope, 8 * number)[None, :, None], (size_wh[1], size_wh[0], 3))
                )
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
            container.mux(stream.encode())
        parts.append(content.getvalue())
    return b"".join(parts)


def sound(seconds: float = 5.0) -> bytes:
    """A file with nothing to see in it."""
    content = io.BytesIO()
    with av.open(content, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        assert isinstance(stream, AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, int(16_000 * seconds)), np.int16), "s16", "mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return content.getvalue()


def jpeg(width: int, height: int) -> bytes:
    """A grey picture."""
    _, encoded = cv2.imencode(".jpg", np.full((height, width, 3), 128, np.uint8))
    return bytes(encoded)


class _Handler(BaseHTTPRequestHandler):
    server: HostileServer

    def do_GET(self) -> None:
        """Goes wrong as the path says; the viewer hanging up ends it."""
        behave = self.server.ways.get(self.path.split("?")[0].strip("/"))
        if behave is None:
            self.send_error(404)
            return
        try:
            behave(self)
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
        """Says nothing."""


class HostileServer(ThreadingHTTPServer):
    """Serves every way to go wrong that is known here."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.over = threading.Event()
        switched, small, huge = mpegts(("libx264", "libx265")), jpeg(1, 1), jpeg(7680, 4320)
        audio = sound()
        self.ways: dict[str, Callable[[_Handler], None]] = {
            "garbage": lambda viewer: self._stream(viewer, "video/mp2t", lambda: os.urandom(65_536)),
            "silent": lambda viewer: self._stream(viewer, "video/mp2t", lambda: b""),
            "one-pixel": lambda viewer: self._mjpeg(viewer, small),
            "8k": lambda viewer: self._mjpeg(viewer, huge),
            "switched": lambda viewer: self._stream(viewer, "video/mp2t", lambda: switched),
            "sound": lambda viewer: self._once(viewer, "audio/wav", audio),
            "redirect": self._redirect,
        }

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return int(self.server_address[1])

    def _head(self, viewer: _Handler, kind: str) -> None:
        viewer.send_response(200)
        viewer.send_header("Content-Type", kind)
        viewer.end_headers()

    def _stream(self, viewer: _Handler, kind: str, content: Callable[[], bytes]) -> None:
        self._head(viewer, kind)
        while not self.over.wait(PAUSE_SECONDS):
            viewer.wfile.write(content())

    def _mjpeg(self, viewer: _Handler, picture: bytes) -> None:
        part = b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (
            len(picture),
            picture,
        )
        self._stream(viewer, "multipart/x-mixed-replace; boundary=next", lambda: part)

    def _once(self, viewer: _Handler, kind: str, content: bytes) -> None:
        self._head(viewer, kind)
        viewer.wfile.write(content)

    def _redirect(self, viewer: _Handler) -> None:
        viewer.send_response(302)
        viewer.send_header("Location", f"/redirect?{time.monotonic_ns()}")
        viewer.end_headers()


@contextmanager
def hostile_server() -> Iterator[HostileServer]:
    """The server, in threads of this process; gone on leaving."""
    server = HostileServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def broken_files(folder: Path, good: Path) -> dict[str, Path]:
    """Recordings that are none, or only half of one.

    Args:
        folder: where they are written.
        good: what they are made from.
    """
    content = good.read_bytes()
    files = {"garbage-file": os.urandom(200_000), "half-file": content[: len(content) // 2]}
    for name, made in files.items():
        (folder / f"{name}.mp4").write_bytes(made)
    return {name: folder / f"{name}.mp4" for name in files}
