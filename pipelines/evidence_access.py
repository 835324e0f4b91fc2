"""How an evidence store is reached: what the settings say of it, and the secrets from outside them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.config_evidence import EvidenceConfig
from pipelines.config_secrets import SECRETS_DIR, fill_secrets, read_secret
from pipelines.errors import EvidenceError

_OWN_NAMES = ("AIQYN_EVIDENCE_KEY_ID", "AIQYN_EVIDENCE_SECRET_KEY", "AIQYN_EVIDENCE_SESSION_TOKEN")
_USUAL_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""As Amazon's own programs name them."""


@dataclass(frozen=True, slots=True, repr=False)
class S3Credentials:
    """What an S3 server knows us by; never shows itself."""

    key_id: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return "S3Credentials(…)"


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """How a store is reached, and what is left free where it is a folder.

    Attributes:
        min_free_bytes: of a folder's disk; below it nothing new is written.
        endpoint_url: of an S3 server that is not Amazon's; may hold a secret, so it is never shown.
        region: of the bucket.
        connect_timeout_seconds: over the network.
        read_timeout_seconds: over the network.
    """

    min_free_bytes: int = 0
    endpoint_url: str | None = None
    region: str | None = None
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 15.0

    def __repr__(self) -> str:
        return f"StoreAccess(min_free_bytes={self.min_free_bytes})"


def access_of(config: EvidenceConfig) -> StoreAccess:
    """The access a configuration describes.

    Raises:
        ConfigError: a secret the endpoint names is missing.
    """
    return StoreAccess(
        min_free_bytes=config.min_free_bytes,
        endpoint_url=None if config.endpoint_url is None else fill_secrets(config.endpoint_url),
        region=config.region,
        connect_timeout_seconds=config.connect_timeout_seconds,
        read_timeout_seconds=config.read_timeout_seconds,
    )


def s3_credentials(
    environment: Mapping[str, str] | None = None, secrets_dir: Path = SECRETS_DIR
) -> S3Credentials:
    """The credentials of this process, from variables or secret files and from nowhere else.

    Neither a profile in somebody's home folder nor a cloud machine's own identity is asked: whose right it is
    that a worker uses must be said to it.

    Raises:
        EvidenceError: there are none, or one half is missing; names what to set.
        ConfigError: a secret file cannot be read.
    """
    variables = os.environ if environment is None else environment
    key_id, secret_key, token = (read_secret(name, variables, secrets_dir) for name in _OWN_NAMES)
    if not (key_id or secret_key):
        key_id, secret_key, token = (variables.get(name) for name in _USUAL_NAMES)
    if not key_id or not secret_key:
        raise EvidenceError(
            f"evidence.url is in S3, and its credentials are missing: set {_OWN_NAMES[0]} and {_OWN_NAMES[1]}, "
            f"or the files {secrets_dir / _OWN_NAMES[0].lower()} and {secrets_dir / _OWN_NAMES[1].lower()}"
        )
    return S3Credentials(key_id, secret_key, token or None)
