"""Joins settings, database, keys and bus into the services routes and threads work with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from api.accounts import AccountService
from api.background import Background, BackgroundLoop
from api.camera_watch import CameraWatch
from api.cameras import CameraService
from api.clock import Clock, Draw, draw
from api.clockwork import ExpirySweeper, HoldClock, Issuer
from api.controls import ControlLibrary
from api.desk import ReviewDesk
from api.evidence import EvidenceCabinet
from api.galleries import GalleryService
from api.holds import HoldService
from api.intake import Intake
from api.keys.store import KeyStore
from api.metrics import ServiceMetrics
from api.outlets.outbox import OutboxPublisher
from api.overlays import OverlayPublisher, OverlayService
from api.oversight import Oversight
from api.passkeys import PasskeyService
from api.passwords import Passwords
from api.previews import PreviewService
from api.probes import Probe, Probes, database_state, disk_state, keys_state, local_folders
from api.proofs import Prover
from api.records import RecordService
from api.references import ReferenceService
from api.retention import RetentionSweeper
from api.settings import Settings
from api.store.engine import Database
from api.store.open import open_database
from api.stream import Bus, connect_bus
from api.template_watch import TemplateWatch
from api.vault import SubjectVault
from pipelines.events import utc_now
from pipelines.tracing import tracing_from

GALLERY_INTERVAL_SECONDS: Final = 2.0
"""How often old templates are looked for."""

GALLERY_CHECK_SECONDS: Final = 0.25
"""How soon a change of a list, a revocation above all, is on its way to the workers."""

CAMERA_INTERVAL_SECONDS: Final = 2.0
TRIM_INTERVAL_SECONDS: Final = 60.0
RETENTION_INTERVAL_SECONDS: Final = 20.0
"""One of 256 shelves of the evidence store a round: all of them in an hour and a half."""


@dataclass(frozen=True, slots=True, repr=False)
class Services:
    """Everything one running service is made of."""

    settings: Settings
    database: Database
    keys: KeyStore
    accounts: AccountService
    passkeys: PasskeyService
    desk: ReviewDesk
    oversight: Oversight
    records: RecordService
    references: ReferenceService
    controls: ControlLibrary
    evidence: EvidenceCabinet
    holds: HoldService
    retention: RetentionSweeper
    intake: Intake
    hold_clock: HoldClock
    sweeper: ExpirySweeper
    galleries: GalleryService
    templates: TemplateWatch | None
    cameras: CameraService
    camera_watch: CameraWatch | None
    previews: PreviewService
    overlays: OverlayService
    overlay_publisher: OverlayPublisher | None
    bus: Bus | None
    outbox: OutboxPublisher | None
    metrics: ServiceMetrics
    probes: Probes
    background: Background

    def start(self) -> None:
        """Starts the threads."""
        self.background.start()

    def close(self) -> None:
        """Stops the threads and lets go of bus and database."""
        self.background.stop()
        if self.bus is not None:
            self.bus.close()
        self.database.close()

    def liveness(self) -> dict[str, str]:
        """`ok` or what is wrong, for the process and each of its threads."""
        return {"process": "ok", **self.background.liveness()}

    def readiness(self) -> dict[str, str]:
        """`ok` or what is wrong, for everything work needs."""
        return {**self.probes.states(), **self.background.readiness()}

    def notices(self) -> list[str]:
        """What stops no work here and has to be mended; open to anyone, so that no deployment is named."""
        notices = []
        waiting = len(self.templates.notices) if self.templates else 0
        if waiting:
            notices.append(
                f"{waiting} galleries are refused by their workers, whose embedder made other templates: run `aiqyn enrol "
                "--refresh`; the log names them"
            )
        held = len(self.bus.trimmer.held) if self.bus else 0
        if held:
            notices.append(
                f"{held} streams grow: a group of readers does not acknowledge; the log names them"
            )
        return notices


def build_services(
    settings: Settings, *, clock: Clock = utc_now, chance: Draw = draw, passwords: Passwords | None = None
) -> Services:
    """All services, on a database brought to the newest schema; threads are not started yet.

    Args:
        settings: where things are, and the policy.
        clock: gives the time; tests hand in their own.
        chance: gives numbers from [0, 1); tests hand in their own.
        passwords: hashes passwords; at the recommended cost where None.

    Raises:
        SealingError: the key store is missing or open to others.
        BusError: Redis is configured and away, or refuses.
    """
    keys = KeyStore.open(settings.keys_dir)
    database = open_database(settings.database_url)
    policy, vault = settings.policy, SubjectVault(keys)
    evidence = EvidenceCabinet(settings.evidence_url, keys, settings.evidence_access)
    controls = ControlLibrary(database, evidence, policy, clock, chance)
    intake = Intake(database, keys, controls, policy, clock)
    hold_clock = HoldClock(database, Issuer(settings.issuer, keys, policy), clock)
    sweeper = ExpirySweeper(database, clock)
    metrics = ServiceMetrics()
    bus = _bus(settings, intake, keys, metrics)
    outbox = OutboxPublisher(database, bus, clock) if bus else None
    records = RecordService(database, vault, clock)
    references = ReferenceService(database, vault, clock)
    galleries = GalleryService(database, records, keys, clock, bus.galleries if bus else None)
    templates = TemplateWatch(database, references, bus.cameras, clock) if bus else None
    configured = settings.camera_ids
    cameras = CameraService(database, clock, configured=configured)
    camera_watch = CameraWatch(database, bus.words, clock, configured=configured) if bus else None
    overlays = OverlayService(database, clock)
    publisher = OverlayPublisher(overlays, bus.overlays, clock) if bus else None
    services = Services(
        settings=settings,
        database=database,
        keys=keys,
        accounts=AccountService(
            database, clock, session_lifetime=settings.session_lifetime, passwords=passwords
        ),
        passkeys=PasskeyService(database, settings.party, clock),
        desk=ReviewDesk(database, vault, evidence, policy, Prover(settings.party), clock, chance),
        oversight=Oversight(database, vault, policy, clock),
        records=records,
        references=references,
        controls=controls,
        evidence=evidence,
        holds=HoldService(database, clock),
        retention=RetentionSweeper(database, evidence, settings.retention, clock),
        intake=intake,
        hold_clock=hold_clock,
        sweeper=sweeper,
        galleries=galleries,
        templates=templates,
        cameras=cameras,
        camera_watch=camera_watch,
        previews=PreviewService(database, cameras, bus.previews if bus else None, clock),
        overlays=overlays,
        overlay_publisher=publisher,
        bus=bus,
        outbox=outbox,
        metrics=metrics,
        probes=_probes(settings, database, bus),
        background=Background([]),
    )
    if settings.run_background:
        services = replace(services, background=_background(services))
    metrics.watch(database, services.readiness, clock)
    return services


def _probes(settings: Settings, database: Database, bus: Bus | None) -> Probes:
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


def _bus(settings: Settings, intake: Intake, keys: KeyStore, metrics: ServiceMetrics) -> Bus | None:
    if settings.redis_url is None:
        return None
    redis = connect_bus(
        settings.redis_url, settings.redis_username, settings.redis_password, settings.redis_security
    )
    return Bus(
        redis, intake, keys, ages=settings.stream_ages, metrics=metrics, tracing=tracing_from("aiqyn-api")
    )


def _background(services: Services) -> Background:
    interval = services.settings.sweep_interval_seconds
    loops = [
        BackgroundLoop("hold-clock", services.hold_clock.run_once, interval),
        BackgroundLoop("expiry-sweeper", services.sweeper.run_once, interval),
        BackgroundLoop("retention", services.retention.run_once, RETENTION_INTERVAL_SECONDS),
    ]
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
    if services.templates is not None:
        loops.append(BackgroundLoop("templates", services.templates.run_once, GALLERY_INTERVAL_SECONDS))
    return Background(loops)
