"""The service under fifty operators, over an empty store and over one with a million candidates, in one run.

Both stores' services run at the same time and are asked in turn, so that what the machine does besides hits both.
Clients, service, database and Redis share the machine: what is measured is all of it together.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import create_engine, make_url, text

from aiqyn.embedded.redis_server import RedisServer
from bench import postgres
from bench.acceptance.programs import usual_server
from bench.api_clients import Heard, ask
from bench.api_site import Site, StoreSize, filled_site

MILLION: Final = 1_000_000
DATABASES: Final = ("sqlite", "postgresql")

_Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ApiPlan:
    """What is done.

    Attributes:
        candidates: in the full store, judged in the past.
        queue: that wait, in both stores.
        operators: clients that ask once a second each, in turn for a page, for a review, and with an answer.
        seconds: of each round.
        rounds: of each store, in turn.
        ingest: candidates sent over the bus at once.
        databases: which.
    """

    candidates: int = MILLION
    queue: int = 20_000
    operators: int = 50
    seconds: float = 30.0
    rounds: int = 3
    ingest: int = 5_000
    databases: tuple[str, ...] = DATABASES


@dataclass(slots=True)
class StoreFigures:
    """What one store came to.

    Attributes:
        candidates: of the past in it.
        filled_seconds: until they were there.
        queue_p50_ms, queue_p95_ms: of queue pages.
        look_p95_ms: of reviews that were opened.
        judgement_p50_ms, judgement_p95_ms: of judgements that were taken, both their requests together.
        pages, looks, judgements: how many were measured.
        gone: reviews that two others had opened since their page was given.
        refused: queue pages and reviews that were not given, by status; there must be none.
        not_taken: judgements that were not, by status.
        ingest_per_second: candidates read, checked, kept and acknowledged, the best of two runs.
    """

    candidates: int
    filled_seconds: float
    queue_p50_ms: float = 0.0
    queue_p95_ms: float = 0.0
    look_p95_ms: float = 0.0
    judgement_p50_ms: float = 0.0
    judgement_p95_ms: float = 0.0
    pages: int = 0
    looks: int = 0
    judgements: int = 0
    gone: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    not_taken: dict[str, int] = field(default_factory=dict)
    ingest_per_second: float = 0.0

    @property
    def asked(self) -> int:
        """How many times something was asked, and answered as it should be."""
        return self.pages + self.looks + self.gone + self.judgements


@dataclass(frozen=True, slots=True)
class DatabaseFigures:
    """Both stores of one database."""

    database: str
    empty: StoreFigures
    full: StoreFigures

    @property
    def queue_ratio(self) -> float:
        """How many times as long a queue page takes over the full store."""
        return self.full.queue_p95_ms / self.empty.queue_p95_ms

    @property
    def judgement_ratio(self) -> float:
        """The same of a judgement."""
        return self.full.judgement_p95_ms / self.empty.judgement_p95_ms

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **asdict(self),
            "queue_ratio": round(self.queue_ratio, 2),
            "judgement_ratio": round(self.judgement_ratio, 2),
        }


def measure(say: _Say, plan: ApiPlan | None = None) -> Iterator[DatabaseFigures]:
    """The figures of each database.

    Args:
        say: is told what is done now.
        plan: what is done; what the issue asks for where None.

    Raises:
        NoPostgresError: PostgreSQL is not installed.
        TimeoutError: a service did not come up.
    """
    plan = plan or ApiPlan()
    server = usual_server()
    for database in plan.databases:
        yield _measure(database, server, plan, say)


def _measure(database: str, server: RedisServer, plan: ApiPlan, say: _Say) -> DatabaseFigures:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aiqyn-bench-")))
        urls = stack.enter_context(_urls(database))
        sites, figures, heard = [], [], [Heard(), Heard()]
        for name, past in (("empty", 0), ("full", plan.candidates)):
            say(f"{database}: a store with {past:,} candidates")
            (folder / name).mkdir()
            size = StoreSize(past, plan.queue, plan.operators)
            site = stack.enter_context(filled_site(folder / name, server, size, urls(name)))
            sites.append((site, site.sign_in()))
            figures.append(StoreFigures(past, round(site.filled_seconds, 1)))
        for number in range(plan.rounds):
            say(f"{database}: {plan.operators} operators, round {number + 1} of {plan.rounds}")
            for (site, logins), all_heard in zip(sites, heard, strict=True):
                all_heard.add(ask(site.address, logins, plan.seconds))
        say(f"{database}: {plan.ingest:,} candidates at once")
        for (site, _), found, all_heard in zip(sites, figures, heard, strict=True):
            _sum_up(found, all_heard, site, plan)
        return DatabaseFigures(database, *figures)


def _sum_up(found: StoreFigures, heard: Heard, site: Site, plan: ApiPlan) -> None:
    found.queue_p50_ms, found.queue_p95_ms = _percentiles(heard.queue_ms)
    _, found.look_p95_ms = _percentiles(heard.look_ms)
    found.judgement_p50_ms, found.judgement_p95_ms = _percentiles(heard.judgement_ms)
    found.pages, found.looks = len(heard.queue_ms), len(heard.look_ms)
    found.judgements, found.gone = len(heard.judgement_ms), len(heard.gone_ms)
    found.refused = {str(status): count for status, count in sorted(heard.refused.items())}
    found.not_taken = {str(status): count for status, count in sorted(heard.not_taken.items())}
    if plan.ingest:
        found.ingest_per_second = round(max(site.ingest(plan.ingest) for _ in range(2)), 1)


def _percentiles(values_ms: list[float]) -> tuple[float, float]:
    if not values_ms:
        return float("nan"), float("nan")
    half, most = np.percentile(values_ms, [50, 95])
    return round(float(half), 2), round(float(most), 2)


@contextmanager
def _urls(database: str) -> Iterator[Callable[[str], str | None]]:
    """The URL of an empty database by name; None for SQLite, which lies in the site's folder."""
    if database == "sqlite":
        yield lambda _: None
        return
    with postgres.running(settings=("max_connections=200", "shared_buffers=1GB")) as url:

        def made(name: str) -> str:
            engine = create_engine(url, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE store_{name}"))
            engine.dispose()
            return make_url(url).set(database=f"store_{name}").render_as_string(hide_password=False)

        yield made


def cores() -> int:
    """Processors of this machine; clients and service share them."""
    return os.cpu_count() or 1
