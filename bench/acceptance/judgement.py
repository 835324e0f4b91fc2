"""Lines 1 and 6 of issue 4: sequences of calls, 200 clients at once, and the service killed at a hundred moments."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from aiqyn.embedded.redis_server import RedisServer
from bench import postgres
from bench.acceptance.lines import Figure, at_least, equals
from bench.acceptance.programs import usual_server
from bench.acceptance.tests_run import tests_pass
from bench.live import judging_kills, judging_storm
from bench.live.judging_audit import Audit
from bench.live.judging_kills import MOMENTS, Told
from bench.live.judging_site import judging_site
from bench.live.judging_storm import StormPlan, StormSeen

KILLS = 100
FEWER_KILLS = 20
"""On the other database, besides."""


def measure() -> Iterator[Figure]:
    """Line 1: sequences of calls on machine and desk, and many clients at once on both databases."""
    yield from sequences()
    yield from clients("SQLite", {})
    with postgres.running() as url:
        yield from clients("PostgreSQL", on_postgres(url))


def measure_kills() -> Iterator[Figure]:
    """Line 6: the service killed around judgement, hold, outbox, undo and retraction."""
    yield from killed("SQLite", {}, KILLS)
    with postgres.running() as url:
        yield from killed("PostgreSQL", on_postgres(url), FEWER_KILLS)


def on_postgres(url: str) -> dict[str, object]:
    """Settings of a service on PostgreSQL: two processes, so that whatever one of them knows alone is found out."""
    return {"database_url": url, "processes": 2}


def killed(
    name: str, api: Mapping[str, object], kills: int, server: RedisServer | None = None
) -> Iterator[Figure]:
    """The service killed so often.

    Args:
        name: of the database.
        api: settings of the service that choose it.
        kills: how often, spread over all moments.
        server: the program of Redis; the one the embedded stack would use where None.
    """
    settings = {**judging_kills.SERVICE, **api}
    with (
        tempfile.TemporaryDirectory(prefix="aiqyn-") as folder,
        judging_site(Path(folder), server or usual_server(), settings, judging_kills.PEOPLE) as here,
    ):
        told = judging_kills.killed(here, kills)
    yield from kill_figures(name, kills, told)


def sequences() -> Iterator[Figure]:
    """Hypothesis on the judgement machine and on the desk over a real database; builds without a guard are caught."""
    yield from tests_pass(
        "sequences on the judgement machine, and builds without a guard",
        "tests/unit/api/review/test_machine_sequences.py",
    )
    yield from tests_pass(
        "sequences on the desk over SQLite, and builds without a guard",
        "tests/unit/api/test_desk_sequences.py",
        "tests/system/api/test_judging.py::test_no_long_sequence_on_sqlite_confirms_without_two_people_apart",
    )


def clients(
    name: str,
    api: Mapping[str, object],
    plan: StormPlan | None = None,
    server: RedisServer | None = None,
) -> Iterator[Figure]:
    """Many clients at once over HTTP.

    Args:
        name: of the database.
        api: settings of the service that choose it.
        plan: as the issue says where None.
        server: the program of Redis; the one the embedded stack would use where None.
    """
    plan = plan or StormPlan()
    settings = {**judging_storm.SERVICE, **api}
    with (
        tempfile.TemporaryDirectory(prefix="aiqyn-") as folder,
        judging_site(Path(folder), server or usual_server(), settings, plan.people()) as here,
    ):
        seen = judging_storm.storm(here, plan)
    yield from storm_figures(name, plan, seen)


def storm_figures(name: str, plan: StormPlan, seen: StormSeen) -> Iterator[Figure]:
    """What a storm shows."""
    yield equals(f"{name}: clients at once", plan.clients, plan.clients)
    yield at_least(f"{name}: answers taken", seen.count("answer", 201), plan.clients // 4)
    yield at_least(f"{name}: answers taken back", seen.count("undo", 200), 1)
    yield at_least(f"{name}: confirmed matches", seen.audit.receipts, 1)
    yield equals(f"{name}: answers that came before a look", seen.hurried, 0)
    allowed = sum(
        times for (act, status), times in seen.statuses.items() if act == "forbidden" and status != 403
    )
    yield equals(f"{name}: forbidden acts that were not refused", allowed, 0)
    yield equals(f"{name}: replies of a broken service", seen.broken, 0)
    yield Figure(f"{name}: asked to try again", seen.turned_away, "told", passed=True)
    yield from audit_figures(name, seen.audit)


def kill_figures(name: str, kills: int, told: Told) -> Iterator[Figure]:
    """What a run of kills shows."""
    for moment in MOMENTS:
        yield at_least(f"{name}: kills around {moment}", told.kills[moment], kills // len(MOMENTS))
    yield equals(f"{name}: answers that were taken and forgotten", told.forgotten, 0)
    yield equals(f"{name}: two answers that confirmed nothing", told.unconfirmed, 0)
    yield equals(f"{name}: confirmed although an answer was taken back", told.confirmed_undone, 0)
    yield equals(f"{name}: retractions that were promised and forgotten", told.unretracted, 0)
    yield at_least(f"{name}: answers taken back", len(told.undone), 1)
    yield at_least(f"{name}: retractions", told.audit.retractions, 1)
    yield from audit_figures(name, told.audit)


def audit_figures(name: str, audit: Audit) -> Iterator[Figure]:
    """What records and stream show."""
    yield equals(f"{name}: confirmed without two people apart", audit.unfounded, 0)
    yield equals(f"{name}: confirmed and without a receipt", audit.lost, 0)
    yield equals(f"{name}: receipts and retractions not in the stream", audit.unsent, 0)
    yield equals(f"{name}: entries of the stream that no record knows", audit.unknown, 0)
    yield equals(f"{name}: entries that do not verify", audit.unverified, 0)
    yield equals(f"{name}: candidates confirmed twice", audit.twice, 0)
    yield equals(f"{name}: retractions before their receipt", audit.early, 0)
    yield Figure(f"{name}: entries sent again under their `jti`", audit.repeated, "told", passed=True)
    yield equals(f"{name}: what is wrong with the ledger", audit.chain, "")


def main() -> None:
    """Measures both lines by themselves; the figures as JSON."""
    for figure in (*measure(), *measure_kills()):
        sys.stdout.write(json.dumps([figure.name, figure.value, figure.target, figure.passed]) + "\n")


if __name__ == "__main__":
    main()
