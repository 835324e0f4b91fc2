"""The queue beyond the oldest that wait, which are looked at first."""

from __future__ import annotations

import pytest
from sqlalchemy import literal, select

from api.store import queue as queue_store
from tests.api_client import Clients


def assert_more_are_looked_at_where_the_oldest_do_not_fill_a_page(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_store, "LOOKED_AT", 2)
    for track_id in range(1, 6):
        clients.seeded.take_in(track_id)
    aigul = clients.login("aigul")
    reviews = [item["review_id"] for item in aigul.queue()]
    assert len(reviews) == 5
    for review_id in reviews[:3]:
        assert aigul.answer(review_id, "same_person").status_code == 201
    page = aigul.get("/reviews?limit=1").json()
    assert [item["review_id"] for item in page["items"]] == reviews[3:4]
    (rest,) = aigul.get(f"/reviews?limit=1&cursor={page['next_cursor']}").json()["items"]
    assert rest["review_id"] == reviews[4]


def test_more_are_looked_at_where_the_oldest_do_not_fill_a_page(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_more_are_looked_at_where_the_oldest_do_not_fill_a_page(clients, monkeypatch)


def test_a_queue_that_looks_no_further_is_caught(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = queue_store._page_of
    nobody = select(literal(0))
    monkeypatch.setattr(queue_store, "_page_of", lambda *args, **how: (pages(*args, **how)[0], nobody))
    with pytest.raises(AssertionError):
        assert_more_are_looked_at_where_the_oldest_do_not_fill_a_page(clients, monkeypatch)
