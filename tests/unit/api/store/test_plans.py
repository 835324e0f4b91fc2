"""What is asked all day is answered from an index, however many candidates are stored: the plans say so, not a clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text

from api.record_retention import BATCH, RecordAges, RecordSweeper
from api.retention import RetentionPolicy, RetentionSweeper
from bench.api_fill import Judged, Span, fill
from pipelines.events import utc_now
from tests.api_client import Clients, Person
from tests.seeds import Seeded, make_settings, seed

pytestmark = pytest.mark.system

CANDIDATES = 5_000
WAITING = 200
LARGE = frozenset(
    {"candidates", "reviews", "presented_evidence", "evidence_records", "judgements", "disclosures", "ledger"}
    | {"review_listings", "review_claims"}
)
"""Tables that grow with every candidate: none of them may be read from one end to the other."""


@dataclass
class Watched:
    """Statements that were run, and how the database goes about each."""

    engine: Engine
    statements: list[tuple[str, Any]] = field(default_factory=list)

    def scans(self) -> list[str]:
        """Statements that read a large table from end to end."""
        found = []
        with self.engine.connect() as connection:
            for statement, parameters in self.statements:
                if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
                    continue
                if scanned(self._plan(connection, statement, parameters)) & LARGE:
                    found.append(f"{statement}\n{self.explained(connection, statement, parameters)}")
        return found

    def explained(self, connection: Connection, statement: str, parameters: Any) -> str:
        """How the database goes about a statement, in its own words."""
        return "\n".join(str(row[-1]) for row in self._plan(connection, statement, parameters))

    def _plan(self, connection: Connection, statement: str, parameters: Any) -> Sequence[Sequence[Any]]:
        word = "EXPLAIN" if self.engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        return connection.exec_driver_sql(f"{word} {statement}", parameters).all()


def scanned(plan: Sequence[Sequence[Any]]) -> set[str]:
    """Tables a plan reads from end to end, in the words of either database.

    To walk along an index and stop early is no such reading: SQLite calls it a scan, too, unless what it walks over has to
    be sorted: both are then steps of the same part of the plan.
    """
    sorts = {row[1] for row in plan if str(row[-1]).startswith("USE TEMP B-TREE")}
    found = set()
    for row in plan:
        words = str(row[-1])
        found |= set(re.findall(r"Seq Scan on (\w+)", words)) | set(re.findall(r"^SCAN (\w+)$", words))
        if len(row) > 1 and row[1] in sorts:
            found |= set(re.findall(r"^SCAN (\w+) USING", words))
    # SQLite says `reviews_1` where a statement has it twice.
    return {re.sub(r"_\d+$", "", name) for name in found}


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Clients]:
    """Five thousand candidates, nearly all judged long ago."""
    seeded = seed(tmp_path)
    pattern = seeded.take_in()
    clients = Clients(seeded)
    for username in ("aigul", "daniyar"):
        clients.login(username)
    with seeded.services.database.read() as session:
        rows = session.execute(text("SELECT account_id, session_id FROM login_sessions")).all()
    now = utc_now()
    past = Span(0, CANDIDATES - WAITING, now - timedelta(days=90), timedelta(minutes=20), open=False)
    waiting = Span(
        CANDIDATES - WAITING, CANDIDATES, now - timedelta(minutes=9), timedelta(seconds=1), open=True
    )
    url = seeded.services.settings.database_url
    clients.close()
    judged = Judged(tuple(row[0] for row in rows[:2]), tuple(row[1] for row in rows[:2]))
    fill(url, pattern, (past, waiting), judged)
    _claim_all(url, judged.accounts[0])
    again = Clients(_reopened(tmp_path, seeded))
    yield again
    again.close()


def _claim_all(url: str, account_id: str) -> None:
    """Somebody has opened every review, and let go of each: such claims are kept. The database has not counted them."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        claims = "INSERT INTO review_claims (review_id, account_id, opened_at) SELECT review_id, :account_id, queued_at FROM reviews"
        connection.execute(text(claims), {"account_id": account_id})
    engine.dispose()


