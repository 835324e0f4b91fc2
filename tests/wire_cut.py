"""A way to a Unix socket that can lose replies: what was asked has happened, and whoever asked does not learn it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_CHUNK = 65_536


class WireCut:
    """Passes bytes between clients and a server; a context manager.

    Attributes:
        path: where clients connect.
        lost: replies that were dropped.
    """

    def __init__(self, server: Path, folder: Path) -> None:
        """
        Args:
            server: the server's own socket.
            folder: of the new one; its path must be short.
        """
        self.path = folder / "cut.sock"
        self.lost = 0
        self._server = server
        self._word: bytes | None = None
        self._mutex = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def lose_reply_to(self, word: bytes) -> None:
        """The next request that holds this word is answered by a cut connection; once."""
        with self._mutex:
            self._word = word

    def __enter__(self) -> Self:
        self._listener.bind(str(self.path))
        self._listener.listen(8)
        self._start(self._accept)
        return self

    def __exit__(self, *_: type[BaseException] | TracebackType | BaseException | None) -> None:
        for one in [self._listener, *self._open]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                server.connect(str(self._server))
                self._open += [client, server]
                dropping = threading.Event()
                self._start(self._ask, client, server, dropping)
                self._start(self._answer, client, server, dropping)

    def _ask(self, client: socket.socket, server: socket.socket, dropping: threading.Event) -> None:
        with suppress(OSError):
            while request := client.recv(_CHUNK):
                if self._is_to_be_lost(request):
                    dropping.set()
                server.sendall(request)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket, server: socket.socket, dropping: threading.Event) -> None:
        with suppress(OSError):
            while (reply := server.recv(_CHUNK)) and not dropping.is_set():
                client.sendall(reply)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _is_to_be_lost(self, request: bytes) -> bool:
        with self._mutex:
            if self._word is None or self._word not in request:
                return False
            self._word = None
            self.lost += 1
            return True
