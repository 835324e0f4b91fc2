"""Settings of logins that somebody else vouches for: an identity provider (OIDC), or a proxy in front."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from pipelines.config_base import Settings
from pipelines.config_secrets import SECRETS_DIR, read_secret
from pipelines.errors import ConfigError

CLIENT_SECRET_VARIABLE = "AIQYN_OIDC_CLIENT_SECRET"  # noqa: S105  # where the secret is, not what it is
PROXY_SECRET_VARIABLE = "AIQYN_PROXY_SECRET"  # noqa: S105
MIN_SECRET_CHARACTERS = 20
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def secure_address(value: str) -> str:
    """An `https` address, or an `http` one of this machine.

    Raises:
        ValueError: another, or one with a user, a query or a fragment in it.
    """
    parts = urlsplit(value)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise ValueError("must begin with https:// (http:// only on this machine)")
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be a plain address: scheme, host, path")
    return value


def network(value: str) -> str:
    """An address or network, as it is.

    Raises:
        ValueError: neither.
    """
    ipaddress.ip_network(value)
    return value


SecureAddress = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(secure_address)]
HeaderName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")]


class OidcConfig(Settings):
    """An identity provider whose word counts for logins; accounts and roles stay ours."""

    issuer: SecureAddress = Field(description="as its discovery document says it")
    client_id: str = Field(min_length=1, max_length=255)
    redirect_uri: SecureAddress = Field(description="this service's page, as the provider knows it")
    button: str = Field(
        default="OpenID Connect", min_length=1, max_length=64, description="on the login page"
    )


class ProxyLoginConfig(Settings):
    """A proxy in front that has shown who somebody is, and says it in a header."""

    addresses: tuple[Annotated[str, AfterValidator(network)], ...] = Field(
        min_length=1, max_length=64, description="of the proxy; from elsewhere the header counts for nothing"
    )
    user_header: HeaderName = Field(default="X-Forwarded-User", description="carries the user name")
    secret_header: HeaderName = Field(
        default="X-Aiqyn-Proxy-Secret",
        description="carries the secret of AIQYN_PROXY_SECRET or /run/secrets/aiqyn_proxy_secret",
    )


def login_secret(
    name: str, environment: Mapping[str, str] | None = None, secrets_dir: Path = SECRETS_DIR
) -> str | None:
    """A secret that vouches for logins; None where there is none.

    Args:
        name: its variable; the file in `secrets_dir` has the same name in lower case.
        environment: variables; this process's own by default.
        secrets_dir: folder of secret files.

    Raises:
        ConfigError: too short to be a secret, or its file cannot be read.
    """
    secret = read_secret(name, os.environ if environment is None else environment, secrets_dir)
    if secret is not None and (len(secret) < MIN_SECRET_CHARACTERS or not secret.isascii()):
        raise ConfigError(
            f"{name}: needs {MIN_SECRET_CHARACTERS} ASCII characters or more; make one with `openssl rand -base64 33`"
        )
    return secret
