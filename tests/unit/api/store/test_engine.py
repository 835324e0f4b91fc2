"""`api.store.engine`: what is only read is not kept, whatever is done to it, and nothing is of what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from api.errors import NotFoundError
from api.store import engine
from api.store.engine import Database
from api.store.models import LedgerHead
from api.store.open import open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_database(f"sqlite:///{tmp_path / 'aiqyn.db'}")
    yield made
    made.close()


@pytest.mark.parametrize("how", [Database.read, Database.look])
def test_an_object_that_is_changed_where_it_is_only_read_stays_as_it_was(
    database: Database, how: object
) -> None:
    assert callable(how)
    with how(database) as session:
        head = session.scalars(select(LedgerHead)).one()
        head.sequence = 7
    with database.read() as session:
        assert session.scalars(select(LedgerHead.sequence)).one() == 0


def _refused_after(database: Database, sequence: int, *, flushed: bool) -> None:
    with database.write() as session:
        session.scalars(select(LedgerHead)).one().sequence = sequence
        if flushed:
            session.flush()
        raise NotFoundError


@pytest.mark.parametrize("flushed", [True, False])
def test_of_a_transaction_that_is_refused_nothing_is_kept(database: Database, flushed: bool) -> None:
    with pytest.raises(NotFoundError):
        _refused_after(database, 7, flushed=flushed)
    with database.read() as session:
        assert session.scalars(select(LedgerHead.sequence)).one() == 0


def test_a_build_that_takes_what_it_wrote_for_read_is_caught(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_end_refused", Session.commit)
    with pytest.raises(AssertionError):
        test_of_a_transaction_that_is_refused_nothing_is_kept(database, flushed=True)


def _failed_and_refused(database: Database) -> None:
    with database.write() as session:
        try:
            session.execute(text("SELECT nothing FROM nowhere"))
        except OperationalError as error:
            raise NotFoundError from error


def test_a_statement_that_failed_does_not_keep_a_refusal_from_being_told(database: Database) -> None:
    with pytest.raises(NotFoundError):
        _failed_and_refused(database)
    with database.write() as session:
        assert session.scalars(select(LedgerHead.sequence)).one() == 0
