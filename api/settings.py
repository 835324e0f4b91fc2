"""What the service needs to know to run, taken out of the one configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from api.relying_party import RelyingParty
from api.retention import RetentionPolicy, policy_of
from api.review.policies import ReviewPolicy
from api.trimming import stream_ages
from pipelines.bus_address import BusSecurity
from pipelines.config import Config
from pipelines.config_bus import StreamsConfig
from pipelines.config_metrics import MetricsAccess, metrics_access
from pipelines.config_origin import local_origin
from pipelines.evidence_access import StoreAccess, access_of


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """Settings of one running service. Variables `AIQYN_*` have been applied by `load_config` already.

    Attributes:
        database_url: SQLAlchemy URL; may hold a password.
        evidence_url: fsspec URL of sealed evidence; may hold a password.
        keys_dir: the key store.
        evidence_access: how the store of evidence is reached.
        retention: how long evidence stays.
        policy: times and shares of judging.
        issuer: how receipts name this system.
        redis_url: None: no bus; nothing is taken in and nothing leaves (tests, look at the page).
        redis_username: the ACL user of this process.
        redis_password: of that user.
        redis_security: how the way to Redis is protected.
        stream_ages: how long entries stay in Redis, by stream.
        session_lifetime: how long a login lasts.
        sweep_interval_seconds: how often hold, expiry and outbox are looked at.
        metrics: who may read the metrics.
        camera_ids: cameras of this system's settings; those of its deployments are watched besides.
        run_background: whether the threads of intake, hold, expiry and outbox run in this process.
        https: whether clients reach this service over TLS, so that they may be told to insist on it.
        party: the site passkeys belong to.
    """

    database_url: str
    evidence_url: str
    keys_dir: Path
    policy: ReviewPolicy = field(default_factory=ReviewPolicy)
    evidence_access: StoreAccess = field(default_factory=StoreAccess)
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    issuer: str = "aiqyn"
    redis_url: str | None = None
    redis_username: str | None = None
    redis_password: str | None = None
    redis_security: BusSecurity = field(default_factory=BusSecurity)
    stream_ages: Mapping[str, timedelta] = field(default_factory=lambda: stream_ages(StreamsConfig()))
    session_lifetime: timedelta = timedelta(hours=12)
    sweep_interval_seconds: float = 0.5
    metrics: MetricsAccess = field(default_factory=MetricsAccess)
    camera_ids: tuple[str, ...] = ()
    run_background: bool = True
    https: bool = False
    party: RelyingParty = field(default_factory=RelyingParty)

    def __repr__(self) -> str:
        return f"Settings(policy={self.policy!r})"


def settings_from(
    config: Config,
    *,
    redis_url: str | None = None,
    https: bool = False,
    port: int | None = None,
) -> Settings:
    """The service's part of a configuration.

    Args:
        config: as loaded.
        redis_url: of an embedded Redis; the configured one where None.
        https: whether clients reach the service over TLS.
        port: the one listened on; the configured one where None.

    Raises:
        ConfigError: the token that guards the metrics is none.
    """
    chosen = config.api
    password = config.redis.password
    return Settings(
        database_url=config.database_address(),
        evidence_url=config.evidence_address(),
        keys_dir=config.paths.keys_dir,
        evidence_access=access_of(config.evidence),
        retention=policy_of(config.evidence.retention),
        policy=ReviewPolicy(
            hold=timedelta(seconds=chosen.hold_seconds),
            act_for=timedelta(seconds=chosen.act_for_seconds),
            expire_after=timedelta(seconds=chosen.expire_after_seconds),
            second_judge_share=chosen.second_judge_share,
            control_share=chosen.control_share,
            control_first=chosen.control_first,
            control_spread=timedelta(seconds=chosen.control_spread_seconds),
        ),
        redis_url=redis_url or config.redis.address(),
        redis_username=config.redis.username,
        redis_password=None if password is None else password.get_secret_value(),
        redis_security=config.redis.security(),
        stream_ages=stream_ages(config.streams),
        metrics=metrics_access(),
        camera_ids=tuple(config.cameras),
        https=https,
        party=RelyingParty(chosen.origin or local_origin(chosen.port if port is None else port, https=https)),
    )
