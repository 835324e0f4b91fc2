"""One moment of a database, as a file: SQLite through its backup interface, PostgreSQL through pg_dump."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.engine import URL

from api.backup.errors import BackupError
from api.backup.manifest import Say
from api.store.engine import open_engine

SQLITE_FILE: Final = "database.sqlite"
POSTGRES_FILE: Final = "database.pgdump"
ASIDE: Final = "aiqyn_before_restore"
"""Where a database that is replaced waits until the other one is whole."""

_PAGES: Final = 4096
_DEBIAN: Final = Path("/usr/lib/postgresql")
_QUERY_NAMES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}


@contextmanager
def snapshot(url: str, folder: Path, say: Say) -> Iterator[tuple[Connection, Path]]:
    """Writes a database into `folder`, and gives a connection that sees exactly what was written.

    Raises:
        BackupError: there is no database, pg_dump is missing or failed, or the disk is full.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        target = folder / SQLITE_FILE
        _copy_sqlite(Path(parsed.database or ""), target, say)
        engine = create_engine(f"sqlite:///{target}")
        with engine.connect() as connection:
            yield connection, target
        engine.dispose()
        return
    target = folder / POSTGRES_FILE
    engine = open_engine(url)
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            exported = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            say("dumping the database", 0, 0)
            command = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={exported}"]
            _run("pg_dump", [*command, f"--file={target}"], parsed)
            yield connection, target
    finally:
        engine.dispose()


def restore_sqlite(source: Path, url: str) -> None:
    """Puts a checked copy in the place of the database, whole or not at all.

    Raises:
        BackupError: there is no room for it.
    """
    target = Path(make_url(url).database or "")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.restored")
    try:
        shutil.copyfile(source, part)
        part.chmod(0o600)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        for leftover in ("-wal", "-shm"):  # of the database that goes: they would be taken for the new one's
            target.with_name(target.name + leftover).unlink(missing_ok=True)
        part.replace(target)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise BackupError(f"{target}: {error.strerror}; nothing was restored") from error


def restore_postgres(source: Path, url: str) -> None:
    """Reads a dump into a database in one transaction; what was there is put aside until that is done.

    Raises:
        BackupError: pg_restore is missing or failed; what was there is there again.
    """
    engine = create_engine(open_engine(url).url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {ASIDE} CASCADE"))
            connection.execute(text(f"ALTER SCHEMA public RENAME TO {ASIDE}"))
            connection.execute(text("CREATE SCHEMA public"))
            options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
            try:
                _run("pg_restore", [*options, "--dbname=", str(source)], make_url(url))
            except BackupError:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text(f"ALTER SCHEMA {ASIDE} RENAME TO public"))
                raise
            connection.execute(text(f"DROP SCHEMA {ASIDE} CASCADE"))
    finally:
        engine.dispose()


def others_connected(engine: Engine) -> int:
    """How many other connections a PostgreSQL database has."""
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
        return int(found.scalar_one())


def _copy_sqlite(source: Path, target: Path, say: Say) -> None:
    if not source.is_file():
        raise BackupError(f"{source}: there is no database yet")
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def told(_status: int, left: int, total: int) -> None:
        say("copying the database", total - left, total)

    try:
        with (
            closing(sqlite3.connect(source, isolation_level=None)) as taken,
            closing(sqlite3.connect(target)) as made,
        ):
            # A transaction of its own holds the moment: else every write of the service would begin the copy anew.
            taken.execute("BEGIN")
            taken.execute("SELECT count(*) FROM sqlite_master").fetchone()
            taken.backup(made, pages=_PAGES, progress=told)
            made.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
            problems = made.execute("PRAGMA quick_check(1)").fetchone()[0]
    except (sqlite3.Error, OSError) as error:
        raise BackupError(f"{source}: cannot be copied: {error}") from error
    if problems != "ok":
        raise BackupError(f"{source}: is damaged: {problems}")


def _run(name: str, options: list[str], url: URL) -> None:
    program = _program(name)
    command = [
        program,
        *(f"--dbname={url.database}" if option == "--dbname=" else option for option in options),
    ]
    done = subprocess.run(
        command, env={**os.environ, **_environment(url)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise BackupError(f"{name} failed: {words[-1] if words else f'exit code {done.returncode}'}")


def _program(name: str) -> str:
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, versions), os.environ.get("PATH", "")]))
    if found is None:
        raise BackupError(
            f"{name} is not installed; it comes with the clients of PostgreSQL (postgresql-client)"
        )
    return found


def _environment(url: URL) -> Mapping[str, str]:
    """Where and as whom the programs connect; never on a command line, which others can read."""
    query = {_QUERY_NAMES[name]: str(value) for name, value in url.query.items() if name in _QUERY_NAMES}
    named = {
        "PGHOST": url.host,
        "PGPORT": None if url.port is None else str(url.port),
        "PGUSER": url.username,
        "PGPASSWORD": None if url.password is None else str(url.password),
        "PGDATABASE": url.database,
    }
    return query | {name: value for name, value in named.items() if value is not None}
