"""The migrations make exactly the tables the code uses, and the database refuses what it must."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api.ledger.chain import GENESIS, Happening, LedgerError, check_chain
from api.store.engine import Database, open_engine
from api.store.evidence import EvidenceRepository
from api.store.ledger import LedgerRepository
from api.store.migrate import current_revision, migrate, newest_revision
from api.store.models import Base
from pipelines.recipes import TemplateRecipe
from tests.api_client import FakeClock
from tests.migrated_people import assert_old_accounts_keep_their_rights_and_log_in_again

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(open_engine(f"sqlite:///{tmp_path / 'aiqyn.db'}"))
    migrate(made.engine)
    yield made
    made.close()


def test_migrations_and_models_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    assert current_revision(database.engine) == newest_revision()
    assert migrate(database.engine) == newest_revision()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("secure_delete", 1),
        ("foreign_keys", 1),
        ("recursive_triggers", 1),
    ],
)
def test_sqlite_is_set_up_for_keeping(database: Database, pragma: str, value: object) -> None:
    with database.engine.connect() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value


def append(database: Database, kind: str) -> None:
    with database.write() as session:
        LedgerRepository(session).append(Happening(kind, NOON, "tester", "thing:1", {"n": 1}))


def test_the_ledger_is_chained_from_its_first_entry(database: Database) -> None:
    for kind in ("one", "two", "three"):
        append(database, kind)
    with database.read() as session:
        entries = LedgerRepository(session).page(0, 10)
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert entries[0].previous_sha256 == GENESIS
    assert check_chain(entries) == entries[-1].entry_sha256
    with pytest.raises(LedgerError):
        check_chain([entries[0], entries[2]])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET kind = 'x'",
        "DELETE FROM ledger",
        "INSERT OR REPLACE INTO ledger SELECT sequence, document, 'x', previous_sha256, entry_sha256 FROM ledger",
    ],
)
def test_the_ledger_cannot_be_rewritten(database: Database, statement: str) -> None:
    append(database, "one")
    with pytest.raises(IntegrityError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text(statement))


def test_a_rewritten_ledger_is_noticed_even_without_its_triggers(database: Database) -> None:
    append(database, "one")
    append(database, "two")
    with database.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER ledger_refuses_update"))
        connection.execute(
            text("UPDATE ledger SET document = replace(document, 'tester', 'nobody') WHERE sequence = 1")
        )
    with database.read() as session, pytest.raises(LedgerError, match="entry 1"):
        check_chain(LedgerRepository(session).page(0, 10))


def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    from api.store.models import Watchlist

    local = NOON.astimezone().replace(microsecond=7)
    with database.write() as session:
        session.add(Watchlist(watchlist_id="w", name="n", purpose="p", max_entries=1, created_at=local))
    with database.read() as session:
        kept = session.get_one(Watchlist, "w").created_at
    assert kept == local
    assert kept.utcoffset() == timedelta(0)


def test_templates_kept_before_they_had_a_place_of_their_own_move_there(tmp_path: Path) -> None:
    from alembic import command

    from api.store.migrate import _config

    engine = open_engine(f"sqlite:///{tmp_path / 'old.db'}")
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    now = "2026-03-01 12:00:00.000000"
    rows = {
        "watchlists": ("w", "name", "purpose", 10, now),
        "subjects": ("s", "w", b"n", "a", "a", "b", "b", "law", "7", "family", now, now, None),
        "subject_references": ("r1", "s", 0, b"p", 320, 320, b"t1", "m", "e" * 64, now),
        "deployments": ("d", "w", "purpose", "a", "a", "b", "b", now, now, now),
    }
    versions = [(1, "embedder:old", "2026-03-01"), (2, "face_detector:x embedder:new", "2026-03-02")]
    with engine.begin() as connection:
        for table, values in rows.items():
            places = ", ".join("?" for _ in values)
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({places})", values)  # noqa: S608  # names above
        for number, preprocessing, day in versions:
            connection.exec_driver_sql(
                "INSERT INTO gallery_versions VALUES ('d', ?, 1, 1, 'm', ?, ?, 1.0, ?, ?)",
                (number, "e" * 64, preprocessing, "c" * 64, f"{day} 12:00:00.000000"),
            )
    migrate(engine)
    recipe = TemplateRecipe("m", "e" * 64, "embedder:new")
    with engine.connect() as connection:
        moved = connection.execute(
            text("SELECT reference_id, template_sealed, recipe_sha256 FROM reference_templates")
        ).all()
    engine.dispose()
    assert [tuple(row) for row in moved] == [("r1", b"t1", recipe.sha256)]


def test_evidence_that_was_there_before_gets_its_records(tmp_path: Path) -> None:
    """Else a retention that knows no owner would take it for nobody's."""
    from alembic import command

    from api.store.migrate import _config

    engine = open_engine(f"sqlite:///{tmp_path / 'old.db'}")
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
    now = "2026-03-01 12:00:00.000000"
    item = {"kind": "probe", "ref": f"cc/{'c' * 64}.sealed", "sha256_sealed": "c" * 64}
    event = json.dumps({"evidence": [item, item, item | {"ref": "dd/x", "kind": "frame"}]})
    rows: dict[str, tuple[object, ...]] = {
        "watchlists": ("w", "name", "purpose", 10, now, None),
        "subjects": ("s", "w", b"n", "a", "a", "b", "b", "law", "7", "family", now, now, None),
        "deployments": ("d", "w", "purpose", "a", "a", "b", "b", now, now, now),
    }
    columns = {
        "candidates": {
            "candidate_id": "c1",
            "revision": 1,
            "event": event,
            "camera_id": "gate",
            "deployment_id": "d",
            "watchlist_id": "w",
            "subject_id": "s",
            "similarity": 0.5,
            "threshold": 0.4,
            "state": "open",
            "round": 0,
            "created_at": now,
            "expires_at": now,
        }
    }
    with engine.begin() as connection:
        for table, values in rows.items():
            places = ", ".join("?" for _ in values)
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({places})", values)  # noqa: S608  # names above
        for table, named in columns.items():
            places = ", ".join("?" for _ in named)
            connection.exec_driver_sql(
                f"INSERT INTO {table} ({', '.join(named)}) VALUES ({places})",  # noqa: S608  # names above
                tuple(named.values()),
            )
    migrate(engine)
    made = Database(engine)
    with made.read() as session:
        records = EvidenceRepository(session).of_candidate("c1")
    made.close()
    assert [(record.ref[:2], record.kind, record.late) for record in records] == [
        ("cc", "probe", False),
        ("dd", "frame", False),
    ]
    assert records[0].item == item
    assert records[0].created_at == NOON


