"""What a running service does by itself, how it reaches Redis, and what its readiness asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.background import Background, BackgroundLoop
from api.intake import Intake
from api.keys.store import KeyStore
from api.metrics import ServiceMetrics
from api.probes import Probe, Probes, database_state, disk_state, keys_state, local_folders
from api.settings import Settings
from api.store.checkpoints import Checkpointer
from api.store.engine import Database
from api.stream import Bus, connect_bus
from pipelines.tracing import tracing_from

if TYPE_CHECKING:
    from api.services import Services

GALLERY_INTERVAL_SECONDS: Final = 2.0
"""How often old templates are looked for."""

GALLERY_CHECK_SECONDS: Final = 0.25
"""How soon a change of a list, a revocation above all, is on its way to the workers."""

CAMERA_INTERVAL_SECONDS: Final = 2.0
REFERENCE_INTERVAL_SECONDS: Final = 1.0
REQUEST_INTERVAL_SECONDS: Final = 60.0
REDRESS_INTERVAL_SECONDS: Final = 2.0
CHASE_INTERVAL_SECONDS: Final = 10.0
CHECKPOINT_INTERVAL_SECONDS: Final = 1.0
TRIM_INTERVAL_SECONDS: Final = 60.0
RECORDS_INTERVAL_SECONDS: Final = 300.0
DUTY_INTERVAL_SECONDS: Final = 5.0
CONTROLS_INTERVAL_SECONDS: Final = 60.0
RETENTION_INTERVAL_SECONDS: Final = 20.0
"""One of 256 shelves of the evidence store a round: all of them in an hour and a half."""

TIDYING_SHARE: Final = 0.2
"""Of the time: who deletes the old of years must leave the database to operators."""


def probes_of(settings: Settings, database: Database, bus: Bus | None) -> Probes:
    """What readiness asks."""
    folders = (settings.keys_dir, *local_folders(settings.database_url, settings.evidence_url))

    def bus_state() -> str:
        if bus is None:
            return "not configured"
        return "ok" if bus.answers() else "away"

    return Probes(
        [
            Probe("database", lambda: database_state(database)),
            Probe("keys", lambda: keys_state(settings.keys_dir)),
            Probe("disk", lambda: disk_state(folders)),
            Probe("bus", bus_state),
        ]
    )


def bus_of(settings: Settings, intake: Intake, keys: KeyStore, metrics: ServiceMetrics) -> Bus | None:
    """The connection to Redis; None where none is configured.

    Raises:
        BusError: it is away, or refuses.
    """
    if settings.redis_url is None:
        return None
    redis = connect_bus(
        settings.redis_url, settings.redis_username, settings.redis_password, settings.redis_security
    )
    return Bus(
        redis, intake, keys, ages=settings.stream_ages, metrics=metrics, tracing=tracing_from("aiqyn-api")
    )


def background_of(services: Services) -> Background:
    """The threads, not started yet."""
    interval = services.settings.sweep_interval_seconds
    loops = [
        BackgroundLoop("hold-clock", services.hold_clock.run_once, interval),
        BackgroundLoop("expiry-sweeper", services.sweeper.run_once, interval),
        BackgroundLoop("redress", services.after.reexaminer.run_once, REDRESS_INTERVAL_SECONDS),
        BackgroundLoop("chasing", services.after.watch.run_once, CHASE_INTERVAL_SECONDS),
        BackgroundLoop(
            "retention", services.retention.run_once, RETENTION_INTERVAL_SECONDS, share=TIDYING_SHARE
        ),
        BackgroundLoop("references", services.lists.jobs.run_once, REFERENCE_INTERVAL_SECONDS),
        BackgroundLoop("requests", services.lists.requests.lapse_once, REQUEST_INTERVAL_SECONDS),
        BackgroundLoop(
            "record-retention",
            services.record_sweeper.run_once,
            RECORDS_INTERVAL_SECONDS,
            share=TIDYING_SHARE,
        ),
        BackgroundLoop("duty", services.duty.run_once, DUTY_INTERVAL_SECONDS),
        BackgroundLoop("controls", services.control_sources.run_once, CONTROLS_INTERVAL_SECONDS),
    ]
    if services.database.engine.dialect.name == "sqlite":
        checkpointer = Checkpointer(services.database)
        loops.append(BackgroundLoop("checkpoints", checkpointer.run_once, CHECKPOINT_INTERVAL_SECONDS))
    if services.bus is not None and services.outbox is not None:
        loops += [
            BackgroundLoop("intake", services.bus.take_in, 0.0),
            BackgroundLoop("outbox", services.outbox.run_once, interval),
            BackgroundLoop("galleries", services.galleries.watch_once, GALLERY_CHECK_SECONDS),
            BackgroundLoop("trimming", services.bus.trimmer.run_once, TRIM_INTERVAL_SECONDS),
        ]
    if services.camera_watch is not None:
        loops.append(BackgroundLoop("cameras", services.camera_watch.run_once, CAMERA_INTERVAL_SECONDS))
    if services.overlay_publisher is not None:
        loops.append(
            BackgroundLoop("overlays", services.overlay_publisher.run_once, GALLERY_INTERVAL_SECONDS)
        )
    if services.camera_publisher is not None:
        loops.append(
            BackgroundLoop("given-cameras", services.camera_publisher.run_once, GALLERY_INTERVAL_SECONDS)
        )
    if services.templates is not None:
        loops.append(BackgroundLoop("templates", services.templates.run_once, GALLERY_INTERVAL_SECONDS))
    return Background(loops)
