"""TLS to a real server: whom it is believed to be, and whom it believes us to be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from aiqyn.embedded.redis_server import RedisServer
from pipelines import streams
from pipelines.bus_address import BusSecurity
from pipelines.errors import BusError
from pipelines.streams import bus_errors
from tests.redis_server import find_kind
from tests.system.pipelines.redis_tls import Authority, Pair, tls_redis

pytestmark = pytest.mark.system


@pytest.fixture
def program() -> Path:
    """Debian's server; those in wheels are built without TLS."""
    found = find_kind("7")
    assert isinstance(found, RedisServer)
    return found.path


@pytest.fixture
def site(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "site-authority")


@pytest.fixture
def server(site: Authority) -> Pair:
    return site.vouch("server", "localhost", "127.0.0.1")


@pytest.fixture
def port(program: Path, site: Authority, server: Pair) -> Iterator[int]:
    with tls_redis(program, server, site.certificate, ask_clients=False) as port:
        yield port


def ping(port: int, security: BusSecurity, host: str = "127.0.0.1") -> bool:
    with (
        streams.connect(f"rediss://{host}:{port}", retries=0, security=security) as client,
        bus_errors("no answer"),
    ):
        return bool(client.ping())


def test_a_server_the_named_authority_vouches_for_is_believed(port: int, site: Authority) -> None:
    for host in ("127.0.0.1", "localhost"):
        assert ping(port, BusSecurity(ca=site.certificate), host)


def test_without_the_authority_it_is_not(port: int) -> None:
    with pytest.raises(BusError, match=r"its certificate is not believed: .*(issuer|self-signed)"):
        ping(port, BusSecurity())


def test_another_authority_does_not_vouch_for_it(port: int, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other-authority")
    with pytest.raises(BusError, match="its certificate is not believed"):
        ping(port, BusSecurity(ca=other.certificate))


def test_with_an_authority_of_our_own_the_system_s_are_not_believed(
    port: int, site: Authority, tmp_path: Path
) -> None:
    """The server's authority is one of the system's here; a site that names its own means that one alone."""
    other = Authority(tmp_path, "other-authority")
    script = (
        "import sys; from pathlib import Path; from pipelines import streams\n"
        "from pipelines.bus_address import BusSecurity\n"
        "ca = Path(sys.argv[2]) if sys.argv[2] else None\n"
        "client = streams.connect(sys.argv[1], retries=0, security=BusSecurity(ca=ca))\n"
        "sys.stdout.write('believed' if client.ping() else '')\n"
    )
    environment = os.environ | {"SSL_CERT_FILE": str(site.certificate)}

    def said(ca: str) -> str:
        command = [sys.executable, "-c", script, f"rediss://127.0.0.1:{port}", ca]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.stdout or done.stderr

    assert said("") == "believed"  # so it is among the system's
    assert "CERTIFICATE_VERIFY_FAILED" in said(str(other.certificate))


def test_the_host_s_name_counts(program: Path, site: Authority) -> None:
    elsewhere = site.vouch("elsewhere", "redis.example")
    with tls_redis(program, elsewhere, site.certificate, ask_clients=False) as port:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(
                BusError, match=r"its certificate is not believed: .*(not valid for|mismatch)"
            ):
                ping(port, BusSecurity(ca=site.certificate), host)


def test_a_certificate_that_has_run_out_is_refused(program: Path, site: Authority) -> None:
    old = site.vouch("old", "127.0.0.1", age=timedelta(days=3))
    with (
        tls_redis(program, old, site.certificate, ask_clients=False) as port,
        pytest.raises(BusError, match="expired"),
    ):
        ping(port, BusSecurity(ca=site.certificate))


def test_a_server_that_asks_for_a_certificate_gets_ours(
    program: Path, site: Authority, server: Pair, tmp_path: Path
) -> None:
    ours = site.vouch("worker")
    stranger = Authority(tmp_path, "stranger").vouch("nobody")
    with tls_redis(program, server, site.certificate, ask_clients=True) as port:
        security = BusSecurity(site.certificate, ours.certificate, ours.key)
        assert ping(port, security)
        for refused in (
            BusSecurity(ca=site.certificate),
            replace(security, certificate=stranger.certificate, key=stranger.key),
        ):
            with pytest.raises(BusError, match="cannot be reached"):
                ping(port, refused)


def test_a_plain_client_learns_nothing(port: int) -> None:
    with (
        streams.connect(f"redis://127.0.0.1:{port}", retries=0) as client,
        pytest.raises(BusError),
        bus_errors("no answer"),
    ):
        client.ping()
