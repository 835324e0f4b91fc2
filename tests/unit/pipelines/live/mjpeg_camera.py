"""A camera on HTTP: JPEGs in multipart/x-mixed-replace, which hangs up, falls silent or freezes when it is told to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import cv2

from tests.builders import noise
from vision.types import Image

_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


class MjpegCamera:
    """Serves one port, again after `stop` and `start`.

    Attributes:
        fps: pictures a second.
        picture: makes the n-th one sent.
        silent: sends nothing more, and keeps the connection.
        garbage: sends parts that are no pictures.
        refuses: answers 401.
        sent: pictures sent, over all connections.
        last_sent: Unix time of the last one.
    """

    def __init__(self) -> None:
        self.fps = 25.0
        self.picture: Callable[[int], Image] = lambda index: noise((160, 120), index)
        self.silent = self.garbage = self.refuses = False
        self.sent = 0
        self.last_sent = 0.0
        self.port = 0
        self._server: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []

    @property
    def address(self) -> str:
        """With a password that must show nowhere."""
        return f"http://viewer:hunter2@127.0.0.1:{self.port}/video"

    def start(self) -> None:
        """Listens, on the port of before where there was one."""
        self._server = socket.create_server(("127.0.0.1", self.port))
        self.port = self._server.getsockname()[1]
        self._run(self._accept, self._server)

    def stop(self) -> None:
        """Is gone: hangs up and refuses connections."""
        if self._server is not None:
            _end(self._server)
            self._server = None
        for connection in self._connections:
            _end(connection)
        for thread in self._threads:
            thread.join(10)
        self._connections.clear()
        self._threads.clear()

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                self._connections.append(connection)
                self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            connection.recv(4096)
            if self.refuses:
                connection.sendall(b"HTTP/1.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
                _end(connection)
                return
            connection.sendall(_HEAD)
            while connection.fileno() >= 0:
                time.sleep(1 / self.fps)
                if not self.silent:
                    self._send_one(connection)

    def _send_one(self, connection: socket.socket) -> None:
        body = b"\xff\xd8 nothing \xff\xd9" if self.garbage else _jpeg(self.picture(self.sent))
        head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body + b"\r\n")
        self.sent += 1
        self.last_sent = time.time()

    def _run(self, work: Callable[[socket.socket], None], with_socket: socket.socket) -> None:
        thread = threading.Thread(target=work, args=(with_socket,), daemon=True)
        self._threads.append(thread)
        thread.start()


@contextmanager
def mjpeg_camera() -> Iterator[MjpegCamera]:
    """A camera that serves, and is gone at the end."""
    camera = MjpegCamera()
    camera.start()
    try:
        yield camera
    finally:
        camera.stop()


def _jpeg(image: Image) -> bytes:
    return bytes(cv2.imencode(".jpg", image)[1])


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
