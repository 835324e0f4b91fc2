"""Settings of the endpoint with a worker's metrics and state, and who may read metrics."""

from __future__ import annotations

import hmac
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from pipelines.config_base import Settings
from pipelines.config_secrets import SECRETS_DIR, read_secret
from pipelines.errors import ConfigError

TOKEN_VARIABLE = "AIQYN_METRICS_TOKEN"  # noqa: S105  # where the token is, not what it is
MIN_TOKEN_CHARACTERS = 20
"""About 100 bits of a random one; what is shorter was thought up by somebody."""


class MetricsSettings(Settings):
    """Where a worker answers `/metrics`, `/health` and `/ready`."""

    metrics_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        max_length=255,
        description="address of /metrics, /health and /ready; beyond this machine only with a bearer token, from "
        "AIQYN_METRICS_TOKEN or /run/secrets/aiqyn_metrics_token",
    )
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="its port; 0: any free one; null: none"
    )


@dataclass(frozen=True, slots=True, repr=False)
class MetricsAccess:
    """Who may read metrics: whoever has the token; without one, this machine alone."""

    token: str | None = None

    def __repr__(self) -> str:
        return f"MetricsAccess(token={'set' if self.token else 'none'})"

    def allows(self, authorization: str | None, client_host: str | None, *, forwarded: bool = False) -> bool:
        """Whether a request may be answered.

        Args:
            authorization: its header, `Bearer …`; None where it has none.
            client_host: the address it came from; None where that is not known.
            forwarded: whether it came through a proxy, whose address is not that of who asks.
        """
        if self.token is None:
            return not forwarded and client_host is not None and is_loopback(client_host)
        scheme, _, given = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self.token.encode())


def metrics_access(
    environment: Mapping[str, str] | None = None, secrets_dir: Path = SECRETS_DIR
) -> MetricsAccess:
    """Who may read the metrics of this process.

    Args:
        environment: variables; this process's own by default.
        secrets_dir: folder of secret files.

    Raises:
        ConfigError: the token is too short to be one, or its file cannot be read.
    """
    token = read_secret(TOKEN_VARIABLE, os.environ if environment is None else environment, secrets_dir)
    if token is not None and (len(token) < MIN_TOKEN_CHARACTERS or not token.isascii()):
        raise ConfigError(
            f"{TOKEN_VARIABLE}: needs {MIN_TOKEN_CHARACTERS} ASCII characters or more; make one with "
            "`openssl rand -base64 33`"
        )
    return MetricsAccess(token)


def check_metrics_address(host: str, access: MetricsAccess) -> None:
    """Raises ConfigError where others could reach an address whose metrics nothing guards."""
    if access.token is None and not is_loopback(host):
        raise ConfigError(
            f"worker.metrics_host: others could reach {host}: set {TOKEN_VARIABLE} or the file "
            f"{SECRETS_DIR / TOKEN_VARIABLE.lower()}, or leave it at 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address; a name other than `localhost` counts as reachable."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
