"""Logins last minutes and are refreshed; a copied refresh token ends them; each can be ended by its owner."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from api.passwords import token_digest
from api.store.models import RefreshToken
from tests.api_client import API, PASSWORD, Clients, FakeClock, Person
from tests.ledger import kinds


def bearer(clients: Clients, token: str) -> int:
    return int(clients.http.get(f"{API}/me", headers={"Authorization": f"Bearer {token}"}).status_code)


def refreshed(clients: Clients, refresh_token: str) -> tuple[int, dict[str, str]]:
    response = clients.http.post(f"{API}/auth/refresh", json={"refresh_token": refresh_token})
    return response.status_code, response.json()


def test_an_access_token_lasts_a_quarter_of_an_hour(clients: Clients, clock: FakeClock) -> None:
    person = clients.login("aigul")
    first = person.token
    clock.forward(minutes=14)
    assert bearer(clients, first) == 200
    clock.forward(minutes=2)
    assert bearer(clients, first) == 401
    assert person.get("/me").status_code == 200  # the client refreshed
    assert person.token != first


def test_refreshing_ends_the_earlier_pair_and_not_the_login(clients: Clients) -> None:
    person = clients.login("aigul")
    (before,) = person.get("/auth/sessions").json()["items"]
    status, body = refreshed(clients, person.refresh_token)
    assert status == 200
    assert bearer(clients, person.token) == 401
    assert bearer(clients, body["access_token"]) == 200
    person.token = body["access_token"]
    (after,) = person.get("/auth/sessions").json()["items"]
    assert (before["session_id"], before["ends_at"]) == (after["session_id"], after["ends_at"])


def test_a_refresh_token_that_comes_twice_ends_the_login_for_both(clients: Clients) -> None:
    person = clients.login("aigul")
    copied = person.refresh_token
    _, owners = refreshed(clients, copied)
    assert refreshed(clients, copied)[0] == 401  # the thief, or the owner after the thief
    assert bearer(clients, owners["access_token"]) == 401
    assert refreshed(clients, owners["refresh_token"])[0] == 401
    assert kinds(clients).count("refresh_token_reused") == 1


def assert_one_of_two_refreshes_is_let_through(clients: Clients) -> None:
    """Two bring the same refresh token at the same moment: one gets tokens, and the login is over for both."""
    person = clients.login("aigul")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda token: refreshed(clients, token), [person.refresh_token] * 2))
    assert sorted(status for status, _ in answers) == [200, 401]
    (given,) = [body for status, body in answers if status == 200]
    assert bearer(clients, given["access_token"]) == 401


def test_of_two_refreshes_at_the_same_moment_one_is_let_through(clients: Clients) -> None:
    assert_one_of_two_refreshes_is_let_through(clients)


def test_no_refresh_outlasts_the_login(clients: Clients, clock: FakeClock) -> None:
    person = clients.login("aigul")
    for _ in range(50):
        clock.forward(minutes=14)
        assert person.refresh()
    clock.forward(minutes=19)  # 11 h 59 min
    assert person.refresh()
    clock.forward(minutes=2)
    assert not person.refresh()
    assert bearer(clients, person.token) == 401


@pytest.mark.parametrize("token", ["x" * 43, "short", ""])
def test_what_is_no_refresh_token_gives_nothing(clients: Clients, token: str) -> None:
    assert refreshed(clients, token)[0] in {401, 422}


def test_refresh_tokens_are_kept_as_hashes_alone(clients: Clients) -> None:
    person = clients.login("aigul")
    with clients.seeded.services.database.read() as session:
        assert session.get(RefreshToken, token_digest(person.refresh_token))
    folder = clients.seeded.services.keys.folder.parent / "data"
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert found
    assert not [path for path in found if person.refresh_token.encode() in path.read_bytes()]


def two_logins(clients: Clients) -> tuple[Person, Person]:
    return clients.login("aigul"), clients.login("aigul")


def test_one_sees_and_ends_ones_own_logins_alone(clients: Clients) -> None:
    here, there = two_logins(clients)
    stranger = clients.login("daniyar")
    items = here.get("/auth/sessions").json()["items"]
    assert [item["current"] for item in items].count(True) == 1
    (other,) = [item["session_id"] for item in items if not item["current"]]
    assert stranger.send("DELETE", f"/auth/sessions/{other}").status_code == 404
    assert here.send("DELETE", f"/auth/sessions/{other}").status_code == 204
    assert here.send("DELETE", f"/auth/sessions/{other}").status_code == 404
    assert bearer(clients, there.token) == 401
    assert bearer(clients, here.token) == 200
    assert len(here.get("/auth/sessions").json()["items"]) == 1


def test_an_administrator_ends_every_login_of_an_account(clients: Clients) -> None:
    here, there = two_logins(clients)
    root = clients.login("root")
    account_id = here.get("/me").json()["account_id"]
    assert root.send("DELETE", f"/accounts/{account_id}/sessions").status_code == 204
    assert (bearer(clients, here.token), bearer(clients, there.token)) == (401, 401)
    assert not here.refresh()
    assert root.send("DELETE", "/accounts/nobody/sessions").status_code == 404
    assert clients.login("daniyar").send("DELETE", f"/accounts/{account_id}/sessions").status_code == 403


def test_everything_about_a_login_is_in_the_ledger(clients: Clients) -> None:
    person = clients.login("aigul")
    person.refresh()
    person.post("/auth/logout")
    clients.http.post(f"{API}/auth/login", json={"username": "aigul", "password": "wrong"})
    found = kinds(clients)
    assert [kind for kind in found if kind.startswith(("log", "password"))] == [
        "logged_in",
        "password_set",
        "login_refreshed",
        "logged_out",
        "login_refused",
    ]
    assert PASSWORD not in str(found)
