"""What a supervisor is told: its children's programs, its patience, and what it tells a matching process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.config import Config
from pipelines.live.children import Program, decoder_program
from pipelines.live.control import MatcherJob
from pipelines.live.reloading import LiveSettings


@dataclass(frozen=True, slots=True)
class SupervisorTimes:
    """How long the supervisor has patience.

    Attributes:
        load_seconds: for a matching process to load its models.
        beat_seconds: for a running one to say something.
        end_seconds: for one that was asked to end; it sends what it has.
        unwanted_seconds: for a new one to want the cameras its predecessor had open.
        standby_after_seconds: after which a stand-by is loaded beside one that runs.
    """

    load_seconds: float = 180.0
    beat_seconds: float = 20.0
    end_seconds: float = 45.0
    unwanted_seconds: float = 15.0
    standby_after_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class SupervisorOptions:
    """What a supervisor runs, and how.

    Attributes:
        redis_address: asked before each start of a matching process; None where there is no Redis.
        exit_when_done: whether to end once every recording is over and all is sent.
        standby: whether a second matching process waits with its models loaded.
        matcher: the matching process's program; None: the usual one.
        decoder: the decoder's.
        times: how long it has patience.
        read_settings: reads the settings again; None: they are as they are.
    """

    redis_address: Callable[[], str | None]
    exit_when_done: bool = False
    standby: bool = False
    matcher: Program | None = None
    decoder: Program = field(default_factory=decoder_program)
    times: SupervisorTimes = field(default_factory=SupervisorTimes)
    read_settings: Callable[[], Config] | None = None


def matcher_job(settings: LiveSettings, options: SupervisorOptions) -> MatcherJob:
    """What a matching process is told first of all.

    Raises:
        ConfigError: a secret of an address is missing.
    """
    config = settings.config
    document = config.model_dump(mode="json")
    document["redis"]["password"] = None  # masked in the document
    redis = config.redis
    return MatcherJob(
        config=document,
        redis_address=options.redis_address(),
        redis_username=redis.username,
        redis_password=None if redis.password is None else redis.password.get_secret_value(),
        exit_when_done=options.exit_when_done,
        note=settings.note,
    )
