"""The service as its clients see it: requests in this process, a clock and a chance that tests move."""

from __future__ import annotations

import threading
import uuid
import warnings
from datetime import datetime, timedelta
from typing import Any

import httpx

from aiqyn.demo.authenticator import SoftwareAuthenticator, signed_answer
from api.app import create_app
from api.devices import COOKIE
from pipelines.events import utc_now
from tests.seeds import Seeded

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it recommends another client library than the one we ship with
    from starlette.testclient import TestClient

API = "/api/v1"
PASSWORD = "correct horse battery"


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or utc_now()

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **units: float) -> None:
        """Moves the clock, e.g. `forward(seconds=10)`."""
        self.now += timedelta(**units)


class FakeChance:
    """Draws the number it is set to."""

    def __init__(self, value: float = 0.999) -> None:
        self.value = value

    def __call__(self) -> float:
        return self.value


class Person:
    """One login of one account, in one browser, with her passkey at hand."""

    def __init__(
        self,
        http: TestClient,
        username: str,
        login: dict[str, Any],
        device: str,
        authenticator: SoftwareAuthenticator,
    ) -> None:
        self._http = http
        self.username = username
        self.device = device
        self.authenticator = authenticator
        self.token = str(login["access_token"])
        self.refresh_token = str(login["refresh_token"])

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request under `/api/v1` with this login's token and this browser's mark; refreshed once where over."""
        response = self._send(method, path, options)
        if response.status_code == 401 and self.refresh():
            response = self._send(method, path, options)
        return response

    def refresh(self) -> bool:
        """Whether the service gave the next pair of tokens."""
        response = self._http.post(f"{API}/auth/refresh", json={"refresh_token": self.refresh_token})
        if response.status_code != 200:
            return False
        self.token, self.refresh_token = (response.json()[f"{kind}_token"] for kind in ("access", "refresh"))
        return True

    def _send(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        own = {"Authorization": f"Bearer {self.token}", "Cookie": f"{COOKIE}={self.device}"}
        headers = own | options.get("headers", {})
        response: httpx.Response = self._http.request(
            method, f"{API}{path}", **(options | {"headers": headers})
        )
        return response

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.send("GET", path, **options)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """POST with a fresh Idempotency-Key unless one is given."""
        return self.send("POST", path, json=body, headers={"Idempotency-Key": key or str(uuid.uuid4())})

    def queue(self) -> list[dict[str, Any]]:
        """The reviews she may answer now."""
        response = self.get("/reviews")
        assert response.status_code == 200, response.text
        return list(response.json()["items"])

    def answer(
        self, review_id: str, answer: str, *, key: str | None = None, reason: str | None = None
    ) -> httpx.Response:
        """Her answer to a review, signed with her passkey; or the refusal to even let her sign it."""
        return self.give(
            review_id, {"answer": answer} | ({} if reason is None else {"reason": reason}), key=key
        )

    def give(self, review_id: str, given: dict[str, Any], *, key: str | None = None) -> httpx.Response:
        """As `answer`, with whatever is said besides."""
        asked = self.ask(review_id, given)
        if asked.status_code != 200:
            return asked
        return self.post(f"/reviews/{review_id}/judgements", self.signed(given, asked.json()), key=key)

    def prepared(self, review_id: str, answer: str) -> dict[str, Any]:
        """An answer, signed and not sent."""
        asked = self.ask(review_id, {"answer": answer})
        assert asked.status_code == 200, asked.text
        return self.signed({"answer": answer}, asked.json())

    def ask(self, review_id: str, given: dict[str, Any]) -> httpx.Response:
        """What she has to sign for an answer."""
        return self.post(f"/reviews/{review_id}/judgements/options", given)

    def signed(self, given: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        """The answer with her assertion."""
        return signed_answer(given, asked, self.authenticator)


class Clients:
    """A running application and the people who use it."""

    def __init__(self, seeded: Seeded, *, address: tuple[str, int] = ("testclient", 50000)) -> None:
        """
        Args:
            seeded: the service.
            address: where its clients ask from.
        """
        self.seeded = seeded
        app = create_app(seeded.services)
        self.http = TestClient(app, raise_server_exceptions=False, client=address)
        self.authenticators: dict[str, SoftwareAuthenticator] = {}
        self._devices: dict[str, str] = {}
        self._passwords = dict(seeded.one_time_passwords)
        self._one_at_a_time = threading.Lock()

    def close(self) -> None:
        """Lets go of client and service."""
        self.http.close()
        self.seeded.services.close()

    def login(self, username: str, *, device: str | None = None) -> Person:
        """A further login of an account; the first one registers a passkey and replaces the one-time password.

        Args:
            username: whose.
            device: the mark of the browser; by default everybody has one of her own and keeps to it.
        """
        with self._one_at_a_time:
            login, mark = self._log_in(username, device or self._devices.get(username))
            if device is None:
                self._devices[username] = mark
            authenticator = self.authenticators.setdefault(
                username, SoftwareAuthenticator(self.seeded.services.settings.party.origin)
            )
            person = Person(self.http, username, login, mark, authenticator)
            if self._passwords[username] != PASSWORD:
                self._begin(person)
        return person

    def _begin(self, person: Person) -> None:
        register(person)
        response = person.post("/auth/password", {"password": PASSWORD})
        assert response.status_code == 204, response.text
        self._passwords[person.username] = PASSWORD

    def _log_in(self, username: str, device: str | None) -> tuple[dict[str, Any], str]:
        body = {"username": username, "password": self._passwords[username]}
        self.http.cookies.clear()  # one client stands for many browsers
        headers = {} if device is None else {"Cookie": f"{COOKIE}={device}"}
        response = self.http.post(f"{API}/auth/login", json=body, headers=headers)
        assert response.status_code == 200, response.text
        mark = response.cookies[COOKIE]
        self.http.cookies.clear()
        return dict(response.json()), mark


def register(person: Person, label: str = "key ring") -> httpx.Response:
    """Registers a passkey of her authenticator; vouched for by one she has, where she has one."""
    asked = person.post("/passkeys/options")
    if asked.status_code != 200:
        return asked
    options = asked.json()
    vouching = options["vouching"] and person.authenticator.get(options["vouching"])
    made = person.authenticator.create(options["creation"])
    return person.post("/passkeys", {"label": label, "credential": made, "vouching": vouching})
