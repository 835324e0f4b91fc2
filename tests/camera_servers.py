"""Small real servers that behave as cameras do, and as they should not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Behave = Callable[[socket.socket, threading.Event], None]
"""What a server does with one connection until it is told to stop."""


@dataclass(slots=True)
class CameraServer:
    """A listening server.

    Attributes:
        host: where it listens.
        port: of this run.
        requests: the head of what each connection asked, where the behaviour reads it.
    """

    host: str
    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str = "live", scheme: str = "http", user: str = "") -> str:
        """An address of it."""
        return f"{scheme}://{user}{self.host}:{self.port}/{path}"


@contextmanager
def camera_server(behave: Behave, host: str = "127.0.0.1") -> Iterator[CameraServer]:
    """Serves each connection in a thread of its own; ends them all on leaving."""
    stop = threading.Event()
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []
    with socket.create_server((host, 0)) as listener:
        server = CameraServer(host, listener.getsockname()[1])

        def serve(connection: socket.socket) -> None:
            with suppress(OSError):
                behave(connection, stop)
            connection.close()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection = listener.accept()[0]
                    server.connections += 1
                    opened.append(connection)
                    threads.append(threading.Thread(target=serve, args=(connection,)))
                    threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield server
        finally:
            stop.set()
            listener.shutdown(socket.SHUT_RDWR)
            threads[0].join(5)
            for connection in opened:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(5)


def request_of(connection: socket.socket) -> bytes:
    """The head of an HTTP request."""
    head = b""
    while b"\r\n\r\n" not in head:
        got = connection.recv(4096)
        if not got:
            raise ConnectionError
        head += got
    return head


def head_of(status: str, *headers: str) -> bytes:
    """The head of an HTTP answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]).encode()


def silent(connection: socket.socket, stop: threading.Event) -> None:
    """Accepts and says nothing."""
    stop.wait(60)


def closing(connection: socket.socket, stop: threading.Event) -> None:
    """Hangs up at once."""


def trickling(data: bytes, seconds: float = 0.05) -> Behave:
    """Sends its answer byte by byte."""

    def behave(connection: socket.socket, stop: threading.Event) -> None:
        for value in data:
            connection.sendall(bytes([value]))
            if stop.wait(seconds):
                return
        stop.wait(60)

    return behave


def serving(content: bytes, content_type: str = "video/mp2t", *, announced: bool = True) -> Behave:
    """Gives the same file to whoever asks; `announced`: with its length."""

    def behave(connection: socket.socket, stop: threading.Event) -> None:
        request_of(connection)
        length = [f"Content-Length: {len(content)}"] if announced else []
        connection.sendall(head_of("200 OK", f"Content-Type: {content_type}", *length) + content)

    return behave


def answering(status: str, *headers: str) -> Behave:
    """Gives an answer without a body."""

    def behave(connection: socket.socket, stop: threading.Event) -> None:
        request_of(connection)
        connection.sendall(head_of(status, *headers, "Content-Length: 0"))

    return behave


def moved_rtsp(target: Callable[[socket.socket], str]) -> Behave:
    """An RTSP server that says of everything but OPTIONS that it is elsewhere (RFC 2326, 302)."""

    def behave(connection: socket.socket, stop: threading.Event) -> None:
        while not stop.is_set():
            request = request_of(connection)
            cseq = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"cseq")).decode()
            if request.startswith(b"OPTIONS"):
                answer = f"RTSP/1.0 200 OK\r\n{cseq}\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n"
            else:
                answer = f"RTSP/1.0 302 Moved\r\n{cseq}\r\nLocation: {target(connection)}\r\n\r\n"
            connection.sendall(answer.encode())

    return behave
