"""How the service is reached, as every process of it has to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where requests come in.

    Attributes:
        host: address listened on.
        port: 0: any free one.
        tls: PEM files of certificate chain and private key; None: no TLS here.
        trusted_proxies: addresses whose headers say where a request came from; None: nobody's do.
        processes: that answer requests, the first among them.
    """

    host: str
    port: int
    tls: tuple[Path, Path] | None = None
    trusted_proxies: str | None = None
    processes: int = 1
