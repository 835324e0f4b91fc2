"""The service's metrics, in a registry of its own; names and labels stand in docs/metrics.md.

No metric names a person or a list, counts a list's subjects, or tells how a candidate stands between two answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from importlib import metadata
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from api.after_watch import overdue_seconds
from api.clock import Clock
from api.review.policies import ReviewPolicy
from api.store.after import Owed
from api.store.engine import Database
from api.store.figures import Figures, figures_of
from pipelines.metrics_registry import PlainRegistry

OUTCOMES: Final = frozenset({"accepted", "updated", "withdrawn", "duplicate", "frozen"})
REFUSALS: Final = frozenset({
    "bad_signature", "unknown_deployment", "not_deployed", "not_listed", "not_its_revision", "no_evidence", "poison",
})  # fmt: skip
OTHER: Final = "other"
LATENCY_BUCKETS: Final = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


class ServiceMetrics:
    """What the service counts and measures. Every method is cheap and safe to call from any thread."""

    def __init__(self) -> None:
        """An empty registry, with the process's own memory, processor time and descriptors in it."""
        self.registry = PlainRegistry()
        ProcessCollector(namespace="aiqyn", registry=self.registry)
        build = Gauge("aiqyn_build_info", "The build that runs.", ["version"], registry=self.registry)
        build.labels(metadata.version("aiqyn")).set(1)
        self._taken = Counter(
            "aiqyn_candidates_taken",
            "Candidates that were believed, by what became of them.",
            ["outcome"],
            registry=self.registry,
        )
        self._refused = Counter(
            "aiqyn_candidates_refused",
            "Candidates put aside in the dead stream, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "aiqyn_intake_latency_seconds",
            "From when a live camera saw somebody to the queue of the operators.",
            registry=self.registry,
            buckets=LATENCY_BUCKETS,
        )

        self._not_judged = Counter(
            "aiqyn_candidates_not_judged",
            "Candidates and controls whose time ran out before enough judges had answered.",
            registry=self.registry,
        )

    def watch_owed(self, find: Callable[[], Owed], policy: ReviewPolicy, clock: Clock) -> None:
        """Lets every reading tell what is owed after confirmed matches, as it was last looked at."""
        self.registry.register(_Owing(find, policy, clock))

    def watch(self, database: Database, parts: Callable[[], Mapping[str, str]], clock: Clock) -> None:
        """Lets every reading look at the records, and at the parts of the service."""
        self.registry.register(_Live(database, parts, clock))

    def taken(self, outcome: str, seen_at: datetime | None, now: datetime) -> None:
        """A candidate was taken in.

        Args:
            outcome: what became of it.
            seen_at: when a live camera saw it; None for recordings and revisions.
            now: as of now.
        """
        self._taken.labels(outcome if outcome in OUTCOMES else OTHER).inc()
        if seen_at is not None:
            self._latency.observe(max(0.0, (now - seen_at).total_seconds()))

    def not_judged(self) -> None:
        """A candidate expired."""
        self._not_judged.inc()

    def refused(self, reason: str) -> None:
        """A candidate was put aside."""
        self._refused.labels(reason if reason in REFUSALS else OTHER).inc()


class _Live(Collector):
    """What is looked up whenever metrics are read."""

    def __init__(self, database: Database, parts: Callable[[], Mapping[str, str]], clock: Clock) -> None:
        self._database = database
        self._parts = parts
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """The names, without looking anything up."""
        return [*_of_parts({}), *_of_records(None, self._clock())]

    def collect(self) -> Iterable[Metric]:
        """Parts always; records where the database answers."""
        parts = self._parts()
        yield from _of_parts(parts)
        figures = None
        if parts.get("database") == "ok":
            try:
                with self._database.read() as session:
                    figures = figures_of(session, self._clock())
            except SQLAlchemyError:
                figures = None  # it went away just now; the part will say so at the next reading
        yield from _of_records(figures, self._clock())


class _Owing(Collector):
    """Outcomes nobody has told and complaints nobody has answered."""

    def __init__(self, find: Callable[[], Owed], policy: ReviewPolicy, clock: Clock) -> None:
        self._find = find
        self._policy = policy
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Four figures."""
        owed, now = self._find(), self._clock()
        late = overdue_seconds(owed.oldest_outcome, now, self._policy.outcome_within)
        for name, words, value in (
            ("outcomes_missing", "Confirmed matches whose outcome is owed and not told.", owed.outcomes),
            ("outcomes_oldest_missing_seconds", "For how long the oldest of them has been owed.", late),
            ("complaints_open", "Complaints without an answer.", owed.complaints),
            ("complaints_overdue", "Those of them whose answer is overdue.", owed.overdue),
        ):
            gauge = GaugeMetricFamily(f"aiqyn_{name}", words)
            gauge.add_metric([], float(value))
            yield gauge


def _of_parts(parts: Mapping[str, str]) -> Iterable[Metric]:
    up = GaugeMetricFamily(
        "aiqyn_service_part_up", "1 while a part of the service does its work.", labels=["part"]
    )
    for name, state in parts.items():
        up.add_metric([name], float(state == "ok"))
    yield up


def _of_records(figures: Figures | None, now: datetime) -> Iterable[Metric]:
    waiting = GaugeMetricFamily("aiqyn_reviews_waiting", "Reviews an answer is awaited for.")
    oldest = GaugeMetricFamily(
        "aiqyn_reviews_oldest_waiting_seconds", "How long the oldest of them has waited; 0 where none does."
    )
    unsent = GaugeMetricFamily("aiqyn_outbox_waiting", "Receipts that have not left yet.")
    galleries = GaugeMetricFamily(
        "aiqyn_gallery_published_version", "The newest gallery version published.", labels=["deployment_id"]
    )
    reported = GaugeMetricFamily(
        "aiqyn_camera_reported_timestamp_seconds",
        "When a worker last said anything of a camera.",
        labels=["camera_id"],
    )
    on_duty = GaugeMetricFamily("aiqyn_duty_operators", "Operators on duty.")
    short = GaugeMetricFamily(
        "aiqyn_duty_understaffed", "1 while fewer than two people on duty may judge what waits."
    )
    short_seconds = CounterMetricFamily(
        "aiqyn_duty_understaffed_seconds", "For how long that has been so, in all."
    )
    if figures is not None:
        on_duty.add_metric([], figures.on_duty)
        short.add_metric([], float(figures.understaffed))
        short_seconds.add_metric([], figures.understaffed_seconds)
        waiting.add_metric([], figures.waiting)
        age = 0.0 if figures.oldest_waiting is None else (now - figures.oldest_waiting).total_seconds()
        oldest.add_metric([], max(0.0, age))
        unsent.add_metric([], figures.unsent)
        for deployment_id, version in sorted(figures.galleries.items()):
            galleries.add_metric([deployment_id], version)
        for camera_id, moment in sorted(figures.reported.items()):
            reported.add_metric([camera_id], moment.timestamp())
    yield from (waiting, oldest, unsent, galleries, reported, on_duty, short, short_seconds)
