"""The end of the ledger: every transaction that has something to say puts it there as the last thing it does."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import CursorResult, Insert, bindparam, insert, select, update
from sqlalchemy.orm import Session

from api.ledger.chain import Entry, Happening, LedgerError, chained
from api.store.models import LedgerEntry, LedgerHead
from api.store.models.base import table_of

_SAID: Final = "aiqyn_ledger_said"
"""Where a session keeps what happened, until it has a place."""

_ENTRIES: Final = "aiqyn_ledger_entries"
"""Where it keeps entries that have theirs, and are not written yet."""

_END: Final = "aiqyn_ledger_end"
"""Where it keeps the end of the chain once it has locked it; a session of `Database` is one transaction."""


class End(NamedTuple):
    """The newest entry: its number and hash."""

    sequence: int
    entry_sha256: str


_LEDGER: Final = table_of(LedgerEntry)
_HEAD: Final = table_of(LedgerHead)
_LOCKED: Final = select(_HEAD.c.sequence, _HEAD.c.entry_sha256).with_for_update()
_MOVE: Final = (
    update(_HEAD)
    .where(_HEAD.c.entry_sha256 == bindparam("after"))
    .values(sequence=bindparam("sequence"), entry_sha256=bindparam("entry_sha256"))
)
_INSERT: Final = insert(_LEDGER)


def _move_and_insert() -> Insert:
    """Both in one way to the server and back, while all others wait."""
    moved = _MOVE.returning(_HEAD.c.head_id).cte("moved")
    columns = [_LEDGER.c.sequence, _LEDGER.c.document, _LEDGER.c.kind]
    columns += [_LEDGER.c.previous_sha256, _LEDGER.c.entry_sha256]
    values = [bindparam(column.name, type_=column.type) for column in columns]
    both = _INSERT.from_select([column.name for column in columns], select(*values).select_from(moved))
    return both.execution_options(preserve_rowcount=True)  # which of an INSERT nobody else asks for


_MOVE_AND_INSERT: Final = _move_and_insert()


def say(session: Session, happening: Happening) -> None:
    """Puts what happened at the end of the ledger when the session's transaction is committed, or never."""
    session.info.setdefault(_SAID, []).append(happening)


def take_turn(session: Session) -> None:
    """Has every other writer to the ledger wait from here on; what is read next is the newest there is."""
    if session.info.get(_END) is None:
        session.info[_END] = End(*session.execute(_LOCKED).one())


def say_now(session: Session, happening: Happening) -> Entry:
    """The same for what has to know its place before that: from here on nobody else appends until the commit."""
    say(session, happening)
    return _chain_said(session)[-1]


def _chain_said(session: Session) -> list[Entry]:
    """Entries of all that was said and has no place yet, behind the locked end."""
    take_turn(session)
    made = _chained(session.info.pop(_SAID), session.info[_END])
    session.info[_END] = End(made[-1].sequence, made[-1].entry_sha256)
    session.info.setdefault(_ENTRIES, []).extend(made)
    return made


def _chained(said: Sequence[Happening], end: End) -> list[Entry]:
    made = []
    for happening in said:
        made.append(chained(happening, end.sequence + 1, end.entry_sha256))
        end = End(made[-1].sequence, made[-1].entry_sha256)
    return made


class ChainEnd:
    """Commits transactions to the ledger one after the other, in the order they come.

    Who has the turn knows where the ledger ends, as she was told by the one before her, and moves that end only where
    it still is there: what another process appended meanwhile is noticed, and read. So the turn is as short as can be.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._known: End | None = None
        self._others_append = False

    def commit(self, session: Session) -> None:
        """Writes what the session's transaction has to say, and commits it; where it says nothing, does nothing."""
        if session.info.get(_END) is not None:
            # It has the turn in the database, and must not ask for the one here, whose owner may wait for it there.
            if _SAID in session.info:
                _chain_said(session)
            end = None
            if _ENTRIES in session.info:
                end = _write_locked(session, session.info.pop(_ENTRIES))
            session.commit()
            if end is not None and (self._known is None or self._known.sequence < end.sequence):
                self._known = end  # whoever has the turn here meanwhile knows a later one, and will say so
        elif session.info.get(_SAID):
            session.flush()  # what else there is to write is written before the turn
            with self._turn:
                known, self._known = self._known, None
                end = None
                if known is not None and not self._others_append:
                    end = _write_after(session, _chained(session.info[_SAID], known))
                if end is None:
                    take_turn(session)
                    self._others_append = known is not None and known != session.info[_END]
                    _chain_said(session)
                    end = _write_locked(session, session.info.pop(_ENTRIES))
                session.commit()
                self._known = end


def _write_after(session: Session, entries: Sequence[Entry]) -> End | None:
    """The new end, where the ledger still ended where these begin; else nothing is written."""
    end = End(entries[-1].sequence, entries[-1].entry_sha256)
    moving = end._asdict() | {"after": entries[0].previous_sha256}
    if len(entries) == 1 and session.get_bind().dialect.name == "postgresql":
        return end if _changes_one(session, _MOVE_AND_INSERT, _row(entries[0]) | moving) else None
    if not _changes_one(session, _MOVE, moving):
        return None
    session.execute(_INSERT, [_row(entry) for entry in entries])
    return end


def _write_locked(session: Session, entries: Sequence[Entry]) -> End:
    end = _write_after(session, entries)
    if end is None:
        raise LedgerError("the end of the ledger moved while this transaction had it locked")
    return end


def _changes_one(session: Session, statement: Any, values: dict[str, Any]) -> bool:
    return cast("CursorResult[Any]", session.execute(statement, values)).rowcount == 1


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "document": entry.document,
        "kind": entry.kind,
        "previous_sha256": entry.previous_sha256,
        "entry_sha256": entry.entry_sha256,
    }
