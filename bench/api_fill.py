"""Fills a store with candidates that were judged long ago: rows are copied inside the database, not made one by one.

What the service itself wrote for one candidate is the pattern of all others, so every column is as it would be. The
entries of the ledger are no chain, and nobody judged what is marked as judged: nothing that is measured looks at either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Table, create_engine, text

from api.store.models import (
    Base,
    CandidateRecord,
    Disclosure,
    EvidenceRecord,
    JudgementRecord,
    LedgerEntry,
    PresentedEvidence,
    Review,
    ReviewListing,
)
from api.store.models.base import table_of

PERIOD: Final = timedelta(days=300)
"""Over which the candidates of the past came."""

LISTINGS_KEPT: Final = timedelta(days=80)
"""To whom older candidates were listed is gone, as in a store whose records over their age are deleted day by day."""

BATCH: Final = 100_000
ENTRIES_EACH: Final = 3
"""Entries of the ledger for each candidate: it came, and two people answered."""

_ENDS: Final = (
    "CASE n % 20 WHEN 0 THEN 'confirmed' WHEN 1 THEN 'inconclusive' WHEN 2 THEN 'expired' ELSE 'rejected' END"
)
_HURRIED: Final = ("foreign_keys=OFF", "synchronous=OFF", "cache_size=-1500000", "wal_autocheckpoint=20000")
_SPREAD: Final = 2654435761
"""Odd, so that numbers times it, cut to 32 bits, are all different and in no order: ids are random for indexes."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Who is said to have judged.

    Attributes:
        accounts: ids, at least two.
        sessions: a login of each.
    """

    accounts: tuple[str, ...]
    sessions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Candidates `first` up to and without `end`, one every `step` from `began` on.

    Attributes:
        open: whether they wait for their judges.
        listed: of judged ones, whether it is still written down to whom they were listed.
    """

    first: int
    end: int
    began: datetime
    step: timedelta
    open: bool
    listed: bool = True


def spans_of(past: int, queue: int, now: datetime) -> tuple[Span, ...]:
    """So many judged candidates of `PERIOD`, and so many that came in the last hour and wait.

    Args:
        past: how many were judged.
        queue: how many wait.
        now: when the last ones came.
    """
    step = PERIOD / max(past, 1)
    swept = round(past * (1 - LISTINGS_KEPT / PERIOD))
    old = Span(0, swept, now - PERIOD, step, open=False, listed=False)
    recent = Span(swept, past, old.began + swept * step, step, open=False)
    waiting = Span(past, past + queue, now - timedelta(hours=1), timedelta(milliseconds=5), open=True)
    return old, recent, waiting


def fill(url: str, pattern_id: str, spans: tuple[Span, ...], judged: Judged) -> None:
    """Adds candidates like the one with `pattern_id`.

    Args:
        url: of a migrated database nobody else uses.
        pattern_id: a candidate the service took in.
        spans: how many, when and in which state.
        judged: who judged them, in turn.
    """
    with _quickly(url) as connection:
        copier = _Copier(connection, pattern_id, judged)
        for span in spans:
            for first in range(span.first, span.end, BATCH):
                began = span.began + (first - span.first) * span.step
                copier.copy(replace(span, first=first, end=min(first + BATCH, span.end), began=began))


class _Copier:
    def __init__(self, connection: Connection, pattern_id: str, judged: Judged) -> None:
        self._connection = connection
        self._words = _postgres_words() if _is_postgres(connection) else _sqlite_words()
        self._judged = judged
        self._pattern = {"candidate_id": pattern_id}
        found = connection.execute(
            text("SELECT review_id FROM reviews WHERE candidate_id = :candidate_id"), self._pattern
        )
        self._pattern["review_id"] = found.scalar_one()

    def copy(self, span: Span) -> None:
        """The rows of one span."""
        words = self._words
        candidate, review = words.id("cand"), words.id("rev")
        moment = words.moment(span)
        at = {"created_at": moment, "candidate_id": candidate}
        state = {"state": "'open'"} if span.open else {"state": _ENDS, "claimed_at": moment}
        expires = words.moment(span, plus=timedelta(days=30))
        self._of_pattern(CandidateRecord, span, at | state | {"expires_at": expires}, "candidate_id")
        shown = {"review_id": review, "candidate_id": candidate, "queued_at": moment}
        if "judgeable" in Review.__table__.columns:
            shown["judgeable"] = words.truth(span.open)
        self._of_pattern(Review, span, shown, "review_id")
        pictures = {"evidence_id": f"{words.id('evi')} || '-' || p.position", "review_id": review}
        self._of_pattern(PresentedEvidence, span, pictures, "review_id")
        blobs = at | {"ref": f"{words.id('ref')} || p.kind", "owner_id": candidate}
        self._of_pattern(EvidenceRecord, span, blobs, "candidate_id")
        if not span.open:
            self._said(span, candidate, review, moment)

    def _said(self, span: Span, candidate: str, review: str, moment: str) -> None:
        words = self._words
        for slot in range(2):
            account = words.one_of(self._judged.accounts, slot)
            who = {"candidate_id": candidate, "account_id": account}
            answer = {
                "judgement_id": f"{words.id('jud')} || '-{slot}'",
                "session_id": words.one_of(self._judged.sessions, slot),
                "round": "0",
                "answer": "'same_person'",
                "answered_at": moment,
            }
            self._new(JudgementRecord, span, who | answer)
            told = {"how": "'reveal'", "disclosed_at": moment}
            self._new(Disclosure, span, who | told)
            if span.listed:
                listed = {"review_id": review, "account_id": account, "listed_at": moment}
                self._new(ReviewListing, span, listed)
        self._log(span)

    def _log(self, span: Span) -> None:
        document = '\'{"actor":"intake","object":"candidate:\' || n || \'","detail":"' + "." * 250 + "\"}'"
        for turn in range(ENTRIES_EACH):
            number = f"n * {ENTRIES_EACH} + {turn}"
            digest = f"{self._words.id('log', number)} || '{'0' * 20}'"
            entry = {
                "sequence": f"(SELECT sequence FROM ledger_head) + 1 + {number} - {span.first * ENTRIES_EACH}",  # noqa: S608  # numbers of our own
                "document": document,
                "kind": "'judged'" if turn else "'candidate_received'",
                "previous_sha256": f"'{'0' * 64}'",
                "entry_sha256": digest,
            }
            self._new(LedgerEntry, span, entry)
        self._connection.execute(
            text("UPDATE ledger_head SET sequence = sequence + :more"),
            {"more": (span.end - span.first) * ENTRIES_EACH},
        )

    def _of_pattern(self, model: type[Base], span: Span, given: Mapping[str, str], key: str) -> None:
        """Rows like the pattern's, but for what is given as SQL over `n` and the pattern's row `p`."""
        table = table_of(model)
        names = [column.name for column in table.columns]
        values = [given.get(name, f"p.{name}") for name in names]
        source = f"({self._words.series(span)}) AS s, {table.name} AS p WHERE p.{key} = :{key}"
        self._insert(table, names, values, source, {key: self._pattern[key]})

    def _new(self, model: type[Base], span: Span, given: Mapping[str, str]) -> None:
        """Rows of what is given as SQL over `n`; what else must have a value gets an empty one."""
        table = table_of(model)
        needed = {
            column.name: self._words.empty(column.type) for column in table.columns if not column.nullable
        }
        values = needed | dict(given)
        self._insert(table, list(values), list(values.values()), f"({self._words.series(span)}) AS s", {})

    def _insert(
        self, table: Table, names: list[str], values: list[str], source: str, bound: Mapping[str, str]
    ) -> None:
        columns = ", ".join(names)
        statement = f"INSERT INTO {table.name} ({columns}) SELECT {', '.join(values)} FROM {source}"  # noqa: S608  # names of our own tables, and no input
        self._connection.execute(text(statement), bound)


