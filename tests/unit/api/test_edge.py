"""Headers, errors, liveness and the page's files: what every client meets."""

from __future__ import annotations

import base64
import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from api.errors import BadRequestError
from api.pagination import read_sequence_cursor, read_time_cursor, sequence_cursor, time_cursor
from api.store.models import Base
from tests.api_client import API, Clients, FakeClock


def test_answers_are_not_kept_framed_or_sniffed(clients: Clients) -> None:
    clients.seeded.take_in()
    person = clients.login("aigul")
    for response in (person.get("/reviews"), clients.http.get("/health"), person.get("/nothing")):
        headers = response.headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]


def test_the_page_runs_its_own_files_and_nothing_inline(clients: Clients) -> None:
    response = clients.http.get("/")
    policy = response.headers["content-security-policy"]
    assert response.status_code == 200
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{API}/nothing", 404),
        ("DELETE", f"{API}/reviews", 405),
        ("GET", f"{API}/reviews", 401),
        ("POST", f"{API}/auth/login", 422),
    ],
)
def test_every_error_is_problem_json(clients: Clients, method: str, path: str, status: int) -> None:
    response = clients.http.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert {"type", "title", "status", "code", "detail"} <= set(body)
    assert body["status"] == status


def test_errors_do_not_repeat_what_was_sent(clients: Clients) -> None:
    body = {"username": "aigul", "password": ["hunter2"], "extra": "hunter3"}
    response = clients.http.post(f"{API}/auth/login", json=body)
    assert response.status_code == 422
    assert "hunter" not in response.text


def test_a_large_request_is_refused(clients: Clients) -> None:
    body = {"username": "aigul", "password": "x" * 100_000}
    assert clients.http.post(f"{API}/auth/login", json=body).status_code in {413, 422}


def test_inner_errors_tell_nothing(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    person = clients.login("aigul")

    def fail(*_: object) -> None:
        raise RuntimeError("/secret/path and a name")

    monkeypatch.setattr(clients.seeded.services.desk.__class__, "queue", fail)
    response = person.get("/reviews")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "secret" not in response.text


def test_missing_evidence_is_an_error_and_not_a_picture(clients: Clients) -> None:
    clients.seeded.take_in()
    person = clients.login("aigul")
    evidence_id = person.queue()[0]["frame"]["evidence_id"]
    for path in (clients.seeded.services.keys.folder.parent / "data" / "evidence").rglob("*.sealed"):
        path.write_bytes(b"changed")
    response = person.get(f"/evidence/{evidence_id}")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")


def test_health_and_ready_mean_it(clients: Clients) -> None:
    assert clients.http.get("/health").json() == {
        "status": "ok",
        "parts": {"process": "ok"},
        "notices": [],
    }
    ready = clients.http.get("/ready")
    assert (ready.status_code, ready.json()["parts"]) == (
        503,
        {"database": "ok", "keys": "ok", "disk": "ok", "bus": "not configured"},
    )
    (clients.seeded.services.keys.folder / "api" / "receipts.pem").unlink()
    with clients.seeded.services.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    parts = clients.http.get("/ready").json()["parts"]
    assert (parts["database"], parts["keys"]) == ("old schema", "unusable")


def test_published_keys_are_public(clients: Clients) -> None:
    (key,) = clients.http.get("/.well-known/jwks.json").json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg", "nbf", "exp"}


def test_rows_do_not_show_what_they_hold() -> None:
    for mapper in Base.registry.mappers:
        assert repr(mapper.class_()) == f"{mapper.class_.__name__}()"


def test_text_the_database_does_not_take_is_the_senders_mistake(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise DataError("SELECT", None, ValueError("text fields cannot contain NUL bytes"))

    monkeypatch.setattr(clients.seeded.services.logins, "login", refused)
    response = clients.http.post(f"{API}/auth/login", json={"username": "a\0b", "password": "x" * 12})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert "NUL" not in response.text


def test_cursors_come_back_as_they_were(clock: FakeClock) -> None:
    assert read_time_cursor(time_cursor(clock(), "rev_x")) == (clock(), "rev_x")
    assert read_sequence_cursor(sequence_cursor(7)) == 7
    assert (read_time_cursor(None), read_sequence_cursor(None)) == (None, 0)


@pytest.mark.parametrize("value", [[True], [False], [-1], [2**63], ["1"], [1.5]])
def test_a_cursor_that_is_no_place_in_the_ledger_is_refused(value: list[object]) -> None:
    with pytest.raises(BadRequestError):
        read_sequence_cursor(packed(value))


@pytest.mark.parametrize("row_id", ["\ud800", "\x00", "line\nbreak", "ә"])
def test_a_cursor_whose_id_no_database_takes_is_refused(row_id: str) -> None:
    with pytest.raises(BadRequestError):
        read_time_cursor(packed(["2026-01-01T00:00:00+00:00", row_id]))


def packed(value: list[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
