"""Rows made where there are none, by however many at the same moment."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from api.store.models import Base
from api.store.models.base import table_of


def add_missing(session: Session, table: type[Base], *rows: dict[str, Any]) -> None:
    """Adds each row unless one with the same key is there, or comes at the same moment.

    Args:
        session: of a transaction that writes.
        table: where to.
        rows: values by column, the same columns in each; in the order of their keys, so that two who add some of the
            same never wait for each other.
    """
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if is_postgresql else sqlite.insert
    session.execute(insert(table_of(table)).on_conflict_do_nothing(), list(rows))
