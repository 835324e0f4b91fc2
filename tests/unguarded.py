"""A database without the guards of the migrations: to show that tests of the other guards can fail."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import MetaData, UniqueConstraint, make_url, text

from api.ledger.chain import GENESIS
from api.store.engine import Database, open_engine
from api.store.models import Base, LedgerHead


def open_unguarded_database(url: str) -> Database:
    """As `api.store.open.open_database`: the same tables, no trigger, no limit of answers per account, passkey or browser."""
    bare = MetaData()
    for table in Base.metadata.tables.values():
        copied = table.to_metadata(bare)
        if table.name == "judgements":
            for limit in [item for item in copied.constraints if isinstance(item, UniqueConstraint)]:
                copied.constraints.remove(limit)
            for index in [item for item in copied.indexes if item.unique]:
                copied.indexes.remove(index)
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).unlink(missing_ok=True)  # seeded services begin with a migrated one
    engine = open_engine(url)
    if parsed.get_backend_name() == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    bare.create_all(engine)
    database = Database(engine)
    with database.write() as session:
        session.add(LedgerHead(head_id=1, sequence=0, entry_sha256=GENESIS))
    return database
