"""The word of a proxy counts where it is switched on, from its own address, with its secret; never otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.devices import COOKIE, device_digest
from api.peers import PEER, PeerNoted
from api.proxy_login import ProxyTrust
from api.settings import settings_from
from pipelines.config import load_config
from pipelines.errors import ConfigError
from tests.api_client import API, Clients
from tests.ledger import entries
from tests.seeds import seed

SECRET = "a secret the proxy and the service share"
PROXY, ELSEWHERE = "192.0.2.7", "192.0.2.8"
TRUST = ProxyTrust((ip_network("192.0.2.7/32"),), SECRET)
GOOD = {"X-Forwarded-User": "aigul", "X-Aiqyn-Proxy-Secret": SECRET}

Start = Callable[..., Clients]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[Clients] = []

    def started(trust: ProxyTrust | None, address: str = PROXY) -> Clients:
        made.append(Clients(seed(tmp_path, usernames=("aigul",), proxy=trust), address=(address, 40000)))
        return made[-1]

    yield started
    for clients in made:
        clients.close()


def ask(clients: Clients, headers: dict[str, str]) -> tuple[int, str | None]:
    response = clients.http.post(f"{API}/auth/proxy", headers=headers)
    return response.status_code, response.json().get("code")


def test_by_default_no_proxy_is_believed(start: Start) -> None:
    clients = start(None)
    assert ask(clients, GOOD) == (403, "proxy_login_off")
    assert clients.http.get(f"{API}/auth/ways").json()["proxy"] is False


def test_whom_the_proxy_names_is_in_without_a_password(start: Start) -> None:
    clients = start(TRUST)
    login = clients.http.post(f"{API}/auth/proxy", headers=GOOD).json()
    assert login["must_change_password"] is False
    headers = {"Authorization": f"Bearer {login['access_token']}"}
    assert clients.http.get(f"{API}/me", headers=headers).json()["username"] == "aigul"
    (session,) = clients.http.get(f"{API}/auth/sessions", headers=headers).json()["items"]
    assert session["how"] == "proxy"
    marked = clients.seeded.services.logins.authenticate(login["access_token"]).device_id
    assert marked == device_digest(clients.http.cookies[COOKIE])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Forwarded-User": "aigul"},
        GOOD | {"X-Aiqyn-Proxy-Secret": SECRET[:-1]},
        GOOD | {"X-Aiqyn-Proxy-Secret": ""},
        GOOD | {"X-Forwarded-User": "nobody"},
        GOOD | {"X-Forwarded-User": ""},
        GOOD | {"X-Forwarded-User": "a" * 65},
    ],
)
def test_without_the_secret_or_a_known_name_nobody_is_in(start: Start, headers: dict[str, str]) -> None:
    clients = start(TRUST)
    assert ask(clients, headers) == (401, "not_this_account")
    (refused,) = entries(clients, "login_refused")
    assert refused["detail"]["how"] == "proxy"
    assert "nobody" not in str(refused)


def test_from_another_address_the_secret_does_not_help(start: Start) -> None:
    assert ask(start(TRUST, ELSEWHERE), GOOD) == (401, "not_this_account")


def test_a_forwarded_address_is_not_the_proxys(start: Start) -> None:
    clients = start(TRUST, ELSEWHERE)
    assert ask(clients, GOOD | {"X-Forwarded-For": PROXY}) == (401, "not_this_account")


def test_who_is_at_the_other_end_stays_known_behind_a_proxy() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.update(scope)

    wrapped = PeerNoted(ProxyHeadersMiddleware(app, trusted_hosts=PROXY))
    scope = {"type": "http", "client": (PROXY, 40000), "headers": [(b"x-forwarded-for", ELSEWHERE.encode())]}
    asyncio.run(wrapped(scope, None, None))
    assert (seen["client"][0], seen[PEER][0]) == (ELSEWHERE, PROXY)


def test_refusals_of_one_address_are_written_down_once_a_minute(start: Start) -> None:
    clients = start(TRUST)
    assert {ask(clients, {})[0] for _ in range(20)} == {401}
    assert len(entries(clients, "login_refused")) == 1


def test_the_header_alone_opens_no_other_route(start: Start) -> None:
    assert start(TRUST).http.get(f"{API}/me", headers=GOOD).status_code == 401


def test_an_account_that_is_off_is_not_let_in(start: Start) -> None:
    clients = start(TRUST)
    clients.seeded.services.accounts.add("waiting", clients.seeded.services.accounts.all()[0].role)
    assert ask(clients, GOOD | {"X-Forwarded-User": "waiting"}) == (401, "not_this_account")


def test_settings_name_addresses_and_the_secret_comes_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "aiqyn.yaml"
    path.write_text('api: {proxy_login: {addresses: ["192.0.2.7", "2001:db8::/64"]}}\n', "utf-8")
    monkeypatch.delenv("AIQYN_PROXY_SECRET", raising=False)
    config = load_config(path, environment={})
    with pytest.raises(ConfigError, match="AIQYN_PROXY_SECRET"):
        settings_from(config)
    monkeypatch.setenv("AIQYN_PROXY_SECRET", "too short")
    with pytest.raises(ConfigError, match="20 ASCII"):
        settings_from(config)
    monkeypatch.setenv("AIQYN_PROXY_SECRET", SECRET)
    trust = settings_from(config).proxy
    assert trust
    assert trust.believes("2001:db8::5", {trust.secret_header: SECRET})
    assert not trust.believes("2001:db8:1::5", {trust.secret_header: SECRET})
    assert not trust.believes(None, {trust.secret_header: SECRET})
    assert SECRET not in repr(trust)


@pytest.mark.parametrize("addresses", ['["proxy.example"]', "[]", '["192.0.2.0/33"]'])
def test_addresses_are_addresses(tmp_path: Path, addresses: str) -> None:
    path = tmp_path / "aiqyn.yaml"
    path.write_text(f"api: {{proxy_login: {{addresses: {addresses}}}}}\n", "utf-8")
    with pytest.raises(ConfigError, match="addresses"):
        load_config(path, environment={})