def _reopened(folder: Path, seeded: Seeded) -> Seeded:
    from api.services import build_services
    from tests.seeds import CHEAP_PASSWORDS

    services = build_services(make_settings(folder), passwords=CHEAP_PASSWORDS)
    passwords = {"marat": services.accounts.reset("marat")}
    return Seeded(services, seeded.worker, seeded.watchlist_id, seeded.subject_ids, passwords)


@contextmanager
def watching(clients: Clients) -> Iterator[Watched]:
    """Notes every statement of the service."""
    database = clients.seeded.services.database
    engines = (
        [database.engine] if database.engine.dialect.name == "sqlite" else [database.engine, database.looks]
    )
    watched = Watched(database.engine)

    def note(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        watched.statements.append((statement, parameters[0] if many and parameters else parameters))

    for engine in engines:  # of SQLite, the second is a view of the first
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield watched
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


def queue(_clients: Clients, person: Person, _review: dict[str, Any]) -> None:
    assert len(person.get("/reviews?limit=20").json()["items"]) == 20


def judge(_clients: Clients, person: Person, review: dict[str, Any]) -> None:
    assert person.answer(review["review_id"], "same_person").status_code == 201


def look(_clients: Clients, person: Person, review: dict[str, Any]) -> None:
    assert person.get(f"/reviews/{review['review_id']}").status_code == 200
    assert person.get(f"/evidence/{review['frame']['evidence_id']}").status_code == 200


def take_in(clients: Clients, _person: Person, _review: dict[str, Any]) -> None:
    clients.seeded.take_in(2)


def clocks(clients: Clients, _person: Person, _review: dict[str, Any]) -> None:
    clients.seeded.services.hold_clock.run_once()
    clients.seeded.services.sweeper.run_once()


@pytest.mark.parametrize("act", [queue, judge, look, take_in, clocks])
def test_nothing_reads_a_large_table_from_end_to_end(
    full: Clients, act: Callable[[Clients, Person, dict[str, Any]], None]
) -> None:
    person = full.login("marat")
    review = person.queue()[0]
    with watching(full) as watched:
        act(full, person, review)
    assert watched.statements
    assert watched.scans() == []


def test_nor_does_a_database_that_never_counted_its_rows(full: Clients) -> None:
    """SQLite knows how many there are only where somebody has it count them, which nobody does here."""
    engine = full.seeded.services.database.engine
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE sqlite_stat1"))
        engine.dispose()
    person = full.login("marat")
    review = person.queue()[0]
    with watching(full) as watched:
        for act in (queue, look, judge, take_in, clocks):
            act(full, person, review)
    assert watched.scans() == []


def test_a_build_without_the_index_is_noticed(full: Clients) -> None:
    person = full.login("marat")
    with full.seeded.services.database.engine.begin() as connection:
        for index in ("ix_candidates_waiting", "ix_candidates_state_expires_at"):
            connection.execute(text(f"DROP INDEX {index}"))
    with watching(full) as watched:
        queue(full, person, {})
    assert watched.scans()


def test_evidence_that_is_gone_is_not_looked_through_again(full: Clients) -> None:
    """What was ended stays on record: each round would find more of it before it came to what is due."""
    services = full.seeded.services
    with services.database.engine.begin() as connection:
        connection.execute(text("UPDATE evidence_records SET deleted_at = created_at"))
    ages = RetentionPolicy(unconfirmed=timedelta(days=1), confirmed=timedelta(days=1))
    with watching(full) as watched:
        assert RetentionSweeper(services.database, services.evidence, ages, utc_now).run_once() == 0
    asked = [one for one in watched.statements if "FROM evidence_records JOIN" in one[0]]
    assert asked
    with services.database.engine.connect() as connection:
        for statement, parameters in asked:
            plan = watched.explained(connection, statement, parameters)
            assert "ix_evidence_records_kept" in plan, plan


def test_old_records_are_deleted_through_their_keys(full: Clients) -> None:
    """Given a list of pairs SQLite walks over every listing for each batch, and nobody else can write meanwhile."""
    database = full.seeded.services.database
    sweeper = RecordSweeper(database, RecordAges(listings=timedelta(days=30)), utc_now)
    with watching(full) as watched:
        assert sweeper.run_once() == BATCH
    watched.statements = [one for one in watched.statements if one[0].startswith("DELETE")]
    assert watched.statements
    assert watched.scans() == []
