"""Moves what was committed from SQLite's journal into the database file while others go on writing."""

from __future__ import annotations

from typing import Final

from api.store.engine import Database

_ROUNDS: Final = 4
"""Each shorter than the one before: what is committed during one is left to the next, and with nothing left the journal
begins anew."""

_NOW: Final = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpointer:
    """Keeps the write-ahead journal short, so that nobody who commits has to.

    SQLite leaves it to whoever commits once the journal is long enough. She then writes a thousand pages all over the file
    and waits for the disk twice more, and with her everybody whose turn to write comes after. Here nobody waits: neither
    readers nor writers are held up (https://sqlite.org/pragma.html#pragma_wal_checkpoint, PASSIVE).
    """

    def __init__(self, database: Database) -> None:
        """
        Args:
            database: SQLite; of another there is nothing to move.
        """
        self._database = database

    def run_once(self) -> int:
        """Moves what there is; 0: until the next round there is time."""
        with self._database.looks.connect() as connection:
            for _ in range(_ROUNDS):
                _, pages, moved = connection.exec_driver_sql(_NOW).one()
                if pages == moved:
                    break
        return 0
