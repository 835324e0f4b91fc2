"""How PostgreSQL finds a queue page among many candidates that are over: in the order of what waits, and no more of it.

PostgreSQL chooses by statistics, so the store has to be one whose statistics mislead it: nearly all that was ever kept has
expired, and nearly all that waits has not.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

from api.review.scopes import Right, Scope
from api.store.asking import Asking
from api.store.models import Account
from api.store.queue import QueueRepository
from bench import postgres
from bench.acceptance.programs import usual_server
from bench.api_site import StoreSize, filled_site

pytestmark = pytest.mark.system

SIZE: Final = StoreSize(past=60_000, queue=1_500, operators=3)
PAGE: Final = 21


def test_a_queue_page_reads_what_waits_in_its_order(tmp_path: Path) -> None:
    with postgres.running() as url, filled_site(tmp_path, usual_server(), SIZE, url):
        plan = explained(url)
    assert "Index Scan using ix_candidates_waiting" in plan
    assert "Seq Scan on candidates" not in plan
    assert "Seq Scan on reviews" not in plan
    assert "review_id)::text = (reviews.review_id)" not in plan, "claims are read anew for every review"


def explained(url: str) -> str:
    """The plan of the first page of one operator."""
    engine = create_engine(url)
    found: list[tuple[str, Any]] = []

    def keep(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: bool) -> None:
        found.append((statement, parameters))

    with Session(engine) as session:
        account_id, username = session.query(Account.account_id, Account.username).limit(1).one()
        asking = Asking(account_id, username, Scope((Right(),)), "none")
        event.listen(engine, "before_cursor_execute", keep)
        page = QueueRepository(session).open_for(asking, datetime.now(UTC), None, PAGE)
        event.remove(engine, "before_cursor_execute", keep)
        assert len(page) == PAGE
        statement, parameters = found[-1]
        cursor = session.connection().connection.cursor()
        cursor.execute(f"EXPLAIN {statement}", parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    engine.dispose()
    return plan
