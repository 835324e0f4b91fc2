"""`pipelines.bus_address` and its settings: what may be connected to, and how."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipelines import streams
from pipelines.bus_address import BusSecurity, check_address, is_loopback, tls_context
from pipelines.config import load_config
from pipelines.errors import BusError, ConfigError


@pytest.mark.parametrize(
    "url",
    [
        "unix:///run/redis.sock",
        "redis://localhost",
        "redis://127.8.0.1:6379/0",
        "redis://[::1]:6379",
        "redis://",
    ],
)
def test_what_stays_on_this_machine_may_be_plain(url: str) -> None:
    check_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://10.0.0.5",
        "redis://redis.example:6379",
        "redis://localhost.example",
        "redis://u:hunter2@redis",
    ],
)
def test_what_leaves_it_may_not(url: str) -> None:
    with pytest.raises(BusError, match="in clear") as caught:
        streams.connect(url)
    assert "hunter2" not in str(caught.value)
    check_address(url, allow_plain=True)
    streams.connect(url, security=BusSecurity(allow_plain=True)).close()
    check_address(url.replace("redis://", "rediss://"))


@pytest.mark.parametrize(
    "option",
    ["ssl_cert_reqs=none", "ssl_check_hostname=false", "ssl_ca_certs=/tmp/x", "protocol=3", "ssl_ca_path="],
)
def test_an_address_cannot_weaken_tls(option: str) -> None:
    name = option.partition("=")[0]
    with pytest.raises(BusError, match=f"takes no {name}"):
        streams.connect(f"rediss://redis.example:6380?{option}")


def test_tls_is_never_without_its_checks() -> None:
    client = streams.connect("rediss://redis.example:6380", security=BusSecurity(allow_plain=True))
    context = client.connection_pool.connection_kwargs["context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    assert not is_loopback(f"{host}.example")


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("x")
    for ca in (tmp_path / "missing.pem", nonsense):
        with pytest.raises(BusError, match=rf"redis\.tls_ca: .*{ca.name}"):
            tls_context(BusSecurity(ca=ca))
    with pytest.raises(BusError, match=r"redis\.tls_certificate: .*nonsense"):
        tls_context(BusSecurity(certificate=nonsense, key=nonsense))


def test_an_encrypted_key_is_an_error_and_no_question(tmp_path: Path) -> None:
    key = tmp_path / "locked.key"
    locked = serialization.BestAvailableEncryption(b"secret")
    key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked
        )
    )
    with pytest.raises(BusError, match=r"redis\.tls_certificate"):
        tls_context(BusSecurity(certificate=key, key=key))


def loaded(tmp_path: Path, redis: str) -> Any:
    path = tmp_path / "aiqyn.yaml"
    path.write_text(f"redis: {redis}\n")
    return load_config(path, environment={}).redis


def test_the_settings_say_how_it_is_protected(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{url: 'rediss://r:1', tls_ca: ca.pem, tls_certificate: c.pem, tls_key: c.key}")
    assert found.security() == BusSecurity(tmp_path / "ca.pem", tmp_path / "c.pem", tmp_path / "c.key")
    assert loaded(tmp_path, "{url: 'redis://10.0.0.1', allow_plain: true}").security().allow_plain


@pytest.mark.parametrize(
    ("redis", "said"),
    [
        ("{url: 'redis://10.0.0.1:6379'}", "in clear"),
        ("{url: 'rediss://r?ssl_cert_reqs=none'}", "takes no ssl_cert_reqs"),
        ("{url: 'rediss://r', tls_key: k.pem}", "belong together"),
        ("{url: 'unix:///run/r', tls_ca: ca.pem}", "are for a rediss"),
    ],
)
def test_settings_that_would_not_protect_are_refused(tmp_path: Path, redis: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        loaded(tmp_path, redis)
    assert str(tmp_path / "aiqyn.yaml") in str(caught.value)
