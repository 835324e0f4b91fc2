"""Whom a listing waits for on PostgreSQL: whoever changes the review, and nobody who lists it, too."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from api.store.engine import Database
from api.store.listings import ListingRepository
from api.store.models import Account, Review
from api.store.reviews import ReviewRepository
from tests.api_client import Clients

pytestmark = pytest.mark.system

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_who_lists_waits_for_who_changes_and_not_for_who_lists_too(clients: Clients) -> None:
    clients.seeded.take_in()
    database = clients.seeded.services.database
    with database.read() as session:
        candidate_id, review_id = session.execute(select(Review.candidate_id, Review.review_id)).one()
        accounts = session.scalars(select(Account.account_id).limit(2)).all()
    with database.write() as first:
        assert ListingRepository(first).list_to(accounts[0], [review_id], NOON) == [review_id]
        with database.write() as second:
            second.execute(text("SET LOCAL lock_timeout = '2s'"))
            assert ListingRepository(second).list_to(accounts[1], [review_id], NOON) == [review_id]
        with pytest.raises(OperationalError, match="lock timeout"):
            revise(database, candidate_id)


def revise(database: Database, candidate_id: str) -> None:
    """As intake begins, but in a hurry."""
    with database.write() as session:
        session.execute(text("SET LOCAL lock_timeout = '200ms'"))
        ReviewRepository(session).lock([candidate_id])
