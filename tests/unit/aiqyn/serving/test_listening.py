"""`aiqyn.serving.listening`: one port for several processes, and for nobody else."""

from __future__ import annotations

import socket
import threading

import pytest

from aiqyn.serving.listening import check_free, close_all, shared_sockets


def test_all_listen_on_one_port_that_is_chosen_once() -> None:
    made = shared_sockets("127.0.0.1", 0, 3)
    try:
        ports = {one.getsockname()[1] for sockets in made for one in sockets}
        assert len(ports) == 1
        assert ports != {0}
        for sockets in made:
            assert len(sockets) == 1
            sockets[0].listen()
    finally:
        close_all(made)


def test_a_port_of_somebody_else_is_not_shared() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(OSError, match="in use"):
            shared_sockets("127.0.0.1", holder.getsockname()[1], 2)


def test_a_second_service_is_told_that_the_port_is_taken() -> None:
    """Though both would share it: half of the operators would come to the wrong one."""
    made = shared_sockets("127.0.0.1", 0, 2)
    try:
        port = made[0][0].getsockname()[1]
        made[0][0].listen()
        with pytest.raises(OSError, match="in use"):
            check_free("127.0.0.1", port)
    finally:
        close_all(made)


def test_what_is_free_is_found_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    check_free("127.0.0.1", port)


def test_a_host_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(OSError, match=r"(?i)not known|failure|no address"):
        shared_sockets("no-such-host.invalid", 0, 2)


def test_a_port_that_is_given_back_meanwhile_is_waited_for() -> None:
    made = shared_sockets("127.0.0.1", 0, 2)
    port = made[0][0].getsockname()[1]
    made[0][0].listen()
    giving_back = threading.Timer(0.3, close_all, [made])
    giving_back.start()
    check_free("127.0.0.1", port, patience_seconds=10)
    assert not giving_back.is_alive()
