"""What the service needs to know to run, taken out of the one configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

from api.galleries import DEFAULT_RATE
from api.oidc_provider import OidcSettings
from api.proxy_login import ProxyTrust
from api.rates import Rate, RateLimits
from api.record_retention import RecordAges, ages_of
from api.relying_party import RelyingParty
from api.retention import RetentionPolicy, policy_of
from api.review.policies import ReviewPolicy
from api.trimming import stream_ages
from pipelines.bus_address import BusSecurity
from pipelines.config import Config
from pipelines.config_bus import StreamsConfig
from pipelines.config_login import (
    CLIENT_SECRET_VARIABLE,
    PROXY_SECRET_VARIABLE,
    OidcConfig,
    ProxyLoginConfig,
    login_secret,
)
from pipelines.config_metrics import MetricsAccess, metrics_access
from pipelines.config_origin import local_origin
from pipelines.errors import ConfigError
from pipelines.evidence_access import StoreAccess, access_of
from pipelines.reference_reader import ReaderOptions


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """Settings of one running service. Variables `AIQYN_*` have been applied by `load_config` already.

    Attributes:
        database_url: SQLAlchemy URL; may hold a password.
        evidence_url: fsspec URL of sealed evidence; may hold a password.
        keys_dir: the key store.
        evidence_access: how the store of evidence is reached.
        retention: how long evidence stays.
        records: how long records stay that are no evidence.
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
        rates: how many requests an account and an address may send.
        oidc: the identity provider; None: there is none.
        proxy: the proxy whose header says who somebody is; None: none is believed.
        https: whether clients reach this service over TLS, so that they may be told to insist on it.
        references: which models read references, and from where; None: nothing is read here.
        false_alerts_per_1000_faces: wanted rate of lists without one of their own.
        party: the site passkeys belong to.
    """

    database_url: str
    evidence_url: str
    keys_dir: Path
    policy: ReviewPolicy = field(default_factory=ReviewPolicy)
    evidence_access: StoreAccess = field(default_factory=StoreAccess)
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    records: RecordAges = field(default_factory=RecordAges)
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
    rates: RateLimits = field(default_factory=RateLimits)
    oidc: OidcSettings | None = None
    proxy: ProxyTrust | None = None
    https: bool = False
    references: ReaderOptions | None = None
    false_alerts_per_1000_faces: float = DEFAULT_RATE
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
        ConfigError: the token that guards the metrics is none, or a secret of logins is missing.
    """
    chosen = config.api
    password = config.redis.password
    return Settings(
        database_url=config.database_address(),
        evidence_url=config.evidence_address(),
        keys_dir=config.paths.keys_dir,
        evidence_access=access_of(config.evidence),
        retention=policy_of(config.evidence.retention),
        records=ages_of(config.records),
        policy=ReviewPolicy(
            hold=timedelta(seconds=chosen.hold_seconds),
            act_for=timedelta(seconds=chosen.act_for_seconds),
            expire_after=timedelta(seconds=chosen.expire_after_seconds),
            second_judge_share=chosen.second_judge_share,
            control_share=chosen.control_share,
            control_first=chosen.control_first,
            control_spread=timedelta(seconds=chosen.control_spread_seconds),
            claim_for=timedelta(seconds=chosen.claim_seconds),
            minimum_look=timedelta(seconds=chosen.minimum_look_seconds),
            outcome_within=timedelta(hours=chosen.outcome_within_hours),
            answer_within=timedelta(days=chosen.complaint_answer_days),
        ),
        redis_url=redis_url or config.redis.address(),
        redis_username=config.redis.username,
        redis_password=None if password is None else password.get_secret_value(),
        redis_security=config.redis.security(),
        stream_ages=stream_ages(config.streams),
        metrics=metrics_access(),
        camera_ids=tuple(config.cameras),
        rates=RateLimits(
            _rate(chosen.requests_per_second),
            _rate(chosen.address_requests_per_second),
        ),
        oidc=_oidc(chosen.oidc),
        proxy=_proxy(chosen.proxy_login),
        https=https,
        references=ReaderOptions.of(config),
        false_alerts_per_1000_faces=config.identification.false_alerts_per_1000_faces,
        party=RelyingParty(chosen.origin or local_origin(chosen.port if port is None else port, https=https)),
    )


def _rate(per_second: float) -> Rate:
    return Rate(per_second, int(10 * per_second))


def _oidc(chosen: OidcConfig | None) -> OidcSettings | None:
    if chosen is None:
        return None
    secret = login_secret(CLIENT_SECRET_VARIABLE)
    return OidcSettings(chosen.issuer, chosen.client_id, secret, chosen.redirect_uri, chosen.button)


def _proxy(chosen: ProxyLoginConfig | None) -> ProxyTrust | None:
    if chosen is None:
        return None
    secret = login_secret(PROXY_SECRET_VARIABLE)
    if secret is None:
        raise ConfigError(f"api.proxy_login: set {PROXY_SECRET_VARIABLE}; a header alone proves nothing")
    networks = tuple(ip_network(one) for one in chosen.addresses)
    return ProxyTrust(networks, secret, chosen.user_header, chosen.secret_header)
