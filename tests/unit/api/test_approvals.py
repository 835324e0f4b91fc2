"""An account is made by one person and switched on by another; one person has one account, one account one role."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from api.errors import ConflictError, UnprocessableError
from api.passwords import Passwords
from api.review.cases import Role
from api.store.models import Account, AccountRequest
from tests.api_client import API, PASSWORD, Clients, Person
from tests.ledger import entries
from tests.seeds import add_account


@pytest.fixture
def root(clients: Clients) -> Person:
    return clients.login("root")


@pytest.fixture
def authoriser(clients: Clients) -> Person:
    return clients.login("gulnar")


def make(by: Person, username: str = "new", role: str = "operator", **more: str) -> tuple[int, Any]:
    body = {"username": username, "role": role, "person": f"staff number of {username}"} | more
    response = by.post("/accounts", body)
    return response.status_code, response.json()


def log_in(clients: Clients, username: str, password: str) -> int:
    body = {"username": username, "password": password}
    return int(clients.http.post(f"{API}/auth/login", json=body).status_code)


def decide(person: Person, account_id: str, *, granted: bool = True) -> tuple[int, Any]:
    response = person.post(f"/accounts/{account_id}/approval", {"granted": granted})
    return response.status_code, response.json().get("code")


def id_of(root: Person, username: str) -> str:
    items = root.get("/accounts?limit=100").json()["items"]
    return str(next(item["account_id"] for item in items if item["username"] == username))


def test_an_account_is_on_once_a_second_person_said_so(
    clients: Clients, root: Person, authoriser: Person
) -> None:
    status, made = make(root)
    assert status == 201
    assert log_in(clients, "new", made["one_time_password"]) == 401
    assert decide(root, made["account_id"]) == (403, "second_person")
    assert decide(clients.login("saule"), made["account_id"]) == (403, "role")
    assert decide(authoriser, made["account_id"]) == (200, None)
    assert log_in(clients, "new", made["one_time_password"]) == 200
    assert decide(authoriser, made["account_id"]) == (409, "nothing_asked")
    (decided,) = [
        one for one in entries(clients, "account_decided") if one["object"] == f"account:{made['account_id']}"
    ]
    assert (decided["detail"]["granted"], decided["detail"]["how"]) == (True, "approval")
    assert decided["actor"] == authoriser.get("/me").json()["account_id"]


def test_a_refused_account_stays_off(clients: Clients, root: Person, authoriser: Person) -> None:
    _, made = make(root)
    assert decide(authoriser, made["account_id"], granted=False) == (200, None)
    assert log_in(clients, "new", made["one_time_password"]) == 401
    assert root.get(f"/accounts/{made['account_id']}").json()["standing"] == "off"


def assert_the_database_wants_a_second_person(clients: Clients) -> None:
    """Whatever code decides: who asked cannot be written down as who decided, nor the account itself."""
    _, made = make(clients.login("root"))
    database = clients.seeded.services.database
    for decider in (AccountRequest.requested_by, AccountRequest.account_id):
        statement = update(AccountRequest).where(AccountRequest.account_id == made["account_id"])
        with pytest.raises(IntegrityError), database.write() as session:
            session.execute(statement.values(decided_by=decider))


def test_the_database_itself_wants_a_second_person(clients: Clients) -> None:
    assert_the_database_wants_a_second_person(clients)


def test_a_one_time_password_is_shown_once_and_kept_nowhere(clients: Clients, root: Person) -> None:
    body = {"username": "new", "role": "operator", "person": "4711"}
    first = root.post("/accounts", body, key="the-same-key").json()
    again = root.post("/accounts", body, key="the-same-key").json()
    assert again == first | {"one_time_password": None}
    folder = clients.seeded.services.keys.folder.parent / "data"
    for path in (item for item in folder.rglob("*") if item.is_file()):
        assert first["one_time_password"].encode() not in path.read_bytes()


@pytest.mark.parametrize("role", ["operator", "supervisor", "auditor", "authoriser", "administrator"])
def test_one_person_has_one_account(root: Person, role: str) -> None:
    make(root, "first", person="Aliya Bekova, 4711")
    status, problem = make(root, "second", role, person="  aliya   BEKOVA, 4711")
    assert (status, problem["code"]) == (409, "person_has_account")
    assert make(root, "third", role, person="Aliya Bekova, 4712")[0] == 201


def test_a_person_is_kept_as_a_slow_salted_hash(clients: Clients, root: Person) -> None:
    _, made = make(root, person="Aliya Bekova, 4711")
    folder = clients.seeded.services.keys.folder.parent / "data"
    for path in (item for item in folder.rglob("*") if item.is_file()):
        assert b"Bekova" not in path.read_bytes()
        assert b"bekova" not in path.read_bytes()
    with clients.seeded.services.database.read() as session:
        assert len(session.get_one(Account, made["account_id"]).person_sha256 or "") == 64
    passwords = Passwords(person_cost=2)
    assert passwords.person_digest("a", b"one") != passwords.person_digest("a", b"two")


@pytest.mark.parametrize("username", ["aigul", "AIGUL", "with blank", "-", "ſ", ""])
def test_user_names_have_rules(root: Person, username: str) -> None:
    assert make(root, username)[0] in {409, 422}


def test_another_role_needs_a_second_person_and_ends_the_logins(
    clients: Clients, root: Person, authoriser: Person
) -> None:
    aigul, account_id = clients.login("aigul"), id_of(root, "aigul")
    body = {"role": "supervisor", "reason": "moved to another department"}
    asked = root.post(f"/accounts/{account_id}/role", body)
    assert (asked.status_code, asked.json()["role"], asked.json()["asked_role"]) == (
        200,
        "operator",
        "supervisor",
    )
    assert root.post(f"/accounts/{account_id}/role", body).json()["code"] == "asked_already"
    assert aigul.get("/reviews").status_code == 200
    assert decide(root, account_id) == (403, "second_person")
    assert decide(authoriser, account_id) == (200, None)
    assert aigul.get("/me").status_code == 401
    assert clients.login("aigul").get("/reviews").status_code == 403
    changes = [one["kind"] for one in entries(clients) if one.get("object") == f"account:{account_id}"]
    assert changes[-2:] == ["account_change_asked", "account_decided"]


def test_nobody_decides_about_herself(clients: Clients, root: Person, authoriser: Person) -> None:
    account_id = id_of(root, "gulnar")
    assert root.post(f"/accounts/{account_id}/role", {"role": "auditor", "reason": "r"}).status_code == 200
    assert decide(authoriser, account_id) == (403, "second_person")


@pytest.mark.parametrize(
    ("username", "role", "status", "code"),
    [
        ("aigul", "operator", 409, "has_role"),
        ("aigul", "integrator", 422, "machine"),
        ("kassym", "operator", 422, "machine"),
        ("nobody", "operator", 404, "not_found"),
    ],
)
def test_what_cannot_be_asked(root: Person, username: str, role: str, status: int, code: str) -> None:
    account_id = "acc_none" if username == "nobody" else id_of(root, username)
    response = root.post(f"/accounts/{account_id}/role", {"role": role, "reason": "r"})
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_an_account_is_switched_off_by_one_and_on_again_by_two(
    clients: Clients, root: Person, authoriser: Person
) -> None:
    aigul, account_id = clients.login("aigul"), id_of(root, "aigul")
    assert root.post(f"/accounts/{account_id}/deactivation").json()["active"] is False
    assert aigul.get("/me").status_code == 401
    assert log_in(clients, "aigul", PASSWORD) == 401
    assert root.post(f"/accounts/{account_id}/deactivation").json()["code"] == "account_off"
    again = root.post(f"/accounts/{account_id}/reactivation", {"reason": "back from leave"})
    assert (again.status_code, again.json()["active"]) == (200, False)
    assert log_in(clients, "aigul", PASSWORD) == 401
    assert decide(authoriser, account_id) == (200, None)
    assert log_in(clients, "aigul", PASSWORD) == 200


def test_what_was_asked_is_taken_back_or_refused_by_switching_off(
    clients: Clients, root: Person, authoriser: Person
) -> None:
    _, made = make(root)
    assert root.post(f"/accounts/{made['account_id']}/deactivation").status_code == 200
    assert decide(authoriser, made["account_id"]) == (409, "nothing_asked")
    assert log_in(clients, "new", made["one_time_password"]) == 401


def test_two_people_who_approve_are_always_left(root: Person) -> None:
    items = root.get("/accounts?limit=100").json()["items"]
    others = [
        item["account_id"]
        for item in items
        if item["role"] in {"administrator", "authoriser"} and item["username"] != "root"
    ]
    answers = [root.post(f"/accounts/{account_id}/deactivation") for account_id in others]
    assert [answer.status_code for answer in answers] == [200] * (len(others) - 1) + [409]
    assert answers[-1].json()["code"] == "too_few_approvers"


@pytest.mark.parametrize("username", ["aigul", "saule", "kassym"])
def test_accounts_are_not_everybodys_business(clients: Clients, root: Person, username: str) -> None:
    person = clients.login(username)
    assert person.get("/accounts").status_code == 403
    assert person.get(f"/accounts/{id_of(root, username)}").status_code == 403
    assert make(person)[0] == 403
    assert clients.login("erlan").get("/accounts").status_code == 200  # an auditor looks
    assert make(clients.login("erlan"))[0] == 403  # and changes nothing


def test_pages_of_accounts_follow_each_other(root: Person) -> None:
    found: list[str] = []
    cursor = ""
    while True:
        page = root.get(f"/accounts?limit=3{cursor}").json()
        found += [item["username"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == sorted(found)
    assert {"aigul", "root", "kassym", "second-approver"} <= set(found)


def test_first_people_are_made_once(clients: Clients) -> None:
    accounts = clients.seeded.services.accounts
    with pytest.raises(ConflictError) as error:
        accounts.add_first([])
    assert error.value.code == "not_the_first"
    assert not accounts.needs_first_people()


def test_by_name_there_is_no_shortcut(clients: Clients) -> None:
    services = clients.seeded.services
    add_account(services, "later", Role.AUDITOR)
    with pytest.raises(UnprocessableError):
        services.accounts.add("no spaces", Role.OPERATOR)
    assert {line.username for line in services.accounts.all() if line.active} >= {"later"}
