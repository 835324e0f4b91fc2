"""Rows made where there are none, by however many at the same moment."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from api.store.models import Base


def add_missing(session: Session, table: type[Base], values: dict[str, Any]) -> None:
    """Adds a row unless one with the same key is there, or comes at the same moment.

    Args:
        session: of a transaction that writes.
        table: where to.
        values: by column.
    """
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if is_postgresql else sqlite.insert
    session.execute(insert(table).values(values).on_conflict_do_nothing())
