"""A camera on HTTP that sends H.264 in MPEG-TS as it is made: its pictures have times and need their key frames."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction

import av
import av.error
from av.video.stream import VideoStream

from tests.builders import noise

FPS = 25
KEY_FRAME_EVERY = 10


class StreamCamera:
    """Serves one connection after another.

    Attributes:
        port: where.
        sent: pictures sent, over all connections.
        clock_jump_seconds: added to its clock from now on.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.clock_jump_seconds = 0.0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/live.ts"

    def close(self) -> None:
        """Is gone."""
        self._ended.set()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(20)

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection, suppress(OSError, av.error.FFmpegError):
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
        with (
            connection.makefile("wb", buffering=0) as file,
            av.open(file, "w", format="mpegts", options={"flush_packets": "1"}) as container,
        ):
            choices = {"preset": "ultrafast", "tune": "zerolatency", "g": str(KEY_FRAME_EVERY)}
            stream = container.add_stream("libx264", rate=FPS, options=choices)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
            self._send(container, stream)

    def _send(self, container: av.container.OutputContainer, stream: VideoStream) -> None:
        began = time.monotonic()
        pictures = [av.VideoFrame.from_ndarray(noise((160, 120), seed), format="bgr24") for seed in range(8)]
        number = 0
        while not self._ended.is_set():
            time.sleep(max(0.0, began + number / FPS - time.monotonic()))
            frame = pictures[number % len(pictures)]
            frame.time_base = Fraction(1, 90_000)
            frame.pts = round((number / FPS + self.clock_jump_seconds) * 90_000)
            container.mux(stream.encode(frame))
            number += 1
            self.sent += 1


@contextmanager
def stream_camera() -> Iterator[StreamCamera]:
    """A camera that serves, and is gone at the end."""
    camera = StreamCamera()
    try:
        yield camera
    finally:
        camera.close()