def test_accounts_of_before_keep_their_rights_and_log_in_again(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'old.db'}")
    assert_old_accounts_keep_their_rights_and_log_in_again(engine, FakeClock())
    engine.dispose()


def test_an_outbox_from_before_keeps_its_events_and_its_guards(tmp_path: Path) -> None:
    """The table is made anew on SQLite, so that a candidate may have a retraction beside its receipt."""
    from alembic import command

    from api.store.migrate import _config

    engine = open_engine(f"sqlite:///{tmp_path / 'old.db'}")
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        connection.exec_driver_sql("DROP TRIGGER outbox_needs_two_people")
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.exec_driver_sql(
            "INSERT INTO outbox VALUES ('o', 'c', 'aiqyn.confirmed/1', '{}', '2026-03-01 12:00:00', NULL, 0)"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER outbox_needs_two_people BEFORE INSERT ON outbox WHEN 0 BEGIN SELECT 1; END"
        )
        connection.exec_driver_sql(
            "INSERT INTO watchlists VALUES ('w', 'name', 'purpose', 10, '2026-03-01 12:00:00', NULL)"
        )
        connection.exec_driver_sql(
            "INSERT INTO subjects VALUES ('s', 'w', x'00', 'a', 'a', 'b', 'b', 'law', '7', 'family', "
            "'2026-03-01 12:00:00', '2026-03-01 12:00:00', NULL)"
        )
        connection.exec_driver_sql(
            "INSERT INTO deployments VALUES ('d', 'w', 'purpose', 'a', 'a', 'b', 'b', '2026-03-01 12:00:00', "
            "'2026-03-01 12:00:00', '2026-03-01 12:00:00')"
        )
        connection.exec_driver_sql(
            "INSERT INTO candidates (candidate_id, revision, event, camera_id, deployment_id, watchlist_id, "
            "subject_id, similarity, threshold, state, round, created_at, expires_at) VALUES ('c', 1, '{}', "
            "'gate', 'd', 'w', 's', 0.5, 0.4, 'open', 0, '2026-03-01 12:00:00', '2026-03-01 12:00:00')"
        )
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT outbox_id, schema_name FROM outbox")).all() == [
            ("o", "aiqyn.confirmed/1")
        ]
    for statement, words in (
        ("DELETE FROM outbox", "outbox rows stay"),
        ("UPDATE outbox SET event = '[]'", "not changed"),
        (
            "INSERT INTO outbox VALUES ('x', 'c', 'aiqyn.confirmed/2', '{}', '2026-03-01', NULL, 0)",
            "two people",
        ),
    ):
        with pytest.raises(IntegrityError, match=words), engine.begin() as connection:
            connection.execute(text(statement))
    engine.dispose()


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def fail_half_way() -> None:
        with database.write() as session:
            LedgerRepository(session).append(Happening("one", NOON, "tester"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    with database.read() as session:
        assert LedgerRepository(session).page(0, 10) == []
