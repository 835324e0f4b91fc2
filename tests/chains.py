"""What the end of the ledger has to hold under, whatever the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from api.ledger.chain import Entry, Happening, check_chain
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.open import open_database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@contextmanager
def two_processes(url: str) -> Iterator[tuple[Database, Database]]:
    """The same database as two processes have it."""
    made = open_database(url), open_database(url)
    try:
        yield made
    finally:
        for one in made:
            one.close()


def happening(kind: str) -> Happening:
    return Happening(kind, NOON, "tester", "thing:1", {"n": 1})


def append(database: Database, *kinds: str) -> None:
    with database.write() as session:
        for kind in kinds:
            LedgerRepository(session).append(happening(kind))


def append_now(database: Database, kind: str) -> Entry:
    """As what needs its place before the commit, and says something more after."""
    with database.write() as session:
        ledger = LedgerRepository(session)
        ledger.append(happening(f"{kind}-before"))
        entry = ledger.append_now(happening(kind))
        ledger.append(happening(f"{kind}-after"))
    return entry


def take_turn(database: Database, kind: str) -> None:
    with database.write() as session:
        LedgerRepository(session).take_turn()
        LedgerRepository(session).append(happening(kind))


def entries_of(database: Database) -> list[Entry]:
    with database.read() as session:
        found = LedgerRepository(session).page(0, 10_000)
        assert LedgerRepository(session).newest_sequence() == len(found)
    return found


def assert_what_others_append_is_noticed(one: Database, other: Database) -> None:
    """Two processes, each of which knows where the ledger ended when it was last there."""
    for turn in range(3):
        append(one, f"one-{turn}")
        append(other, f"other-{turn}", f"again-{turn}")
        append(one, f"many-{turn}", f"more-{turn}")
    entries = entries_of(one)
    check_chain(entries)
    assert [entry.kind for entry in entries[:5]] == ["one-0", "other-0", "again-0", "many-0", "more-0"]
    assert len(entries) == 15


def _undone(database: Database, how: Callable[[LedgerRepository, Happening], object]) -> None:
    with database.write() as session:
        how(LedgerRepository(session), happening("undone"))
        raise RuntimeError


def assert_what_is_undone_leaves_nothing(database: Database) -> None:
    append(database, "first")
    for how in (LedgerRepository.append, LedgerRepository.append_now):
        with pytest.raises(RuntimeError):
            _undone(database, how)
    append(database, "second")
    entries = entries_of(database)
    check_chain(entries)
    assert [entry.kind for entry in entries] == ["first", "second"]


def assert_many_of_every_kind_form_one_chain(one: Database, other: Database) -> None:
    """Some know their place early, some take the turn first, two processes: nobody waits for ever, nothing is lost."""

    def act(number: int) -> None:
        database = one if number % 3 else other
        acts = (append, append, append_now, take_turn)
        acts[number % 4](database, f"kind-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(120)))
    entries = entries_of(one)
    check_chain(entries)
    assert len(entries) == 60 + 3 * 30 + 30
    kinds = [entry.kind for entry in entries]
    for number in range(2, 120, 4):
        place = kinds.index(f"kind-{number}")
        assert kinds[place - 1 : place + 2] == [
            f"kind-{number}-before",
            f"kind-{number}",
            f"kind-{number}-after",
        ]
    assert {f"kind-{number}" for number in range(120)} <= set(kinds)
