"""A database as an older version left it, with a row in every table: what a migration must carry over."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any, Final

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    insert,
)

from api.store.migrate import _config

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID: Final = "x"
"""Every id of every row, so that all refer to each other."""

_GUARDED: Final = frozenset({"alembic_version", "ledger_head", "receipts", "outbox", "retractions"})
"""Made by migrations, or refused by triggers that want two people who said the same, or a confirmed match."""

_ONE_STEP: Final = frozenset({"0008", "0009", "0010", "0011", "0012", "0013", "0014"})
"""Came together with the version after them: no database was ever left at one of these."""

_ITEM: Final = {"kind": "probe", "ref": f"cc/{'c' * 64}.sealed", "sha256_sealed": "c" * 64}
_VALUES: Final[dict[tuple[str, str], Any]] = {
    ("account_requests", "decided_by"): None,
    ("candidates", "event"): {"evidence": [_ITEM]},
    ("candidates", "state"): "open",
    ("candidates", "control_id"): None,
    ("candidates", "truth"): None,
    ("control_items", "frame"): _ITEM,
    ("deployments", "authorised_by"): "y",
    ("deployments", "authorised_by_key"): "y",
    ("deployments", "request_id"): None,
    ("list_requests", "ended_by"): None,
    ("passkeys", "revoked_at"): None,
    ("subjects", "authorised_by"): "y",
    ("subjects", "authorised_by_key"): "y",
    ("subjects", "request_id"): None,
    ("control_items", "probe"): _ITEM,
    ("ledger", "sequence"): 1,
}


def versions() -> list[str]:
    """Every version somebody may have, but the newest; oldest first."""
    script = ScriptDirectory.from_config(_config())
    return [one.revision for one in script.walk_revisions() if one.revision not in _ONE_STEP][:0:-1]


def bring_to(engine: Engine, version: str) -> None:
    """Migrates an empty database to a version."""
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def fill(engine: Engine) -> dict[str, int]:
    """Adds a row to every table there is; how many rows each has now."""
    tables = MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
    with engine.begin() as connection:
        for table in tables.sorted_tables:
            if table.name not in _GUARDED:
                connection.execute(insert(table).values(_row(connection, table)))
    return {table.name: 1 for table in tables.sorted_tables if table.name not in _GUARDED}


def _row(connection: Connection, table: Table) -> dict[str, Any]:
    values = {}
    for column in table.columns:
        known = (table.name, column.name)
        values[column.name] = _VALUES[known] if known in _VALUES else _value(connection, column)
        if isinstance(values[column.name], dict) and not isinstance(column.type, JSON):
            values[column.name] = json.dumps(values[column.name])
    return values


def _value(connection: Connection, column: Column[Any]) -> Any:
    kinds: tuple[tuple[type[Any] | tuple[type[Any], ...], Any], ...] = (
        (JSON, {}),
        (Boolean, False),
        (DateTime, NOON if connection.dialect.name == "postgresql" else NOON.replace(tzinfo=None)),
        (Date, date(2026, 3, 1)),
        (Integer, 1),
        (Float, 0.5),
        (LargeBinary, b"sealed"),
    )
    return next((value for kind, value in kinds if isinstance(column.type, kind)), ID)