@dataclass(frozen=True, slots=True)
class _Words:
    """How one database says what the copier needs."""

    postgres: bool

    def series(self, span: Span) -> str:
        """Numbers of a span, as rows with the one column `n`."""
        if self.postgres:
            return f"SELECT n FROM generate_series({span.first}, {span.end - 1}) AS n"  # noqa: S608  # numbers of our own
        return (
            f"WITH RECURSIVE counted(n) AS (SELECT {span.first} UNION ALL SELECT n + 1 FROM counted "  # noqa: S608  # numbers of our own
            f"WHERE n < {span.end - 1}) SELECT n FROM counted"
        )

    def id(self, prefix: str, number: str = "n") -> str:
        """An id that is another for every number, in no order."""
        mixed = f"((CAST({number} AS bigint) * {_SPREAD}) % 4294967296)"
        if self.postgres:
            return f"'{prefix}_' || lpad(to_hex({mixed}), 8, '0') || '0123456789abcdef'"
        return f"'{prefix}_' || printf('%08x', {mixed}) || '0123456789abcdef'"

    def one_of(self, values: tuple[str, ...], shift: int) -> str:
        """One of the values, by number."""
        cases = " ".join(f"WHEN {place} THEN '{value}'" for place, value in enumerate(values))
        return f"CASE (n + {shift}) % {len(values)} {cases} END"

    def moment(self, span: Span, plus: timedelta = timedelta(0)) -> str:
        """When a candidate of a span came."""
        began, step = span.began + plus, span.step.total_seconds()
        seconds = f"((n - {span.first}) * {step!r})"
        if self.postgres:
            return f"TIMESTAMPTZ '{began.isoformat()}' + {seconds} * INTERVAL '1 second'"
        start = f"{began.timestamp():.3f}"
        return f"strftime('%Y-%m-%d %H:%M:%f', {start} + {seconds}, 'unixepoch') || '000'"

    def truth(self, value: bool) -> str:
        """A truth value."""
        return ("true" if value else "false") if self.postgres else str(int(value))

    def empty(self, kind: object) -> str:
        """A value that says nothing, of a type."""
        name = type(kind).__name__
        if name == "UtcDateTime":
            return "TIMESTAMPTZ '2026-01-01 00:00:00Z'" if self.postgres else "'2026-01-01 00:00:00.000000'"
        known = {"Boolean": self.truth(value=False), "JSON": "'{}'", "String": "''", "Text": "''"}
        return known.get(name, "0")


def _postgres_words() -> _Words:
    return _Words(postgres=True)


def _sqlite_words() -> _Words:
    return _Words(postgres=False)


@contextmanager
def _quickly(url: str) -> Iterator[Connection]:
    """A connection without triggers and checks of references; on SQLite without indexes, which are made again."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if _is_postgres(connection):
            connection.execute(text("SET session_replication_role = replica"))
            yield connection
        else:
            yield from _without_indexes(connection)
    with engine.connect() as connection:
        connection.execute(text("VACUUM ANALYZE" if _is_postgres(connection) else "ANALYZE"))
    engine.dispose()


def _without_indexes(connection: Connection) -> Iterator[Connection]:
    for pragma in _HURRIED:
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    kept = connection.execute(
        text(
            "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql IS NOT NULL"
        )
    ).all()
    for kind, name, _ in kept:
        connection.exec_driver_sql(f"DROP {kind} {name}")
    yield connection
    for _, _, statement in kept:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.invalidate()  # what was set for filling goes with the connection


def _is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
