"""A database ready to work with: its folder made, its schema the newest."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import make_url

from api.store.engine import Database, open_engine
from api.store.in_use import InUse
from api.store.migrate import migrate


def open_database(url: str) -> Database:
    """The database at `url`, migrated; an SQLite file and its folder are made where they are missing.

    Args:
        url: an SQLAlchemy URL; never logged, it may hold a password.
    """
    parsed, in_use = make_url(url), None
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        file = Path(parsed.database)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made here with tight rights: SQLite gives its journals the rights of the file.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        in_use = InUse(file)
    database = Database(open_engine(url), in_use)
    migrate(database.engine)
    return database
