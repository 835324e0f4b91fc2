"""Addresses of Redis: which are allowed, and how TLS to one is set up.

What crosses a network in clear can be read and changed by whoever stands between; so a plain address beyond this
machine is refused unless somebody says that it is meant.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pipelines.errors import BusError

PLAIN_REFUSED = (
    "redis.url: redis:// sends passwords and events in clear, and this address is beyond this machine: use rediss://, or "
    "set redis.allow_plain: true where the network itself is private"
)
_QUERY_OPTIONS = frozenset({"db", "username", "password"})
"""Whatever else redis-py reads from an address (`ssl_cert_reqs=none` among it) wins over what we set."""


@dataclass(frozen=True, slots=True)
class BusSecurity:
    """How the way to Redis is protected.

    Attributes:
        ca: PEM with the authorities to believe, and no others; None for those of the system.
        certificate: PEM with this process's own certificate chain, where the server asks for one.
        key: PEM with its private key, not encrypted.
        allow_plain: whether `redis://` may go beyond this machine.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    allow_plain: bool = False


def check_address(url: str, *, allow_plain: bool = False) -> None:
    """Refuses an address that would send secrets in clear, or weaken TLS by its query.

    Raises:
        BusError: with what to do. The address is not repeated, it may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, options = parts.hostname, parse_qs(parts.query, keep_blank_values=True)
        _ = parts.port
    except ValueError as error:
        raise BusError("redis.url: not an address of Redis") from error
    unknown = sorted(set(options) - _QUERY_OPTIONS)
    if unknown:
        raise BusError(
            f"redis.url: takes no {', '.join(unknown)[:80]}; TLS is set by redis.tls_ca and its kin"
        )
    if parts.scheme == "redis" and not allow_plain and not is_loopback(host or "localhost"):
        raise BusError(PLAIN_REFUSED)


def is_loopback(host: str) -> bool:
    """Whether an address cannot leave this machine; a name other than `localhost` counts as if it could."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def tls_context(security: BusSecurity) -> ssl.SSLContext:
    """TLS 1.2 or newer, the certificate and its host name checked, whatever else is set.

    Raises:
        BusError: a file that cannot be read or holds something else; names the setting and the file.
    """
    with _file_errors("redis.tls_ca", security.ca, "give a PEM file with the authority's certificate"):
        # With a file of our own the system's authorities are not loaded: any of them could vouch for a stranger.
        context = ssl.create_default_context(cafile=None if security.ca is None else str(security.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if security.certificate is not None:
        fix = "give a PEM chain, and its key unencrypted in redis.tls_key"
        with _file_errors("redis.tls_certificate", security.certificate, fix):
            # An empty password: an encrypted key is an error, not a question on the terminal.
            context.load_cert_chain(security.certificate, security.key, password="")
    return context


@contextmanager
def _file_errors(setting: str, path: Path | None, fix: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "cannot be read"
        raise BusError(f"{setting}: {path}: {reason}; {fix}") from error
