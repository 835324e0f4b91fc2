"""What was judged before judgements were proved stays as it was, and what was held may still be confirmed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from api.store.engine import open_engine
from api.store.migrate import _config, migrate

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = "0007"


def rows_from_before() -> list[tuple[str, dict[str, Any]]]:
    """A held candidate that two people have answered, as the older schema has it."""
    responsible = {
        "requested_by": "a",
        "requested_by_key": "a",
        "authorised_by": "b",
        "authorised_by_key": "b",
    }
    watchlist: dict[str, Any] = {"watchlist_id": "w", "name": "name", "purpose": "purpose", "max_entries": 10}
    subject: dict[str, Any] = {
        "subject_id": "s",
        "watchlist_id": "w",
        "name_sealed": b"n",
        "legal_basis": "law",
    }
    subject |= {"case_reference": "7", "image_source": "family", "expires_at": NOON} | responsible
    deployment: dict[str, Any] = {
        "deployment_id": "d",
        "watchlist_id": "w",
        "purpose": "p",
        "starts_at": NOON,
        "ends_at": NOON,
    }
    candidate: dict[str, Any] = {
        "candidate_id": "c",
        "revision": 1,
        "camera_id": "gate",
        "deployment_id": "d",
    }
    candidate |= {"watchlist_id": "w", "subject_id": "s", "similarity": 0.5, "threshold": 0.4, "round": 0}
    candidate |= {"state": "confirmed_held", "expires_at": NOON, "event": "{}"}
    rows: list[tuple[str, dict[str, Any]]] = [
        ("watchlists", watchlist | {"created_at": NOON}),
        ("subjects", subject | {"created_at": NOON}),
        ("deployments", deployment | responsible | {"created_at": NOON}),
        ("candidates", candidate | {"created_at": NOON}),
    ]
    for who in ("one", "two"):
        account: dict[str, Any] = {
            "account_id": who,
            "username": who,
            "role": "operator",
            "password_hash": "x",
        }
        account |= {"must_change_password": False, "active": True, "created_at": NOON}
        login: dict[str, Any] = {"session_id": f"s-{who}", "account_id": who, "token_sha256": who}
        judgement: dict[str, Any] = {
            "judgement_id": who,
            "candidate_id": "c",
            "account_id": who,
            "session_id": f"s-{who}",
        }
        judgement |= {"round": 0, "answer": "same_person", "answered_at": NOON}
        rows += [
            ("accounts", account),
            ("login_sessions", login | {"created_at": NOON, "expires_at": NOON}),
            ("judgements", judgement),
        ]
    return rows


def insert(engine: Engine, table: str, row: dict[str, Any]) -> None:
    stored = row
    if engine.dialect.name == "sqlite":
        stored = {
            name: f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value
            for name, value in row.items()
        }
    places = ", ".join(f":{name}" for name in stored)
    with engine.begin() as connection:
        connection.execute(
            text(f"INSERT INTO {table} ({', '.join(stored)}) VALUES ({places})"),  # noqa: S608  # names above
            stored,
        )


def assert_old_judgements_stay(engine: Engine) -> None:
    """Brought up from the older schema, they stand unproved; none can be added, and a receipt can."""
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)
    rows = rows_from_before()
    for table, row in rows:
        insert(engine, table, row)
    migrate(engine)
    with engine.connect() as connection:
        kept = connection.execute(
            text("SELECT account_id, answer, authenticator, statement FROM judgements ORDER BY account_id")
        ).all()
    assert [tuple(row) for row in kept] == [
        ("one", "same_person", None, None),
        ("two", "same_person", None, None),
    ]
    third = rows[-1][1] | {"judgement_id": "three", "round": 1}
    with pytest.raises(DBAPIError, match="a judgement needs an assertion"):
        insert(engine, "judgements", third)
    receipt = {"receipt_id": "r", "candidate_id": "c", "jws": "x.y.z", "issued_at": NOON, "act_before": NOON}
    insert(engine, "receipts", receipt)


def test_old_judgements_stay(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'old.db'}")
    assert_old_judgements_stay(engine)
    engine.dispose()


GUARDS = {
    "judgements_need_proof",
    "outbox_needs_two_means",
    "receipts_needs_two_means",
    "passkeys_refuse_delete",
    "passkeys_keep_their_key",
    "passkeys_stay_revoked",
}


def test_no_later_migration_takes_a_guard_away(tmp_path: Path) -> None:
    """SQLite drops the triggers of a table that is rebuilt, and says nothing."""
    engine = open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    migrate(engine)
    with engine.connect() as connection:
        names = set(connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")))
    engine.dispose()
    assert names >= GUARDS
