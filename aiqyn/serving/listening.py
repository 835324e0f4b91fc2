"""Sockets of the service: one for each process that answers on the same address."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Sequence
from typing import Final

_POLL_SECONDS: Final = 0.1


def check_free(host: str, port: int, *, patience_seconds: float = 0.0) -> None:
    """Looks whether an address can be listened on; a server that cannot only logs it.

    Args:
        host: address or name.
        port: 0: any.
        patience_seconds: how long it may still be in use: further processes of a service that was killed answer what they
            have begun with before they end.

    Raises:
        OSError: it cannot.
    """
    family, address = _addresses(host, port)[0]
    until = time.monotonic() + patience_seconds
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > until:
                    raise
            else:
                return
        time.sleep(_POLL_SECONDS)


def shared_sockets(host: str, port: int, processes: int) -> list[list[socket.socket]]:
    """For each process sockets of its own, on all addresses of the host; the kernel gives each its share of connections.

    All are bound here, and whoever made them keeps them, too: what reaches a process that has died waits for the one after
    it.

    Args:
        host: address or name.
        port: 0: any free one, the same for all.
        processes: how many.

    Raises:
        OSError: an address cannot be listened on.
    """
    made: list[list[socket.socket]] = [[] for _ in range(processes)]
    try:
        for family, address in _addresses(host, port):
            for sockets in made:
                sockets.append(_bound(family, address, port))
                port = port or sockets[0].getsockname()[1]
    except OSError:
        close_all(made)
        raise
    return made


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


def close_all(made: Sequence[Sequence[socket.socket]]) -> None:
    """Closes all of them."""
    for sockets in made:
        for one in sockets:
            one.close()


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """Families and addresses of a host, each once, in the system's order of preference."""
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    distinct = dict.fromkeys((one[0], str(one[4][0])) for one in found)
    if not distinct:
        raise OSError(errno.EADDRNOTAVAIL, "no such address")
    return list(distinct)
