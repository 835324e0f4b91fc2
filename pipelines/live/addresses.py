"""Which addresses a camera may have: what leads back to this machine, or to a cloud's own services, is refused.

A camera's address is typed by a person or comes through the API, and the worker stands inside the network: an
address such as `http://169.254.169.254/` would make it fetch what nobody outside may read (server-side request
forgery, CWE-918). So every address is resolved before it is opened, every answer is checked, and what was checked
is what is connected to (`CheckedAddress.connect_to`): a name cannot answer differently a moment later.
"""

from __future__ import annotations

import ipaddress
import os
import queue
import re
import socket
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from pipelines.errors import AddressError
from vision.locations import SCHEMES, redact_url
from vision.sources import FrameSource, SourceOptions
from vision.video import open_source

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str], list[str]]
"""All numeric addresses of a name; raises OSError where it has none."""

_USUAL_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_BY_NAME_ONLY = frozenset({"rtsps", "https"})
"""TLS names the host it wants (SNI) and checks the certificate against it, so these connect by name."""

_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",  # AWS, Azure, Google, OpenStack, DigitalOcean, Oracle
        "169.254.170.2",  # AWS ECS credentials
        "fd00:ec2::254",  # AWS over IPv6
        "fd20:ce::254",  # Google over IPv6
        "168.63.129.16",  # Azure's host agent
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle, older
    )
)
"""Services a cloud gives its own machines, credentials among them: refused whatever is configured."""

_EMBEDS_IPV4 = (
    (ipaddress.ip_network("::/96"), 0),  # IPv4-compatible, RFC 4291 2.5.5.1
    (ipaddress.ip_network("64:ff9b::/96"), 0),  # NAT64, RFC 6052
    (ipaddress.ip_network("64:ff9b:1::/48"), 0),  # NAT64 of the network's own, RFC 8215
    (ipaddress.ip_network("2002::/16"), 80),  # 6to4, RFC 3056
)
"""IPv6 networks whose addresses stand for IPv4 ones, and how far their bits are from the right."""

_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
"""The unspecified address is in it; that of IPv6 lies in a reserved network."""


@dataclass(frozen=True, slots=True)
class CheckedAddress:
    """An address that may be opened.

    Attributes:
        location: as given, with its secrets; in no repr.
        ips: every address its name leads to, as checked; IPv4 first.
        connect_to: the numeric address to connect to in place of the name; None where TLS wants the name.
    """

    location: str = field(repr=False)
    ips: tuple[str, ...]
    connect_to: str | None


def check_address(
    url: str, *, allow_local: bool, timeout_seconds: float = 5.0, resolve: Resolve | None = None
) -> CheckedAddress:
    """Whether a camera's address may be opened.

    Local networks are where cameras live and need no leave. This machine (loopback and its own addresses), its
    link's own addresses (169.254.0.0/16, fe80::/10), and what is no host at all (unspecified, multicast, broadcast,
    reserved) are refused, however written: decimal, octal, hexadecimal, inside an IPv6 address, or behind a name.

    Args:
        url: rtsp, rtsps, http or https.
        allow_local: lets loopback, this machine's and link-local addresses pass; a cloud's metadata never.
        timeout_seconds: how long the name may take to resolve.
        resolve: for tests; the system's resolver by default.

    Raises:
        AddressError: not such an address, or refused, or the name does not resolve in time. One line, free of
            credentials.
    """
    shown = re.sub(r"[\x00-\x1f\x7f]", "?", redact_url(url))
    host, port = _host_and_port(url, shown)
    scheme = url.partition(":")[0].strip().lower()
    answers = _resolved(host, resolve or (lambda name: _system_resolve(name, port)), timeout_seconds, shown)
    ips = tuple(dict.fromkeys(_parsed(answer, shown) for answer in answers))
    for ip in ips:
        problem = _problem(ip, allow_local)
        if problem:
            raise AddressError(f"{shown}: leads to {ip}, {problem}")
    ordered = tuple(str(ip) for ip in sorted(ips, key=lambda ip: ip.version))
    return CheckedAddress(url, ordered, None if scheme in _BY_NAME_ONLY else ordered[0])


