"""Settings of the bus: where Redis is, how the way there is protected, how long its streams remember."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from pipelines.bus_address import BusSecurity, check_address
from pipelines.config_base import Address, Folder, Settings
from pipelines.config_secrets import fill_secrets
from pipelines.errors import BusError
from pipelines.events import Identifier
from pipelines.spool import DEFAULT_LIMIT_BYTES


def _refuse_other_schemes(address: str) -> str:
    if not address.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return address


RedisAddress = Annotated[Address, AfterValidator(_refuse_other_schemes)]


class RedisConfig(Settings):
    """The bus. Without a URL a private Redis is started that only this user can reach."""

    url: RedisAddress | None = Field(
        default=None, description="redis://, rediss:// or unix://; null: embedded"
    )
    username: Identifier | None = Field(default=None, description="the ACL user of this process")
    password: SecretStr | None = Field(
        default=None, description="only from AIQYN_REDIS_PASSWORD or /run/secrets/aiqyn_redis_password"
    )
    tls_ca: Folder | None = Field(
        default=None,
        description="PEM with the authorities that may vouch for a rediss:// server; null: the system's",
    )
    tls_certificate: Folder | None = Field(
        default=None, description="PEM with this process's certificate chain, where the server asks for one"
    )
    tls_key: Folder | None = Field(
        default=None, description="PEM with the certificate's private key, unencrypted"
    )
    allow_plain: bool = Field(
        default=False, description="redis:// beyond this machine, where the network itself is private"
    )

    spool_limit_bytes: int = Field(
        default=DEFAULT_LIMIT_BYTES,
        ge=64 * 1024,
        description="what a worker keeps on disk while Redis is away; 5 KB a candidate",
    )

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: give both")
        if self.url is None:
            return self
        if (self.tls_ca or self.tls_certificate) and not self.url.startswith("rediss://"):
            raise ValueError("tls_ca and tls_certificate are for a rediss:// address")
        try:
            check_address(self.url, allow_plain=self.allow_plain)
        except BusError as error:
            raise ValueError(str(error)) from None
        return self

    def address(self) -> str | None:
        """The URL with its secrets filled in; never log it."""
        return None if self.url is None else fill_secrets(self.url)

    def security(self) -> BusSecurity:
        """How `pipelines.streams.connect` protects the way there."""
        return BusSecurity(self.tls_ca, self.tls_certificate, self.tls_key, self.allow_plain)


class StreamsConfig(Settings):
    """How long entries stay in Redis; none goes before every group has acknowledged it."""

    candidates_hours: float = Field(
        default=24.0, ge=0.01, le=8760, description="hours candidates stay, once kept"
    )
    jobs_hours: float = Field(default=24.0, ge=0.01, le=8760, description="hours jobs stay, once done")
    confirmed_days: float = Field(
        default=30.0, ge=2, le=3650, description="days receipts stay; longer than any may be acted on"
    )
    traffic_days: float = Field(default=7.0, ge=0.01, le=3650, description="days counts stay")
    dead_days: float = Field(default=30.0, ge=0.01, le=3650, description="days dead letters stay")
