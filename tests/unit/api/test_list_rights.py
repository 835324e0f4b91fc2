"""Rights by list and camera limit lists, entries, requests and deployments as they limit candidates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api.review.scopes import WHOLE, Scope
from tests.api_client import Clients, Person
from tests.lists_bench import (
    approve,
    clients_with_reader,
    deployment_body,
    entry_body,
    file_entry,
    patch,
    picture,
)
from tests.seeds import CAMERA, DEPLOYMENT, Seeded
from tests.unit.api.test_rights import give, group

NEW_LIST = {"name": "Runaways", "purpose": "find who ran away", "legal_basis": "Law on minors, art. 3"}
REASON = {"reason": "the case is closed"}
TERMS = {"findings_seen": 0, "reason": "order 17 of the prosecutor"}


@pytest.fixture
def clients(seeded: Seeded) -> Iterator[Clients]:
    made = clients_with_reader(seeded)
    yield made
    made.close()


@pytest.fixture
def other_list(clients: Clients) -> str:
    return clients.seeded.services.records.ensure_watchlist("Elsewhere", "find who is elsewhere")


def limited(clients: Clients, username: str, **right: str) -> Person:
    """Somebody with this right alone."""
    person = clients.login(username)
    assert give(clients.login("root"), person, dict(right))[0] == 200
    return person


def acts(
    clients: Clients, supervisor: Person, authoriser: Person, requests: dict[str, str]
) -> dict[str, Any]:
    """Everything one does with the seeded list, its entry, its deployment, and two requests about it."""
    watchlist, entry = (
        f"/watchlists/{clients.seeded.watchlist_id}",
        f"/entries/{clients.seeded.subject_ids[0]}",
    )
    deployment = f"/deployments/{DEPLOYMENT}"
    renewal = {"expires_at": entry_body(clients, [])["expires_at"], "reason": "still missing"}
    return {
        "list": supervisor.get(watchlist),
        "change": patch(authoriser, watchlist, {"max_entries": 9, "reason": "r"}),
        "entries": supervisor.get(f"{watchlist}/entries"),
        "new entry": supervisor.post(f"{watchlist}/entries", entry_body(clients, [picture(3)])),
        "entry": supervisor.get(entry),
        "renewal": supervisor.post(f"{entry}/renewal", renewal),
        "removal": supervisor.post(f"{entry}/removal", REASON),
        "deployment": supervisor.get(deployment),
        "new deployment": supervisor.post("/deployments", deployment_body(clients, camera_ids=[CAMERA])),
        "request": supervisor.get(f"/requests/{requests['entry']}"),
        "approval": authoriser.post(f"/requests/{requests['entry']}/approval", TERMS),
        "refusal": authoriser.post(f"/requests/{requests['deployment']}/refusal", REASON),
        "revocation": authoriser.post(f"{deployment}/revocation", REASON),
    }


def asked(clients: Clients) -> dict[str, str]:
    saule = clients.login("saule")
    wish = saule.post("/deployments", deployment_body(clients, camera_ids=[CAMERA]))
    return {"entry": file_entry(clients, saule, [picture(2)]), "deployment": wish.json()["request_id"]}


def test_another_list_is_not_there(clients: Clients, other_list: str) -> None:
    requests = asked(clients)
    saule, nurlan = (limited(clients, name, watchlist_id=other_list) for name in ("saule", "nurlan"))
    codes = {name: done.status_code for name, done in acts(clients, saule, nurlan, requests).items()}
    assert codes == dict.fromkeys(codes, 404)
    assert [one["watchlist_id"] for one in saule.get("/watchlists").json()["items"]] == [other_list]
    assert saule.get("/deployments").json()["items"] == []
    assert saule.get("/requests").json()["items"] == []


def test_ones_own_list_is(clients: Clients, other_list: str) -> None:
    own, requests = clients.seeded.watchlist_id, asked(clients)
    saule, nurlan = (limited(clients, name, watchlist_id=own) for name in ("saule", "nurlan"))
    codes = {name: done.status_code for name, done in acts(clients, saule, nurlan, requests).items()}
    assert set(codes.values()) == {200, 201}, codes
    assert [one["watchlist_id"] for one in saule.get("/watchlists").json()["items"]] == [own]
    assert saule.get(f"/watchlists/{other_list}").status_code == 404
    assert len(saule.get("/requests").json()["items"]) == 5


def test_a_deployment_takes_rights_to_every_camera_of_it(clients: Clients) -> None:
    root = clients.login("root")
    group(root, "entrance", CAMERA)
    group(root, "halls", "hall", "yard")
    on_both = clients.login("saule").post("/deployments", deployment_body(clients)).json()
    nurlan = limited(clients, "nurlan", camera_group_id="entrance")
    assert nurlan.get(f"/deployments/{DEPLOYMENT}").status_code == 200
    assert nurlan.get(f"/requests/{on_both['request_id']}").status_code == 404
    assert nurlan.post(f"/requests/{on_both['request_id']}/approval", TERMS).status_code == 404
    assert approve(clients, clients.login("gulnar"), on_both["request_id"]).status_code == 200
    assert nurlan.get(f"/deployments/{on_both['deployment_id']}").status_code == 404
    assert [one["deployment_id"] for one in nurlan.get("/deployments").json()["items"]] == [DEPLOYMENT]
    saule = limited(clients, "saule", camera_group_id="halls")
    assert saule.get("/deployments").json()["items"] == []
    assert saule.post("/deployments", deployment_body(clients)).status_code == 404
    assert saule.post("/deployments", deployment_body(clients, camera_ids=["yard"])).status_code == 201


def test_a_page_of_requests_goes_on_past_those_beyond_the_rights(clients: Clients) -> None:
    root, saule = clients.login("root"), clients.login("saule")
    for cameras in (["yard"], [CAMERA], [CAMERA], [CAMERA], ["yard"], [CAMERA]):
        wish = deployment_body(clients, camera_ids=cameras)
        assert saule.post("/deployments", wish).status_code == 201
    group(root, "yards", "yard")
    assert give(root, saule, {"camera_group_id": "yards"})[0] == 200
    first = saule.get("/requests?limit=1").json()
    second = saule.get(f"/requests?limit=1&cursor={first['next_cursor']}").json()
    assert [len(page["items"]) for page in (first, second)] == [1, 1]
    assert second["next_cursor"] is None


def test_a_new_list_takes_rights_to_every_list(clients: Clients) -> None:
    nurlan = limited(clients, "nurlan", watchlist_id=clients.seeded.watchlist_id)
    refused = nurlan.post("/watchlists", NEW_LIST)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope")
    assert clients.login("gulnar").post("/watchlists", NEW_LIST).status_code == 201


def test_a_build_that_forgets_rights_is_caught(
    clients: Clients, other_list: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard of these tests."""
    monkeypatch.setattr(Scope, "allows_list", WHOLE.allows_list)
    with pytest.raises(AssertionError):
        test_another_list_is_not_there(clients, other_list)
