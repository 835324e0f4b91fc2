"""A camera for tests: painted people over HTTP, as fast as they would come, for as long as somebody reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import av

from tests.fake_engine import Painted, paint, square


class LiveCamera:
    """What the server shows; lossless, so that the fakes recognise what they see.

    Attributes:
        people: in view now.
        readers: connections that are being served.
        openings: connections there were.
    """

    def __init__(self, people: list[int], fps: int) -> None:
        self.people = people
        self.fps = fps
        self.readers = self.openings = 0
        self.stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        cast("Any", self._server).camera = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/stream.mkv"

    def close(self) -> None:
        """Ends every connection, and the server."""
        self.stopping.set()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        camera = cast("Any", self.server).camera
        self.send_response(200)
        self.send_header("Content-Type", "video/x-matroska")
        self.end_headers()
        camera.readers += 1
        camera.openings += 1
        try:
            with suppress(OSError, av.error.FFmpegError):
                _stream(camera, self.wfile)
        finally:
            camera.readers -= 1

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _stream(camera: LiveCamera, out: Any) -> None:
    with av.open(
        _Pipe(out), "w", format="matroska", options={"live": "1", "cluster_time_limit": "100"}
    ) as sent:
        stream = sent.add_stream("ffv1", rate=camera.fps)
        stream.width, stream.height = 320, 240
        stream.pix_fmt = "bgr0"
        began = time.monotonic()
        index = 0
        while not camera.stopping.wait(max(0.0, began + index / camera.fps - time.monotonic())):
            people = [Painted(one, square(30 + 80 * place, 60)) for place, one in enumerate(camera.people)]
            picture = av.VideoFrame.from_ndarray(paint(people), "bgr24").reformat(format="bgr0")
            picture.pts = index
            for packet in stream.encode(picture):
                sent.mux(packet)
            out.flush()
            index += 1


class _Pipe:
    """What cannot be rewound."""

    def __init__(self, out: Any) -> None:
        self._out = out

    def write(self, data: bytes) -> int:
        self._out.write(data)
        return len(data)


@contextmanager
def live_camera(people: list[int], fps: int = 10) -> Iterator[LiveCamera]:
    """A camera; ended on leaving."""
    camera = LiveCamera(people, fps)
    try:
        yield camera
    finally:
        camera.close()
