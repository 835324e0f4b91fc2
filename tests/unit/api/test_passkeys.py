"""Registering and removing passkeys: who may, with what, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from aiqyn.demo.authenticator import USER_PRESENT, SoftwareAuthenticator
from api.devices import COOKIE, device_digest
from api.passkeys import MAX_PASSKEYS
from api.proofs import LIFETIME
from api.store.models import LedgerEntry, LoginSession, Passkey
from tests.api_client import API, PASSWORD, Clients, FakeClock, Person, register


def newcomer(clients: Clients, username: str = "aigul") -> Person:
    """Somebody in her login with the one-time password, who has done nothing yet."""
    one_time = clients.seeded.one_time_passwords[username]
    response = clients.http.post(f"{API}/auth/login", json={"username": username, "password": one_time})
    mark = response.cookies[COOKIE]
    clients.http.cookies.clear()
    authenticator = SoftwareAuthenticator(clients.seeded.services.settings.party.origin)
    return Person(clients.http, username, response.json(), mark, authenticator)


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json().get("code", "")


def test_a_one_time_password_is_good_for_a_passkey_and_a_password_and_nothing_else(clients: Clients) -> None:
    person = newcomer(clients)
    for path in ("/me", "/reviews", "/passkeys/public"):
        assert code(person.get(path)) == (403, "password_change_required")
    assert code(person.post("/auth/password", {"password": PASSWORD})) == (409, "passkey_first")
    assert register(person).status_code == 201
    assert code(person.send("DELETE", "/passkeys/pky_x")) == (403, "password_change_required")
    assert person.post("/auth/password", {"password": PASSWORD}).status_code == 204
    assert [item["label"] for item in person.get("/passkeys").json()["items"]] == ["key ring"]


def test_who_does_not_judge_needs_no_passkey(clients: Clients) -> None:
    assert newcomer(clients, "erlan").post("/auth/password", {"password": PASSWORD}).status_code == 204


def test_a_first_passkey_needs_the_one_time_login(clients: Clients) -> None:
    person = newcomer(clients, "erlan")
    assert person.post("/auth/password", {"password": PASSWORD}).status_code == 204
    assert code(person.post("/passkeys/options")) == (403, "one_time_login_needed")


def test_a_further_passkey_needs_one_there_is(clients: Clients) -> None:
    person = clients.login("aigul")
    asked = person.post("/passkeys/options").json()
    assert [one["id"] for one in asked["creation"]["excludeCredentials"]] == list(person.authenticator._keys)
    made = person.authenticator.create(asked["creation"])
    body = {"label": "spare", "credential": made, "vouching": None}
    assert code(person.post("/passkeys", body)) == (403, "passkey_required")
    stranger = SoftwareAuthenticator(person.authenticator.origin)
    theirs = stranger.create(asked["creation"])
    body["vouching"] = stranger.sign(theirs["id"], "localhost", asked["creation"]["challenge"])
    assert code(person.post("/passkeys", body)) == (403, "passkey_unknown")
    body["vouching"] = person.authenticator.get(asked["vouching"])
    assert person.post("/passkeys", body).status_code == 201
    assert len(person.get("/passkeys").json()["items"]) == 2


def test_the_one_time_password_registers_one_passkey_unvouched(clients: Clients) -> None:
    """Whoever finds the slip with the password later adds nothing to the account with it."""
    person, thief = newcomer(clients), newcomer(clients)
    asked = thief.post("/passkeys/options").json()
    assert register(person).status_code == 201
    made = thief.authenticator.create(asked["creation"])
    assert code(thief.post("/passkeys", {"label": "x", "credential": made})) == (403, "passkey_required")


@pytest.mark.parametrize("of", ["aigul", "daniyar"])
def test_a_passkey_is_registered_once_for_one_account(clients: Clients, of: str) -> None:
    """Not a second time, not for another account, and not again after it was removed."""
    owner = clients.login("aigul")
    (credential_id,) = owner.authenticator._keys
    other = newcomer(clients, "daniyar") if of == "daniyar" else owner
    asked = other.post("/passkeys/options").json()
    made = other.authenticator.create(asked["creation"])
    vouching = asked["vouching"] and owner.authenticator.get(asked["vouching"])
    clone = _with_credential_id(made, credential_id)
    body = {"label": "clone", "credential": clone, "vouching": vouching}
    assert code(other.post("/passkeys", body)) == (409, "passkey_known")


def _with_credential_id(made: dict[str, Any], credential_id: str) -> dict[str, Any]:
    """The same new key under a credential id that is known: with attestation `none` nothing forbids it."""
    from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

    wanted, given = base64url_to_bytes(credential_id), base64url_to_bytes(made["id"])
    attestation = base64url_to_bytes(made["response"]["attestationObject"]).replace(given, wanted)
    response = made["response"] | {"attestationObject": bytes_to_base64url(attestation)}
    return {**made, "id": credential_id, "response": response}


@pytest.mark.parametrize(
    ("spoil", "refused"),
    [
        pytest.param("page", (403, "assertion_invalid"), id="made on another page"),
        pytest.param("user", (403, "assertion_invalid"), id="nobody recognised"),
        pytest.param("site", (403, "assertion_invalid"), id="for another site"),
        pytest.param("late", (409, "challenge_over"), id="too late"),
        pytest.param("made up", (409, "challenge_over"), id="a challenge nobody gave"),
        pytest.param("unreadable", (403, "assertion_invalid"), id="not readable"),
        pytest.param("no object", (403, "assertion_invalid"), id="no attestation object"),
    ],
)
def test_what_no_authenticator_made_for_this_is_refused(
    clients: Clients, clock: FakeClock, spoil: str, refused: tuple[int, str]
) -> None:
    person = newcomer(clients)
    creation = person.post("/passkeys/options").json()["creation"]
    if spoil == "page":
        person.authenticator.origin = "https://elsewhere.example"
    if spoil == "user":
        person.authenticator.flags = USER_PRESENT
    if spoil == "site":
        creation["rp"]["id"] = "elsewhere.example"
    if spoil == "late":
        clock.forward(seconds=LIFETIME.total_seconds())
    if spoil == "made up":
        creation["challenge"] = "A" * 43
    made = person.authenticator.create(creation)
    if spoil == "unreadable":
        made["response"]["clientDataJSON"] = "AAAA"
    if spoil == "no object":
        made["response"]["attestationObject"] = "AAAA"
    assert code(person.post("/passkeys", {"label": "x", "credential": made})) == refused
    assert person.get("/passkeys").json()["items"] == []


def test_registering_twice_with_one_key_is_once(clients: Clients) -> None:
    person = newcomer(clients)
    made = person.authenticator.create(person.post("/passkeys/options").json()["creation"])
    body = {"label": "x", "credential": made}
    first, again = (person.post("/passkeys", body, key="one-registration") for _ in range(2))
    assert (first.status_code, first.json()) == (201, again.json())
    assert code(person.post("/passkeys", body)) == (409, "challenge_over")


def test_an_account_has_ten_at_most(clients: Clients) -> None:
    person = clients.login("aigul")
    for _ in range(MAX_PASSKEYS - 1):
        assert register(person).status_code == 201
    assert code(register(person)) == (409, "too_many_passkeys")


def test_a_reset_ends_passkeys_and_the_next_login_registers_another(clients: Clients) -> None:
    clients.seeded.take_in()
    review_id = clients.login("aigul").queue()[0]["review_id"]
    clients.seeded.one_time_passwords["aigul"] = clients.seeded.services.accounts.reset("aigul")
    person = newcomer(clients)
    assert person.get("/passkeys").json()["items"] == []
    assert register(person).status_code == 201
    assert person.post("/auth/password", {"password": PASSWORD}).status_code == 204
    assert person.answer(review_id, "cannot_tell").status_code == 201


def test_without_any_passkey_left_nobody_judges(clients: Clients) -> None:
    clients.seeded.take_in()
    person = clients.login("aigul")
    review_id = person.queue()[0]["review_id"]
    (kept,) = person.get("/passkeys").json()["items"]
    assert person.send("DELETE", f"/passkeys/{kept['passkey_id']}").status_code == 204
    assert person.send("DELETE", f"/passkeys/{kept['passkey_id']}").status_code == 404
    assert code(person.answer(review_id, "same_person")) == (403, "passkey_required")


def test_nobody_removes_anothers(clients: Clients) -> None:
    (kept,) = clients.login("aigul").get("/passkeys").json()["items"]
    other = clients.login("daniyar")
    assert code(other.send("DELETE", f"/passkeys/{kept['passkey_id']}")) == (404, "not_found")
    assert len(clients.login("aigul").get("/passkeys").json()["items"]) == 1


def test_public_keys_are_for_those_who_check(clients: Clients, clock: FakeClock) -> None:
    for name in ("aigul", "daniyar", "erlan"):
        clients.login(name)
        clock.forward(seconds=1)
    assert code(clients.login("aigul").get("/passkeys/public")) == (403, "role")
    auditor, rows, cursor = clients.login("erlan"), [], ""
    while True:
        page = auditor.get(f"/passkeys/public?limit=2{cursor}").json()
        rows += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len({row["account_id"] for row in rows}) == len(rows) == 3
    assert {row["rp_id"] for row in rows} == {"localhost"}


def test_registering_and_removing_are_in_the_ledger_without_names(clients: Clients) -> None:
    person = clients.login("aigul")
    register(person, "Aigul's blue key")
    kept = person.get("/passkeys").json()["items"]
    person.send("DELETE", f"/passkeys/{kept[-1]['passkey_id']}")
    with clients.seeded.services.database.read() as session:
        rows = session.scalars(
            select(LedgerEntry).where(LedgerEntry.kind.like("passkey_%")).order_by(LedgerEntry.sequence)
        ).all()
        keys = set(session.scalars(select(Passkey.passkey_id)))
    assert [row.kind for row in rows] == ["passkey_registered", "passkey_registered", "passkey_removed"]
    details = [json.loads(row.document)["detail"] for row in rows]
    assert {detail["passkey"] for detail in details} == keys
    assert all({"passkey", "public_key", "rp_id"} == set(detail) for detail in details[:2])
    assert not any("Aigul" in row.document or "aigul" in row.document for row in rows)


def test_a_browser_is_marked_for_long_and_by_no_script(clients: Clients) -> None:
    body = {"username": "aigul", "password": clients.seeded.one_time_passwords["aigul"]}
    cookie = clients.http.post(f"{API}/auth/login", json=body).headers["set-cookie"]
    name_value, *attributes = [part.strip() for part in cookie.split(";")]
    assert {"HttpOnly", "SameSite=strict", "Path=/api/v1", "Max-Age=34560000"} <= set(attributes)
    mark = name_value.removeprefix(f"{COOKIE}=")
    again = clients.http.post(f"{API}/auth/login", json=body).headers["set-cookie"]
    assert mark in again
    clients.http.cookies.clear()
    made_up = clients.http.post(f"{API}/auth/login", json=body, headers={"Cookie": f"{COOKIE}=short"})
    assert mark not in made_up.headers["set-cookie"]
    assert "short" not in made_up.headers["set-cookie"]
    with clients.seeded.services.database.read() as session:
        kept = list(session.scalars(select(LoginSession.device_id).order_by(LoginSession.created_at)))
    assert kept.count(device_digest(mark)) == 2
    assert mark not in kept


def test_a_refreshed_login_stays_in_its_browser(clients: Clients) -> None:
    clients.seeded.take_in()
    person, logins = clients.login("aigul"), clients.seeded.services.logins
    before = logins.authenticate(person.token)
    assert person.refresh()
    after = logins.authenticate(person.token)
    assert after.device_id == before.device_id == device_digest(person.device)
    assert person.answer(person.queue()[0]["review_id"], "different").status_code == 201


@pytest.mark.parametrize(
    ("caught_by", "guard"),
    [
        (test_a_first_passkey_needs_the_one_time_login, "api.passkeys._check_may_register"),
        (test_a_further_passkey_needs_one_there_is, "api.passkeys.PasskeyService._check_vouched"),
        (
            test_the_one_time_password_registers_one_passkey_unvouched,
            "api.passkeys.PasskeyService._check_vouched",
        ),
    ],
)
def test_a_build_without_the_guard_is_caught(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, caught_by: Callable[[Clients], None], guard: str
) -> None:
    monkeypatch.setattr(guard, lambda *_: None)
    with pytest.raises(AssertionError):
        caught_by(clients)
