"""The database: SQLite on one machine, PostgreSQL beyond, opened the same way."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker

from api.store.in_use import InUse
from api.store.turns import Turns

BUSY_TIMEOUT_SECONDS: Final = 15
_BEGIN: Final = "aiqyn_sqlite_begin"

_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # in WAL mode a weaker one may forget the last commits at a power cut
    "PRAGMA secure_delete=ON",  # what is deleted is overwritten, not only unlinked
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",  # else INSERT OR REPLACE would slip past the append-only triggers
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}",
)


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///…` or `postgresql+psycopg://…`.

    SQLite transactions that write begin with `BEGIN IMMEDIATE`: two writers queue up instead of one
    failing half way with a lock it cannot upgrade.

    Args:
        url: an SQLAlchemy URL; never logged, it may hold a password.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, pool_size=20, max_overflow=20, pool_pre_ping=True)
    engine = create_engine(
        parsed, pool_size=20, max_overflow=40, connect_args={"timeout": BUSY_TIMEOUT_SECONDS}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver would begin by itself, late and deferred
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    kind = connection.get_execution_options().get(_BEGIN, "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {kind}")


class Database:
    """Transactions over one engine."""

    def __init__(self, engine: Engine, in_use: InUse | None = None) -> None:
        """
        Args:
            engine: of the database.
            in_use: the hold that keeps others from putting another file in its place; let go of with the database.
        """
        self.engine = engine
        self._in_use = in_use
        one_writer = engine.dialect.name == "sqlite"
        self._turns: AbstractContextManager[None] = Turns() if one_writer else nullcontext()
        self._writing = sessionmaker(engine, expire_on_commit=False)
        one_moment = {_BEGIN: "DEFERRED"} if one_writer else {"isolation_level": "REPEATABLE READ"}
        self._reading = sessionmaker(
            engine.execution_options(**one_moment), expire_on_commit=False, autoflush=False
        )

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose work is committed at the end, or undone as a whole.

        SQLite has one writer: those of this process wait their turn here, in order, and not inside SQLite, which
        would let each look again and again at growing intervals. Never begin one inside another.
        """
        with self._turns, self._writing.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment and never holds up a writer."""
        with self._reading() as session:
            yield session

    def close(self) -> None:
        """Closes every pooled connection."""
        self.engine.dispose()
        if self._in_use is not None:
            self._in_use.close()
