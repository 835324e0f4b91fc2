"""Guessing is slowed per account and address, per account from anywhere, and per address over all accounts."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from api.store.engine import Database
from api.store.models import LoginCount
from api.store.open import open_database
from api.throttle import FREE, LONGEST_WAIT, LoginThrottle
from tests.api_client import API, PASSWORD, Clients, FakeClock
from tests.ledger import entries
from tests.throttled import assert_many_at_once_are_counted, failures, wait

HOME, ELSEWHERE = "192.0.2.1", "203.0.113.9"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(f"sqlite:///{tmp_path / 'aiqyn.db'}")


@pytest.fixture
def throttle(database: Database, clock: FakeClock) -> LoginThrottle:
    return LoginThrottle(database, clock)


def test_waits_grow_and_have_a_ceiling(throttle: LoginThrottle, clock: FakeClock) -> None:
    failures(throttle, "aigul", HOME, FREE["pair"])
    waits = []
    for _ in range(8):
        waits.append(wait(throttle, "aigul", HOME))
        clock.forward(seconds=waits[-1] + 1)
        failures(throttle, "aigul", HOME, 1)
    assert waits[:4] == [30, 60, 120, 240]
    assert waits[-1] == LONGEST_WAIT.total_seconds()


def test_an_attempt_that_has_to_wait_does_not_lengthen_the_wait(
    throttle: LoginThrottle, clock: FakeClock
) -> None:
    failures(throttle, "aigul", HOME, FREE["pair"])
    for _ in range(100):
        assert wait(throttle, "aigul", HOME) <= 30
    clock.forward(seconds=31)
    assert wait(throttle, "aigul", HOME) == 0


def test_an_account_waits_whichever_address_guesses(throttle: LoginThrottle) -> None:
    for number in range(FREE["account"]):
        failures(throttle, "aigul", f"198.51.100.{number}", 1)
    assert wait(throttle, "aigul", ELSEWHERE) > 0
    assert wait(throttle, "daniyar", ELSEWHERE) == 0


def test_an_address_waits_whichever_account_it_tries(throttle: LoginThrottle) -> None:
    for number in range(FREE["address"]):
        failures(throttle, f"user{number}", HOME, 1)
    assert wait(throttle, "somebody", HOME) > 0
    assert wait(throttle, "somebody", ELSEWHERE) == 0


def test_nobody_is_kept_out_of_her_usual_place(
    throttle: LoginThrottle, database: Database, clock: FakeClock
) -> None:
    attempt = throttle.begin("aigul", HOME)
    with database.write() as session:
        throttle.succeeded(session, attempt)
    for number in range(100):
        failures(throttle, "aigul", f"198.51.100.{number}", 1, waiting_too=True)
    assert wait(throttle, "aigul", ELSEWHERE) > 0
    assert wait(throttle, "aigul", HOME) == 0
    # but there, too, she may not guess for ever
    failures(throttle, "aigul", HOME, FREE["pair"] - 1)
    assert wait(throttle, "aigul", HOME) > 0


def test_of_an_ipv6_customer_all_addresses_are_one(throttle: LoginThrottle) -> None:
    for number in range(FREE["pair"]):
        failures(throttle, "aigul", f"2001:db8:1:2::{number:x}", 1)
    assert wait(throttle, "aigul", "2001:db8:1:2:ffff::1") > 0
    assert wait(throttle, "aigul", "2001:db8:1:3::1") == 0


def test_a_second_process_and_a_restart_know_it_too(
    throttle: LoginThrottle, database: Database, clock: FakeClock
) -> None:
    failures(throttle, "aigul", HOME, FREE["pair"])
    assert wait(LoginThrottle(database, clock), "aigul", HOME) > 0


def test_names_and_addresses_are_kept_as_salted_hashes_and_not_for_long(
    throttle: LoginThrottle, database: Database, clock: FakeClock
) -> None:
    failures(throttle, "aigul", HOME, 3)
    with database.read() as session:
        kept = list(session.scalars(select(LoginCount.key_sha256)))
    assert len(kept) == 3
    assert not [key for key in kept if "aigul" in key or HOME in key]
    clock.forward(hours=25)
    failures(throttle, "other", ELSEWHERE, 1)
    with database.read() as session:
        assert not set(session.scalars(select(LoginCount.key_sha256))) & set(kept)


def test_attempts_at_the_same_moment_are_all_counted(throttle: LoginThrottle) -> None:
    assert_many_at_once_are_counted(throttle)


def test_over_http_a_wait_is_told_and_an_administrator_ends_it(clients: Clients) -> None:
    root = clients.login("root")
    account_id = clients.login("aigul").get("/me").json()["account_id"]

    def attempt(password: str) -> tuple[int, str | None]:
        body = {"username": "AIGUL ", "password": password}
        response = clients.http.post(f"{API}/auth/login", json=body)
        return response.status_code, response.headers.get("retry-after")

    assert {attempt("wrong")[0] for _ in range(FREE["pair"])} == {401}
    assert attempt(PASSWORD) == (429, "30")
    assert clients.login("daniyar").get("/me").status_code == 200
    assert root.send("DELETE", f"/accounts/{account_id}/waits").status_code == 204
    assert attempt(PASSWORD)[0] == 200
    assert len(entries(clients, "login_waits_lifted")) == 1
    assert root.send("DELETE", "/accounts/nobody/waits").status_code == 404
    assert {entry["detail"]["code"] for entry in entries(clients, "denied")} >= {"too_many_attempts"}
