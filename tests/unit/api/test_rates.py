"""One account, and one address, may send so many requests; who sends more waits, and it is written down once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.errors import TooManyRequestsError
from api.rates import MAX_BUCKETS, NEWS_AFTER_SECONDS, Rate, RateLimiter, RateLimits
from tests.api_client import API, Clients
from tests.ledger import entries
from tests.seeds import UNLIMITED, seed

SMALL = RateLimits(account=Rate(2.0, 4), address=Rate(100.0, 1000))


class Seconds:
    """Seconds that stand until they are moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def through(limiter: RateLimiter, sender: str, times: int) -> int:
    passed = 0
    for _ in range(times):
        try:
            limiter.check("account", sender)
        except TooManyRequestsError:
            continue
        passed += 1
    return passed


def test_a_burst_and_then_so_many_a_second() -> None:
    seconds = Seconds()
    limiter = RateLimiter(SMALL, seconds)
    assert through(limiter, "a", 10) == 4
    assert through(limiter, "b", 10) == 4
    seconds.now += 1.5
    assert through(limiter, "a", 10) == 3
    seconds.now += 3600
    assert through(limiter, "a", 10) == 4


def test_how_long_to_wait_is_told() -> None:
    limiter = RateLimiter(RateLimits(account=Rate(0.1, 1)), Seconds())
    limiter.check("account", "a")
    with pytest.raises(TooManyRequestsError) as refusal:
        limiter.check("account", "a")
    assert refusal.value.headers["Retry-After"] == "10"


def test_a_refusal_is_news_once_a_minute() -> None:
    seconds = Seconds()
    limiter = RateLimiter(SMALL, seconds)
    assert [limiter.is_news("account", "a") for _ in range(3)] == [True, False, False]
    seconds.now += NEWS_AFTER_SECONDS
    assert limiter.is_news("account", "a")


def test_senders_who_rest_are_forgotten() -> None:
    seconds = Seconds()
    limiter = RateLimiter(SMALL, seconds)
    for number in range(MAX_BUCKETS):
        limiter.check("account", str(number))
    seconds.now += 100
    limiter.check("account", "one more")
    assert len(limiter._buckets) == 1


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Clients]:
    limits = RateLimits(account=Rate(0.01, 20), address=Rate(0.01, 60))
    clients = Clients(seed(tmp_path, usernames=("aigul", "daniyar"), rates=limits))
    yield clients
    clients.close()


def test_an_account_that_asks_too_often_waits_and_others_do_not(limited: Clients) -> None:
    aigul, daniyar = limited.login("aigul"), limited.login("daniyar")
    answers = [aigul.get("/me") for _ in range(25)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 25 - 17  # her passkey was registered with two of twenty, her password set with one
    assert refused[0].json()["code"] == "too_many_requests"
    assert int(refused[0].headers["retry-after"]) > 0
    assert daniyar.get("/me").status_code == 200
    (denied,) = entries(limited, "denied")
    assert (denied["detail"]["code"], denied["actor"]) == (
        "too_many_requests",
        answers[0].json()["account_id"],
    )


def test_an_address_that_asks_too_often_waits_before_anything_is_looked_at(limited: Clients) -> None:
    answers = [limited.http.get(f"{API}/me") for _ in range(70)]
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (60, 10)
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert answers[-1].headers["cache-control"] == "no-store"
    assert len(entries(limited, "denied")) == 1
    assert limited.http.get("/health").status_code == 200


def test_logins_of_one_address_have_a_limit_of_their_own(tmp_path: Path) -> None:
    clients = Clients(seed(tmp_path, usernames=(), rates=RateLimits(login=Rate(0.01, 10))))
    try:
        paths = ("login", "refresh", "oidc", "oidc/finish", "proxy")
        for path in paths * 2:
            assert clients.http.post(f"{API}/auth/{path}", json={}).status_code in {403, 422}
        for path in paths:
            assert clients.http.post(f"{API}/auth/{path}", json={}).status_code == 429
    finally:
        clients.close()


def test_what_is_shipped_lets_a_control_room_work() -> None:
    shipped = RateLimits()
    assert shipped.account.per_second >= 50
    assert shipped.address.per_second >= 10 * shipped.account.per_second
    assert shipped.account.per_second < UNLIMITED.account.per_second
