"""The database: SQLite on one machine, PostgreSQL beyond, opened the same way."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from api.errors import ApiError
from api.store.chain_end import ChainEnd
from api.store.in_use import InUse
from api.store.turns import Turns

BUSY_TIMEOUT_SECONDS: Final = 15
_BEGIN: Final = "aiqyn_sqlite_begin"
_NONE: Final = "NONE"

_TRUSTED_SECONDS: Final = 1.0
"""A connection that was used so lately is not asked whether its server is still there: no server restarts so fast, and
the first that finds it gone empties the pool."""

_USED_AT: Final = "aiqyn_used_at"
_WROTE: Final = "aiqyn_wrote"

_SERVER_SETTINGS: Final = (
    # What operators ask for all day lies in memory: to fetch a row there by its key costs little more than to read on.
    "SET random_page_cost = 1.1",
    # The server would plan some statements anew each time, because it thinks another moment worth another plan.
    "SET plan_cache_mode = force_generic_plan",
    # A plan for any value whatever looks costly enough to be compiled, which takes longer than to run it.
    "SET jit = off",
)
_PLAN_ANEW: Final = text("SET LOCAL plan_cache_mode = force_custom_plan")
_PREPARE_AFTER: Final = 2
_PREPARED_AT_MOST: Final = 500
"""Of one connection: the service has fewer statements than that, and each is planned once."""

_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # in WAL mode a weaker one may forget the last commits at a power cut
    "PRAGMA secure_delete=ON",  # what is deleted is overwritten, not only unlinked
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",  # else INSERT OR REPLACE would slip past the append-only triggers
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}",
    # The service has a `Checkpointer`; who commits shortens the journal only where that does not come round, or where there
    # is no service.
    "PRAGMA wal_autocheckpoint=16000",  # pages of 4 KiB; by default 1000
    "PRAGMA journal_size_limit=16000000",  # bytes; pages of what was deleted stay there until written over
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
        return _open_server(parsed)
    engine = create_engine(
        parsed,
        pool_size=20,
        max_overflow=40,
        pool_use_lifo=True,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open_server(url: URL, **more: Any) -> Engine:
    # Last in, first out: few connections work, and their server knows what each of them asks.
    engine = create_engine(
        url,
        pool_size=20,
        max_overflow=20,
        pool_use_lifo=True,
        connect_args={"prepare_threshold": _PREPARE_AFTER},
        **more,
    )
    event.listen(engine, "connect", _prepare_server)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _check_idle(engine))
    return engine


def _prepare_server(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.prepared_max = _PREPARED_AT_MOST
    with connection.cursor() as cursor:
        for setting in _SERVER_SETTINGS:
            cursor.execute(setting)
    connection.commit()


def _note_use(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[_USED_AT] = time.monotonic()


def _check_idle(engine: Engine) -> Callable[[DBAPIConnection, ConnectionPoolEntry, object], None]:
    def check(connection: DBAPIConnection, record: ConnectionPoolEntry, _fairy: object) -> None:
        used_at = record.info.get(_USED_AT)
        if used_at is None or time.monotonic() - used_at < _TRUSTED_SECONDS:
            return
        dialect = engine.dialect
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error  # the pool lets go of all it holds, and opens another

    return check


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver would begin by itself, late and deferred
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _forget_writes(connection: Connection) -> None:
    connection.info.pop(_WROTE, None)


def _note_writes(connection: Connection, _cursor: Any, statement: str, *_more: Any) -> None:
    if not statement.startswith("SELECT"):
        connection.info[_WROTE] = True


def _begin_sqlite(connection: Connection) -> None:
    kind = connection.get_execution_options().get(_BEGIN, "IMMEDIATE")
    if kind == _NONE:
        return
    connection.exec_driver_sql(f"BEGIN {kind}")


def _end_refused(session: Session) -> None:
    """Ends the transaction of a refusal, of which nothing is to be kept; one that only read, as most do, by a commit.

    That is all the same to the database, but after a rollback a driver forgets what it prepared, and the next who gets
    this connection waits for plans.
    """
    session.expunge_all()
    if session.is_active and session.in_transaction() and not session.connection().info.get(_WROTE):
        session.commit()
    else:
        session.rollback()


class Database:
    """Transactions over one database.

    Attributes:
        engine: what transactions run on.
        looks: what single statements run on, outside of any.
    """

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
        self._plans_are_kept = not one_writer
        self._chain_end = ChainEnd()
        self._writing = sessionmaker(engine, expire_on_commit=False)
        event.listen(engine, "begin", _forget_writes)
        event.listen(engine, "before_cursor_execute", _note_writes)
        one_moment = {_BEGIN: "DEFERRED"} if one_writer else {"isolation_level": "REPEATABLE READ"}
        self._reading = sessionmaker(
            engine.execution_options(**one_moment), expire_on_commit=False, autoflush=False
        )
        # Connections of their own, where no transaction is ever undone: after that a driver forgets what it prepared,
        # and the server plans anew what every request asks.
        self.looks = (
            engine.execution_options(**{_BEGIN: _NONE})
            if one_writer
            else _open_server(engine.url, isolation_level="AUTOCOMMIT")
        )
        self._looking = sessionmaker(self.looks, expire_on_commit=False, autoflush=False)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose work is committed at the end, or undone as a whole.

        SQLite has one writer: those of this process wait their turn here, in order, and not inside SQLite, which
        would let each look again and again at growing intervals. Never begin one inside another.
        """
        with self._turns, self._writing() as session:
            try:
                yield session
            except ApiError:
                _end_refused(session)
                raise
            self._chain_end.commit(session)
            session.commit()

    @contextmanager
    def tidy(self) -> Iterator[Session]:
        """As `write`, for whoever deletes the few old among the many: how that is best done depends on how few they are."""
        with self.write() as session:
            self._plan_anew(session)
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment and never holds up a writer."""
        # Ended by a commit, though there is nothing to keep: it leaves prepared what is.
        with self._reading() as session:
            self._plan_anew(session)
            yield session
            session.expunge_all()  # what was changed in an object by mistake is not kept
            session.commit()

    @contextmanager
    def look(self) -> Iterator[Session]:
        """A session for reading whose every statement sees its own moment: half the way to a server and back.

        For one statement, or for several that need not agree.
        """
        with self._looking() as session:
            yield session

    def _plan_anew(self, session: Session) -> None:
        if self._plans_are_kept:
            session.execute(_PLAN_ANEW)

    def close(self) -> None:
        """Closes every pooled connection."""
        self.looks.dispose()
        self.engine.dispose()
        if self._in_use is not None:
            self._in_use.close()
