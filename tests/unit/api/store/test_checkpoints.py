"""Whoever writes to SQLite leaves the journal to the service, which shortens it and holds up nobody."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from api.store import engine
from api.store.checkpoints import Checkpointer
from api.store.engine import BUSY_TIMEOUT_SECONDS, Database
from api.store.open import open_database

PAGES = 1500
"""SQLite itself would move what was written after a thousand."""

ROW = "INSERT INTO things VALUES (randomblob(4000))"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "aiqyn.db"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    made = open_database(f"sqlite:///{file}")
    with made.engine.begin() as connection:
        connection.execute(text("CREATE TABLE things (content BLOB)"))
    Checkpointer(made).run_once()
    yield made
    made.close()


def write(opened: Engine, rows: int = PAGES, *, at_once: int = 100) -> None:
    for _ in range(rows // at_once):
        with opened.begin() as connection:
            for _ in range(at_once):
                connection.execute(text(ROW))


def moved(file: Path, folder: Path) -> int:
    """How many rows the file alone has, without its journal."""
    copy = folder / "copy.db"
    shutil.copyfile(file, copy)
    connection = sqlite3.connect(copy)
    try:
        return int(connection.execute("SELECT count(*) FROM things").fetchone()[0])
    finally:
        connection.close()


def test_who_commits_moves_nothing_and_the_service_moves_all(
    database: Database, file: Path, tmp_path: Path
) -> None:
    write(database.engine)
    assert moved(file, tmp_path) == 0
    assert Checkpointer(database).run_once() == 0
    assert moved(file, tmp_path) == PAGES


def test_a_build_whose_writers_do_it_themselves_is_caught(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = tuple(pragma for pragma in engine._PRAGMAS if "autocheckpoint" not in pragma)
    monkeypatch.setattr(engine, "_PRAGMAS", careless)
    made = open_database(f"sqlite:///{file}")
    with made.engine.begin() as connection:
        connection.execute(text("CREATE TABLE things (content BLOB)"))
    with pytest.raises(AssertionError):
        test_who_commits_moves_nothing_and_the_service_moves_all(made, file, tmp_path)
    made.close()


def test_the_journal_begins_anew_and_stays_short(database: Database, file: Path) -> None:
    journal = file.with_name("aiqyn.db-wal")
    sizes = []
    for _ in range(4):
        write(database.engine)
        sizes.append(journal.stat().st_size)
        Checkpointer(database).run_once()
    assert max(sizes) < 1.5 * min(sizes)


def test_a_long_journal_is_cut(database: Database, file: Path) -> None:
    write(database.engine, 6000, at_once=1000)
    journal = file.with_name("aiqyn.db-wal")
    assert journal.stat().st_size > 20_000_000
    Checkpointer(database).run_once()
    write(database.engine, 1, at_once=1)
    assert journal.stat().st_size <= 16_000_000


def test_it_waits_for_no_writer_and_no_reader(database: Database, file: Path, tmp_path: Path) -> None:
    checkpointer = Checkpointer(database)

    def run() -> None:
        round_ = threading.Thread(target=checkpointer.run_once, daemon=True)
        round_.start()
        round_.join(BUSY_TIMEOUT_SECONDS / 2)
        assert not round_.is_alive()

    write(database.engine, 200)
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM things")).scalar_one() == 200
        with database.write() as writing:
            writing.execute(text(ROW))
            run()
            assert moved(file, tmp_path) == 200
        run()
        assert session.execute(text("SELECT count(*) FROM things")).scalar_one() == 200
    run()
    assert moved(file, tmp_path) == 201


def test_without_a_service_somebody_moves_it_in_the_end(database: Database, file: Path) -> None:
    write(database.engine, 20_000, at_once=1000)
    write(database.engine, 1, at_once=1)
    assert file.with_name("aiqyn.db-wal").stat().st_size < 40_000_000  # of 80 that were written
