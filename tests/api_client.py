"""The service as its clients see it: requests in this process, a clock and a chance that tests move."""

from __future__ import annotations

import uuid
import warnings
from datetime import datetime, timedelta
from typing import Any

import httpx

from api.app import create_app
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
    """One login of one account."""

    def __init__(self, http: TestClient, username: str, login: dict[str, Any]) -> None:
        self._http = http
        self.username = username
        self.token = str(login["access_token"])
        self.refresh_token = str(login["refresh_token"])

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request under `/api/v1` with this login's token; one that is over is refreshed, once."""
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
        headers = {"Authorization": f"Bearer {self.token}"} | options.get("headers", {})
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

    def answer(self, review_id: str, answer: str, *, key: str | None = None) -> httpx.Response:
        """Her answer to a review."""
        return self.post(f"/reviews/{review_id}/judgements", {"answer": answer}, key=key)


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
        self._passwords = dict(seeded.one_time_passwords)

    def close(self) -> None:
        """Lets go of client and service."""
        self.http.close()
        self.seeded.services.close()

    def login(self, username: str) -> Person:
        """A further login of an account; the first one replaces the one-time password."""
        login = self._log_in(username)
        if self._passwords[username] != PASSWORD:
            response = self.http.post(
                f"{API}/auth/password",
                json={"password": PASSWORD},
                headers={"Authorization": f"Bearer {login['access_token']}"},
            )
            assert response.status_code == 204, response.text
            self._passwords[username] = PASSWORD
        return Person(self.http, username, login)

    def _log_in(self, username: str) -> dict[str, Any]:
        body = {"username": username, "password": self._passwords[username]}
        response = self.http.post(f"{API}/auth/login", json=body)
        assert response.status_code == 200, response.text
        return dict(response.json())
