"""What a connection to PostgreSQL has prepared stays when somebody is refused: else the next request waits for plans."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from api.errors import NotFoundError
from api.store import engine
from api.store.engine import Database
from api.store.models import LedgerHead
from tests.api_client import Clients

pytestmark = pytest.mark.system

_PREPARED = text("SELECT count(*) FROM pg_prepared_statements")


def test_a_refusal_forgets_nothing(clients: Clients) -> None:
    database = clients.seeded.services.database
    for _ in range(4):
        _look_at(database)
    before = _prepared(database)
    assert before > 0
    with pytest.raises(NotFoundError):
        _refuse(database)
    assert _prepared(database) >= before


def test_a_build_that_undoes_what_only_read_is_caught(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_end_refused", Session.rollback)
    with pytest.raises(AssertionError):
        test_a_refusal_forgets_nothing(clients)


def test_plans_are_kept_and_never_compiled(clients: Clients) -> None:
    """For any value whatever the clocks' statements look costly: compiled, they took 17 ms where 0.1 is enough."""
    database = clients.seeded.services.database
    for opened in (database.write, database.look):
        with opened() as session:
            assert session.execute(text("SHOW jit")).scalar_one() == "off"
            assert session.execute(text("SHOW plan_cache_mode")).scalar_one() == "force_generic_plan"


def _look_at(database: Database) -> None:
    with database.write() as session:
        session.scalars(select(LedgerHead.sequence)).one()


def _refuse(database: Database) -> None:
    with database.write() as session:
        session.scalars(select(LedgerHead.sequence)).one()
        raise NotFoundError


def _prepared(database: Database) -> int:
    with database.write() as session:
        return int(session.execute(_PREPARED).scalar_one())
