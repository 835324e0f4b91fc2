"""Joins settings, database, keys and bus into the services routes and threads work with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from api.accounts import AccountService
from api.after import AfterServices, build_after
from api.approvals import ApprovalService
from api.background import Background
from api.camera_watch import CameraWatch
from api.cameras import CameraService
from api.clock import Clock, Draw, draw
from api.clockwork import ExpirySweeper, HoldClock, Issuer
from api.control_results import ControlReport
from api.control_sources import ControlSources
from api.controls import ControlLibrary
from api.desk import ReviewDesk
from api.duty import DutyWatch
from api.evidence import EvidenceCabinet
from api.galleries import GalleryService
from api.given_cameras import CameraPublisher, GivenCameraService
from api.holds import HoldService
from api.intake import Intake
from api.keys.store import KeyStore
from api.list_services import ListServices, build_list_services
from api.logins import LoginService
from api.metrics import ServiceMetrics
from api.oidc import OidcLogins
from api.oidc_provider import Provider
from api.outlets.outbox import OutboxPublisher
from api.overlays import OverlayPublisher, OverlayService
from api.oversight import Oversight
from api.pager import LogPager, Pager
from api.passkeys import PasskeyService
from api.passwords import Passwords
from api.previews import PreviewService
from api.probes import Probes
from api.proofs import Prover
from api.proxy_login import ProxyLogins
from api.rates import RateLimiter
from api.record_retention import RecordSweeper
from api.records import RecordService
from api.references import ReferenceService
from api.retention import RetentionSweeper
from api.rights import RightsService
from api.service_parts import background_of, bus_of, probes_of
from api.settings import Settings
from api.shifts import ShiftService
from api.statistics import StatisticsService
from api.store.engine import Database
from api.store.open import open_database
from api.stream import Bus
from api.template_watch import TemplateWatch
from api.vault import SubjectVault
from pipelines.events import utc_now


@dataclass(frozen=True, slots=True, repr=False)
class Services:
    """Everything one running service is made of."""

    settings: Settings
    database: Database
    keys: KeyStore
    accounts: AccountService
    approvals: ApprovalService
    rights: RightsService
    logins: LoginService
    oidc: OidcLogins
    proxy_logins: ProxyLogins
    rates: RateLimiter
    passkeys: PasskeyService
    desk: ReviewDesk
    oversight: Oversight
    after: AfterServices
    records: RecordService
    references: ReferenceService
    lists: ListServices
    controls: ControlLibrary
    control_sources: ControlSources
    control_report: ControlReport
    shifts: ShiftService
    duty: DutyWatch
    statistics: StatisticsService
    evidence: EvidenceCabinet
    holds: HoldService
    retention: RetentionSweeper
    record_sweeper: RecordSweeper
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
    given_cameras: GivenCameraService
    camera_publisher: CameraPublisher | None
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
        self.lists.close()
        if self.bus is not None:
            self.bus.close()
        self.database.close()

    def liveness(self) -> dict[str, str]:
        """`ok` or what is wrong, for the process and each of its threads."""
        return {"process": "ok", **self.background.liveness()}

    def readiness(self) -> dict[str, str]:
        """`ok` or what is wrong, for everything work needs."""
        return {**self.probes.states(), **self.background.readiness()}

    def metrics_text(self) -> bytes:
        """What it counts and measures, as Prometheus reads it."""
        return self.metrics.registry.text()

    def notices(self) -> list[str]:
        """What stops no work here and has to be mended; open to anyone, so that no deployment is named."""
        notices = self.after.watch.notices()
        waiting = len(self.templates.notices) if self.templates else 0
        if waiting:
            notices.append(
                f"{waiting} galleries are refused by their workers, whose embedder made other templates: run `aiqyn enrol "
                "--refresh`; the log names them"
            )
        if self.lists.jobs.notice is not None:
            notices.append(self.lists.jobs.notice)
        held = len(self.bus.trimmer.held) if self.bus else 0
        if held:
            notices.append(
                f"{held} streams grow: a group of readers does not acknowledge; the log names them"
            )
        if self.duty.notice is not None:
            notices.append(self.duty.notice)
        return notices


def build_services(
    settings: Settings,
    *,
    clock: Clock = utc_now,
    chance: Draw = draw,
    passwords: Passwords | None = None,
    pager: Pager | None = None,
) -> Services:
    """All services, on a database brought to the newest schema; threads are not started yet.

    Args:
        settings: where things are, and the policy.
        clock: gives the time; tests hand in their own.
        chance: gives numbers from [0, 1); tests hand in their own.
        passwords: hashes passwords; at the recommended cost where None.
        pager: calls people who are needed; through the log where None.

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
    issuer = Issuer(settings.issuer, keys, policy)
    metrics = ServiceMetrics()
    after = build_after(database, issuer, clock, chance)
    bus = bus_of(settings, intake, keys, metrics)
    records = RecordService(database, vault, clock)
    references = ReferenceService(database, vault, clock)
    galleries = GalleryService(
        database, records, keys, clock, bus.galleries if bus else None, settings.false_alerts_per_1000_faces
    )
    configured = settings.camera_ids
    cameras = CameraService(database, clock, configured=configured)
    overlays = OverlayService(database, clock)
    logins = LoginService(database, clock, session_lifetime=settings.session_lifetime, passwords=passwords)
    given_cameras = GivenCameraService(database, clock, keys.worker_ids)
    report = ControlReport(database, clock)
    services = Services(
        settings=settings,
        database=database,
        keys=keys,
        accounts=AccountService(database, clock, passwords=passwords),
        approvals=ApprovalService(database, clock),
        rights=RightsService(database, clock),
        logins=logins,
        oidc=OidcLogins(Provider(settings.oidc) if settings.oidc else None, logins, database, clock),
        proxy_logins=ProxyLogins(settings.proxy, logins, database),
        rates=RateLimiter(settings.rates),
        passkeys=PasskeyService(database, settings.party, clock),
        desk=ReviewDesk(database, vault, evidence, policy, Prover(settings.party), clock, chance),
        oversight=Oversight(database, vault, policy, clock),
        after=after,
        records=records,
        references=references,
        lists=build_list_services(settings, database, vault, clock),
        controls=controls,
        control_sources=ControlSources(database, policy, settings.retention, clock),
        control_report=report,
        shifts=ShiftService(database, report, clock),
        duty=DutyWatch(database, pager or LogPager(), clock),
        statistics=StatisticsService(database, clock),
        evidence=evidence,
        holds=HoldService(database, clock),
        retention=RetentionSweeper(database, evidence, settings.retention, clock),
        record_sweeper=RecordSweeper(database, settings.records, clock),
        intake=intake,
        hold_clock=HoldClock(database, issuer, clock),
        sweeper=ExpirySweeper(database, policy, clock, metrics.not_judged),
        galleries=galleries,
        templates=TemplateWatch(database, references, bus.cameras, clock) if bus else None,
        cameras=cameras,
        camera_watch=CameraWatch(database, bus.words, clock, configured=configured) if bus else None,
        previews=PreviewService(database, cameras, bus.previews if bus else None, clock),
        overlays=overlays,
        overlay_publisher=OverlayPublisher(overlays, bus.overlays, clock) if bus else None,
        given_cameras=given_cameras,
        camera_publisher=CameraPublisher(given_cameras, database, bus.given_cameras, clock) if bus else None,
        bus=bus,
        outbox=OutboxPublisher(database, bus, clock) if bus else None,
        metrics=metrics,
        probes=probes_of(settings, database, bus),
        background=Background([]),
    )
    if settings.run_background:
        services = replace(services, background=background_of(services))
    metrics.watch(database, services.readiness, clock)
    metrics.watch_owed(lambda: after.watch.owed, policy, clock)
    return services
