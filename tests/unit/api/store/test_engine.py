"""`api.store.engine`: what is only read is not kept, whatever is done to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

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
