"""Logins through a real identity provider over real HTTP: it says who somebody is, and nothing else is taken from it."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from api.devices import COOKIE, device_digest
from api.oidc_provider import IdTokenError, OidcSettings, Provider, ProviderAwayError
from api.settings import settings_from
from pipelines.config import load_config
from pipelines.errors import ConfigError
from pipelines.events import utc_now
from tests.api_client import API, Clients, FakeClock
from tests.ledger import entries
from tests.oidc_site import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, Returned, Site, running_provider, sign_in
from tests.seeds import seed

SUBJECT = "00u-aigul"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


def settings(site: Site) -> OidcSettings:
    return OidcSettings(site.issuer, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, "City hall")


@pytest.fixture
def clients(tmp_path: Path, site: Site, clock: FakeClock) -> Iterator[Clients]:
    site.forget()
    made = Clients(seed(tmp_path, clock=clock, usernames=("aigul", "root", "gulnar"), oidc=settings(site)))
    root = made.login("root")
    items = root.get("/accounts?limit=100").json()["items"]
    account_id = next(item["account_id"] for item in items if item["username"] == "aigul")
    body = {"subject": SUBJECT}
    put = root.send(
        "PUT", f"/accounts/{account_id}/oidc-subject", json=body, headers={"Idempotency-Key": "key-0001"}
    )
    assert put.status_code == 200, put.text
    yield made
    made.close()


def begin(clients: Clients) -> dict[str, str]:
    response = clients.http.post(f"{API}/auth/oidc")
    assert response.status_code == 200, response.text
    return dict(response.json())


def finish(clients: Clients, back: Returned, binding: str) -> tuple[int, dict[str, Any]]:
    body = {"code": back.code, "state": back.state, "binding": binding}
    response = clients.http.post(f"{API}/auth/oidc/finish", json=body)
    return response.status_code, response.json()


def test_whom_the_provider_names_is_in_with_her_own_role(clients: Clients, site: Site) -> None:
    assert clients.http.get(f"{API}/auth/ways").json()["oidc"] == "City hall"
    begun = begin(clients)
    status, login = finish(clients, sign_in(begun["authorization_url"], SUBJECT), begun["binding"])
    assert (status, login["must_change_password"]) == (200, False)
    headers = {"Authorization": f"Bearer {login['access_token']}"}
    me = clients.http.get(f"{API}/me", headers=headers).json()
    assert (me["username"], me["role"]) == ("aigul", "operator")
    assert entries(clients, "logged_in")[-1]["detail"] == {"how": "oidc"}
    marked = clients.seeded.services.logins.authenticate(login["access_token"]).device_id
    assert marked == device_digest(clients.http.cookies[COOKIE])


def test_state_nonce_and_pkce_are_sent_and_the_verifier_fits(clients: Clients, site: Site) -> None:
    begun = begin(clients)
    asked = {name: value[0] for name, value in parse_qs(urlsplit(begun["authorization_url"]).query).items()}
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 40
    assert len(asked["nonce"]) >= 30
    finish(clients, sign_in(begun["authorization_url"], SUBJECT), begun["binding"])
    (asked_for,) = [one for one in site.asked() if one.request == "POST /oauth2/token"]
    digest = hashlib.sha256(asked_for.form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
    assert asked_for.authorization.startswith("Basic ")


def test_nothing_is_asked_of_the_provider_but_what_a_login_needs(clients: Clients, site: Site) -> None:
    begun = begin(clients)
    finish(clients, sign_in(begun["authorization_url"], SUBJECT), begun["binding"])
    assert {one.request for one in site.asked() if "authorize" not in one.request} == {
        "GET /.well-known/openid-configuration",
        "POST /oauth2/token",
        "GET /jwks",
    }


def test_a_subject_without_an_account_makes_none(clients: Clients) -> None:
    before = clients.seeded.services.accounts.all()
    begun = begin(clients)
    status, problem = finish(clients, sign_in(begun["authorization_url"], "somebody"), begun["binding"])
    assert (status, problem["code"]) == (401, "not_this_account")
    assert clients.seeded.services.accounts.all() == before
    assert entries(clients, "login_refused")[-1]["detail"] == {"how": "oidc", "why": "unknown_subject"}


def test_an_account_that_is_off_is_not_let_in(clients: Clients) -> None:
    root = clients.login("root")
    items = root.get("/accounts?limit=100").json()["items"]
    account_id = next(item["account_id"] for item in items if item["username"] == "aigul")
    assert root.post(f"/accounts/{account_id}/deactivation").status_code == 200
    begun = begin(clients)
    assert finish(clients, sign_in(begun["authorization_url"], SUBJECT), begun["binding"])[0] == 401


@pytest.mark.parametrize("wrong", ["binding", "state", "twice", "late", "code", "another's code"])
def test_what_was_not_begun_here_or_is_not_fresh_is_refused(
    clients: Clients, clock: FakeClock, wrong: str
) -> None:
    begun, other = begin(clients), begin(clients)
    back, binding = sign_in(begun["authorization_url"], SUBJECT), begun["binding"]
    if wrong == "binding":
        binding = other["binding"]
    elif wrong == "state":
        back = replace(back, state="x" * 43)
    elif wrong == "twice":
        assert finish(clients, back, binding)[0] == 200
    elif wrong == "late":
        clock.forward(minutes=11)
    elif wrong == "code":
        back = replace(back, code="made up")
    else:  # a code given for another login carries that login's nonce
        back = replace(back, code=sign_in(other["authorization_url"], SUBJECT).code)
    assert finish(clients, back, binding)[0] == 401
    assert entries(clients, "login_refused")[-1]["detail"]["how"] == "oidc"


KEY, STRANGER = RSAKey.generate_key(2048, {"kid": "one"}), RSAKey.generate_key(2048, {"kid": "one"})


def claims(**changes: Any) -> dict[str, Any]:
    """Good ones but for the changes; moments are given in seconds from now."""
    now = int(time.time())
    moments = {name: now + changes[name] for name in ("exp", "iat") if changes.get(name) is not None}
    good = {
        "iss": "https://id.example",
        "sub": SUBJECT,
        "aud": CLIENT_ID,
        "exp": now + 300,
        "iat": now,
        "nonce": "the nonce",
    }
    return {name: value for name, value in (good | changes | moments).items() if value is not None}


def verified(token: str) -> str:
    provider = Provider(OidcSettings("https://id.example", CLIENT_ID, None, REDIRECT_URI, "id"))
    keys = KeySet([KEY]).as_dict(private=False)
    return provider._verified(token, dict(keys), "the nonce", utc_now())


def test_a_good_id_token_names_its_subject() -> None:
    assert verified(jwt.encode({"alg": "RS256", "kid": "one"}, claims(), KEY)) == SUBJECT
    several = claims(aud=[CLIENT_ID, "other"], azp=CLIENT_ID)
    assert verified(jwt.encode({"alg": "RS256", "kid": "one"}, several, KEY)) == SUBJECT


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"aud": "other"},
        {"aud": [CLIENT_ID, "other"]},
        {"aud": [CLIENT_ID, "other"], "azp": "other"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": -120},
        {"exp": None},
        {"iat": 600},
        {"sub": None},
        {"sub": ""},
        {"sub": 17},
        {"sub": "x" * 256},
    ],
    ids=str,
)
def test_an_id_token_of_another_kind_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(IdTokenError):
        verified(jwt.encode({"alg": "RS256", "kid": "one"}, claims(**changes), KEY))


def test_an_id_token_by_another_key_or_none_is_refused() -> None:
    unsigned = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (b'{"alg":"none"}', b"{}")]
    secret = OctKey.import_key(CLIENT_SECRET)
    tokens = [
        jwt.encode({"alg": "RS256", "kid": "one"}, claims(), STRANGER),
        jwt.encode({"alg": "HS256"}, claims(), secret),
        ".".join([*unsigned, ""]),
        "nonsense",
    ]
    for token in tokens:
        with pytest.raises(IdTokenError):
            verified(token)


def test_a_provider_that_is_away_or_another_says_so(site: Site) -> None:
    away = Provider(replace(settings(site), issuer="http://127.0.0.1:9"))
    with pytest.raises(ProviderAwayError) as error:
        away.discover()
    assert error.value.code == "provider_away"
    another = Provider(replace(settings(site), issuer=site.issuer.replace("localhost", "127.0.0.1") + "/"))
    with pytest.raises(ProviderAwayError) as error:
        another.discover()
    assert error.value.code == "provider_wrong"


def test_addresses_beyond_the_issuers_own_are_never_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider(settings(site))
    real: Callable[..., dict[str, Any]] = provider._ask

    def elsewhere(method: str, address: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        return real(method, address, form) | {"token_endpoint": "http://192.0.2.1/token"}

    monkeypatch.setattr(provider, "_ask", elsewhere)
    with pytest.raises(ProviderAwayError) as error:
        provider.discover()
    assert error.value.code == "provider_wrong"


def test_without_a_provider_there_is_no_such_login(tmp_path: Path) -> None:
    clients = Clients(seed(tmp_path, usernames=()))
    try:
        for path, body in (
            ("oidc", None),
            ("oidc/finish", {"code": "c", "state": "s" * 43, "binding": "b" * 43}),
        ):
            response = clients.http.post(f"{API}/auth/{path}", json=body)
            assert (response.status_code, response.json()["code"]) == (403, "oidc_off")
    finally:
        clients.close()


@pytest.mark.parametrize(
    "issuer", ["http://id.example", "https://u:p@id.example", "https://id.example?a=b", "id"]
)
def test_settings_take_secure_addresses_alone(tmp_path: Path, issuer: str) -> None:
    path = tmp_path / "aiqyn.yaml"
    path.write_text(
        f'api: {{oidc: {{issuer: "{issuer}", client_id: aiqyn, redirect_uri: "https://aiqyn.example/"}}}}\n',
        "utf-8",
    )
    with pytest.raises(ConfigError, match="issuer"):
        load_config(path, environment={})


def test_settings_reach_the_service_and_the_secret_comes_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "aiqyn.yaml"
    text = 'api: {oidc: {issuer: "https://id.example", client_id: aiqyn, redirect_uri: "https://aiqyn.example/"}}\n'
    path.write_text(text, "utf-8")
    monkeypatch.setenv("AIQYN_OIDC_CLIENT_SECRET", CLIENT_SECRET)
    made = settings_from(load_config(path, environment={})).oidc
    assert made
    assert (made.issuer, made.client_secret) == ("https://id.example", CLIENT_SECRET)
    assert CLIENT_SECRET not in repr(made)