def open_checked(checked: CheckedAddress, options: SourceOptions) -> FrameSource:
    """Opens a checked address, and makes sure that what was connected to is what was checked.

    Over HTTP no redirect is followed. FFmpeg's RTSP client follows them and cannot be told not to, and where TLS
    connects by name, the name is resolved anew: so the connections made meanwhile are looked at, and one that leads
    elsewhere is closed before a picture is taken from it.

    Raises:
        AddressError: it led elsewhere.
        SourceOpenError: as `open_source`.
    """
    before = _peers().keys()
    source = open_source(checked.location, replace(options, connect_to=checked.connect_to))
    meant = {str(_meant(ipaddress.ip_address(ip))) for ip in checked.ips}
    elsewhere = sorted({ip for inode, ip in _peers().items() if inode not in before} - meant)
    if elsewhere:
        source.close()
        raise AddressError(
            f"{source.location}: leads on to {elsewhere[0]}, which is not followed: give that address"
        )
    return source


def _peers() -> dict[int, str]:
    """Where the TCP connections of this process lead, by their inode."""
    try:
        descriptors = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    except OSError:
        raise AddressError("addresses cannot be checked: /proc/self/fd cannot be read") from None
    peers = {}
    for descriptor in descriptors:
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISSOCK(status.st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                if (
                    connection.family in (socket.AF_INET, socket.AF_INET6)
                    and connection.type == socket.SOCK_STREAM
                ):
                    peers[status.st_ino] = str(
                        _meant(ipaddress.ip_address(_numeric(connection.getpeername()[0])))
                    )
        except OSError:  # closed meanwhile, or not connected
            continue
    return peers


def _numeric(host: str) -> str:
    return host.partition("%")[0]


def _host_and_port(url: str, shown: str) -> tuple[str, int]:
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise AddressError(f"{shown}: holds blanks, control characters or backslashes; write them as %XX")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise AddressError(f"{shown}: is not a valid address; write @ / ? # in a password as %XX") from None
    if parts.scheme not in SCHEMES:
        raise AddressError(f"{shown}: addresses of cameras start with one of {', '.join(SCHEMES)}")
    if not host:
        raise AddressError(f"{shown}: names no host")
    return host, port or _USUAL_PORTS[parts.scheme]


def _system_resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _resolved(host: str, resolve: Resolve, timeout_seconds: float, shown: str) -> list[str]:
    """The answers for a name. A resolver cannot be interrupted, so a thread waits for it; one that hangs is left."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(host))
        except (OSError, UnicodeError) as error:
            answers.put(OSError(str(error)))

    threading.Thread(target=ask, name="resolve-camera", daemon=True).start()
    try:
        found = answers.get(timeout=timeout_seconds)
    except queue.Empty:
        raise AddressError(f"{shown}: its name was not resolved within {timeout_seconds:g} s") from None
    if isinstance(found, OSError) or not found:
        raise AddressError(f"{shown}: its name is not known")
    return found


def _parsed(answer: str, shown: str) -> Ip:
    try:
        return ipaddress.ip_address(_numeric(answer))
    except ValueError:
        raise AddressError(f"{shown}: its name resolved to what is no address") from None


def _problem(ip: Ip, allow_local: bool) -> str | None:
    """Why an address is refused, or None."""
    meant = _meant(ip)
    if meant in _METADATA:
        return "a cloud's metadata service, which is never a camera"
    local = meant.is_loopback or meant.is_link_local
    if meant.is_multicast or meant in _THIS_NETWORK or (meant.is_reserved and not local):
        return "which is no host's address"
    if allow_local:
        return None
    if meant.is_loopback or _is_own(meant):
        return "this machine itself; set allow_local for this camera if that is meant"
    if meant.is_link_local:
        return "an address of this link alone; set allow_local for this camera if that is meant"
    return None


def _meant(ip: Ip) -> Ip:
    """The IPv4 address an IPv6 one stands for, else itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip == ipaddress.IPv6Address("::1") or ip.is_unspecified:
        return ip
    for network, shift in _EMBEDS_IPV4:
        if ip in network:
            return ipaddress.IPv4Address((int(ip) >> shift) & 0xFFFF_FFFF)
    return ip


def _is_own(ip: Ip) -> bool:
    """Whether one of this machine's interfaces has the address: only those can be bound to."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
    except OSError:
        return False
    return True
