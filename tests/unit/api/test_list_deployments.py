"""Deployments over HTTP: asked for, approved, searched while they last, and ended at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from api.galleries import GalleryService
from tests.api_client import Clients, FakeClock
from tests.enrolment_bench import Shelf
from tests.lists_bench import approve, clients_with_reader, deployment_body, kinds_since
from tests.seeds import DEPLOYMENT, Seeded


@pytest.fixture
def clients(seeded: Seeded) -> Iterator[Clients]:
    made = clients_with_reader(seeded)
    yield made
    made.close()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def galleries(clients: Clients, shelf: Shelf, clock: FakeClock) -> GalleryService:
    services = clients.seeded.services
    return GalleryService(services.database, services.records, services.keys, clock, shelf)


def published(galleries: GalleryService, shelf: Shelf, deployment_id: str) -> bool:
    galleries.run_once()
    return any(package.deployment_id == deployment_id for package in shelf.published)


def test_nothing_is_searched_before_somebody_else_approves(
    clients: Clients, galleries: GalleryService, shelf: Shelf, clock: FakeClock
) -> None:
    asked = clients.login("saule").post("/deployments", deployment_body(clients)).json()
    deployment_id, authoriser = asked["deployment_id"], clients.login("nurlan")
    assert asked["state"] == "open"
    assert not published(galleries, shelf, deployment_id)
    assert authoriser.get(f"/deployments/{deployment_id}").status_code == 404
    assert approve(clients, authoriser, asked["request_id"]).status_code == 200
    assert published(galleries, shelf, deployment_id)
    shown = authoriser.get(f"/deployments/{deployment_id}").json()
    assert (shown["state"], shown["camera_ids"]) == ("active", ["gate", "hall"])
    assert (shown["place"], shown["gallery_version"], shown["subjects"]) == (
        "main station, both entrances",
        1,
        2,
    )
    clock.forward(days=15)
    later = clients.login("nurlan")
    assert later.get(f"/deployments/{deployment_id}").json()["state"] == "ended"
    galleries.run_once()
    assert (deployment_id, "w1") in shelf.withdrawn
    assert [kind for kind in kinds_since(clients) if "deployment" in kind][-2:] == [
        "deployment_requested",
        "deployment_added",
    ]


def test_a_revocation_takes_the_gallery_away(
    clients: Clients, galleries: GalleryService, shelf: Shelf
) -> None:
    assert published(galleries, shelf, DEPLOYMENT)
    clients.seeded.take_in()
    supervisor = clients.login("saule")
    done = supervisor.post(f"/deployments/{DEPLOYMENT}/revocation", {"reason": "the case is closed"})
    assert done.status_code == 200
    galleries.run_once()
    assert shelf.withdrawn == [(DEPLOYMENT, "w1")]
    shown = supervisor.get(f"/deployments/{DEPLOYMENT}").json()
    assert (shown["state"], shown["revoked_reason"]) == ("revoked", "the case is closed")
    again = supervisor.post(f"/deployments/{DEPLOYMENT}/revocation", {"reason": "again"})
    assert (again.status_code, again.json()["code"]) == (409, "deployment_over")
    with pytest.raises(Exception, match="deployment"):
        clients.seeded.take_in(2)  # what a worker would see from now on is refused


@pytest.mark.parametrize(
    ("username", "method", "path"),
    [
        ("aigul", "POST", "/deployments"),
        ("nurlan", "POST", "/deployments"),
        ("erlan", "POST", "/deployments"),
        ("root", "POST", "/deployments"),
        ("erlan", "POST", f"/deployments/{DEPLOYMENT}/revocation"),
        ("aigul", "POST", f"/deployments/{DEPLOYMENT}/revocation"),
        ("root", "GET", "/deployments"),
        ("aigul", "GET", f"/deployments/{DEPLOYMENT}"),
    ],
)
def test_who_may_not(clients: Clients, username: str, method: str, path: str) -> None:
    person = clients.login(username)
    body = {"reason": "r"} if "revocation" in path else deployment_body(clients)
    refused = person.get(path) if method == "GET" else person.post(path, body)
    assert (refused.status_code, refused.json()["code"]) == (403, "role")


@pytest.mark.parametrize(
    "changes",
    [
        {"camera_ids": []},
        {"camera_ids": ["a camera"]},
        {"place": " "},
        {"purpose": ""},
        {"starts_at": "2020-01-01T00:00:00Z"},
        {"ends_at": "2020-01-01T00:00:00Z"},
        {"ends_at": "9999-01-01T00:00:00Z"},
        {"starts_at": "0001-01-01T00:00:00+14:00"},
        {"starts_at": "2026-03-01T00:00:00"},
    ],
)
def test_terms_that_break_a_rule(clients: Clients, changes: dict[str, Any]) -> None:
    refused = clients.login("saule").post("/deployments", deployment_body(clients, **changes))
    assert refused.status_code == 422, refused.text


def test_a_list_that_is_not_there(clients: Clients) -> None:
    body = deployment_body(clients, watchlist_id="none")
    assert clients.login("saule").post("/deployments", body).status_code == 404


def test_one_that_would_be_over_cannot_be_approved_any_more(clients: Clients, clock: FakeClock) -> None:
    body = deployment_body(clients, ends_at=(clock() + timedelta(hours=1)).isoformat())
    asked = clients.login("saule").post("/deployments", body).json()
    clock.forward(hours=2)
    late = approve(clients, clients.login("nurlan"), asked["request_id"])
    assert (late.status_code, late.json()["code"]) == (422, "bad_terms")


def test_pages_of_deployments_and_requests(clients: Clients) -> None:
    supervisor = clients.login("saule")
    asked = [supervisor.post("/deployments", deployment_body(clients)).json() for _ in range(3)]
    first = supervisor.get("/requests?limit=2&kind=deployment&state=open").json()
    second = supervisor.get(
        f"/requests?limit=2&kind=deployment&state=open&cursor={first['next_cursor']}"
    ).json()
    ids = [item["request_id"] for item in first["items"] + second["items"]]
    assert sorted(ids) == sorted(one["request_id"] for one in asked)
    assert second["next_cursor"] is None
    assert supervisor.get("/requests?kind=entry").json()["items"] == []
    assert [one["deployment_id"] for one in supervisor.get("/deployments").json()["items"]] == [DEPLOYMENT]
