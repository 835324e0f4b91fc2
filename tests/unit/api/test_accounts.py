"""Accounts, passwords and how a login ends."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from api.accounts import AccountService
from api.errors import ConflictError, UnprocessableError
from api.passwords import one_time_password, token_digest
from api.review.cases import Role
from api.store.models import Account, LoginSession
from tests.api_client import API, PASSWORD, Clients, FakeClock


def login(clients: Clients, username: str, password: str) -> tuple[int, dict[str, object]]:
    response = clients.http.post(f"{API}/auth/login", json={"username": username, "password": password})
    return response.status_code, response.json()


def test_until_the_one_time_password_is_replaced_nothing_else_works(clients: Clients) -> None:
    clients.seeded.take_in()
    status, body = login(clients, "aigul", clients.seeded.one_time_passwords["aigul"])
    assert (status, body["must_change_password"], body["token_type"]) == (200, True, "bearer")
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    for path in ("/me", "/reviews", "/candidates", "/ledger"):
        response = clients.http.get(API + path, headers=headers)
        assert (response.status_code, response.json()["code"]) == (403, "password_change_required")


@pytest.mark.parametrize(
    ("password", "status"),
    [("short", 422), ("saule", 422), ("x" * 300, 422), ("one-time", 422), (PASSWORD, 204)],
)
def test_a_new_password_has_rules(clients: Clients, password: str, status: int) -> None:
    one_time = clients.seeded.one_time_passwords["saule"]  # an operator needs a passkey before
    _, body = login(clients, "saule", one_time)
    chosen = one_time if password == "one-time" else password
    response = clients.http.post(
        f"{API}/auth/password",
        json={"password": chosen},
        headers={"Authorization": f"Bearer {body['access_token']}"},
    )
    assert response.status_code == status
    assert one_time not in response.text


def test_a_password_is_replaced_once_and_other_logins_end(clients: Clients) -> None:
    one_time = clients.seeded.one_time_passwords["aigul"]
    _, thief = login(clients, "aigul", one_time)
    person = clients.login("aigul")
    assert person.get("/me").json()["username"] == "aigul"
    stolen = {"Authorization": f"Bearer {thief['access_token']}"}
    assert clients.http.get(f"{API}/me", headers=stolen).status_code == 401
    assert login(clients, "aigul", one_time)[0] == 401
    assert person.post("/auth/password", {"password": "another one altogether"}).status_code == 409


def test_wrong_passwords_and_unknown_accounts_look_alike(clients: Clients) -> None:
    known, unknown = login(clients, "aigul", "wrong"), login(clients, "nobody", "wrong")
    assert known == unknown
    assert (known[0], known[1]["code"]) == (401, "wrong_credentials")


@pytest.mark.parametrize("ending", ["logout", "time", "reset", "switched off"])
def test_a_login_ends(clients: Clients, clock: FakeClock, ending: str) -> None:
    person = clients.login("aigul")
    if ending == "logout":
        assert person.post("/auth/logout").status_code == 204
    elif ending == "time":
        clock.forward(hours=12)
    elif ending == "reset":
        clients.seeded.services.accounts.reset("aigul")
    else:
        with clients.seeded.services.database.write() as session:
            session.scalars(select(Account).where(Account.username == "aigul")).one().active = False
    response = person.get("/me")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


def test_tokens_and_passwords_are_not_kept_in_clear(clients: Clients) -> None:
    person = clients.login("aigul")
    with clients.seeded.services.database.read() as session:
        kept = set(session.scalars(select(LoginSession.token_sha256)))
        hashes = set(session.scalars(select(Account.password_hash)))
    assert token_digest(person.token) in kept
    assert all(item.startswith("$argon2id$") for item in hashes)
    folder = clients.seeded.services.keys.folder.parent / "data"
    for path in (item for item in folder.rglob("*") if item.is_file()):
        content = path.read_bytes()
        assert person.token.encode() not in content
        assert PASSWORD.encode() not in content


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp5"}])
def test_without_a_good_token_nothing_is_there(clients: Clients, header: dict[str, str]) -> None:
    response = clients.http.get(f"{API}/reviews", headers=header)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"


def test_accounts_are_added_once_and_by_rule(clients: Clients) -> None:
    accounts: AccountService = clients.seeded.services.accounts
    with pytest.raises(ConflictError):
        accounts.add("Aigul", Role.OPERATOR)
    with pytest.raises(UnprocessableError):
        accounts.add("no spaces", Role.OPERATOR)
    with pytest.raises(ConflictError):
        accounts.reset("nobody")
    assert {line.username for line in accounts.all()} >= {"aigul", "root"}


def test_one_time_passwords_are_long_and_never_the_same() -> None:
    made = {one_time_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(one.replace("-", "")) == 20 for one in made)
