"""Rights by list and camera group limit everything that concerns a candidate, a review, evidence, a camera."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import select

from api.review.cases import Role
from api.store.models import CandidateRecord
from tests.api_client import Clients, Person
from tests.ledger import entries
from tests.seeds import CAMERA, Seeded, add_account


@pytest.fixture
def root(clients: Clients) -> Person:
    return clients.login("root")


@pytest.fixture
def other_list(clients: Clients) -> str:
    return clients.seeded.services.records.ensure_watchlist("Runaways", "find who ran away")


def put(person: Person, path: str, body: Any) -> tuple[int, Any]:
    response = person.send("PUT", path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
    return response.status_code, response.json()


def give(root: Person, person: Person, *rights: Mapping[str, str | None]) -> tuple[int, Any]:
    account_id = person.get("/me").json()["account_id"]
    return put(root, f"/accounts/{account_id}/rights", {"items": list(rights)})


def group(root: Person, name: str, *cameras: str) -> None:
    assert put(root, f"/camera-groups/{name}", {"camera_ids": list(cameras)})[0] == 200


@pytest.mark.parametrize("cameras", [(CAMERA,), ("elsewhere",), ()])
def test_an_operators_rights_limit_queue_review_pictures_and_judging(
    clients: Clients, root: Person, cameras: tuple[str, ...]
) -> None:
    within = CAMERA in cameras
    clients.seeded.take_in()
    aigul = clients.login("aigul")
    (review,) = aigul.queue()
    group(root, "some", *cameras)
    assert give(root, aigul, {"camera_group_id": "some"})[0] == 200
    review_id, picture = review["review_id"], review["frame"]["evidence_id"]
    assert [item["review_id"] for item in aigul.queue()] == ([review_id] if within else [])
    assert aigul.get(f"/reviews/{review_id}").status_code == (200 if within else 404)
    assert aigul.get(f"/evidence/{picture}").status_code == (200 if within else 404)
    assert aigul.answer(review_id, "different").status_code == (201 if within else 404)
    assert aigul.get(f"/reviews/{review_id}/reveal").status_code == (200 if within else 404)


def test_rights_taken_away_after_an_answer_are_gone_for_the_reveal_too(
    clients: Clients, root: Person
) -> None:
    clients.seeded.take_in()
    aigul = clients.login("aigul")
    review_id = aigul.queue()[0]["review_id"]
    assert aigul.answer(review_id, "different").status_code == 201
    assert give(root, aigul)[0] == 200
    assert aigul.get(f"/reviews/{review_id}/reveal").status_code == 404
    assert aigul.get(f"/reviews/{review_id}").status_code == 404


def assert_rights_limit_the_queue(clients: Clients) -> None:
    """Of six candidates the last two lie within the rights: queue and list are limited before they are paged."""
    root = clients.login("root")
    for track_id in range(1, 7):
        clients.seeded.take_in(track_id)
    with clients.seeded.services.database.write() as session:
        rows = session.scalars(select(CandidateRecord).order_by(CandidateRecord.created_at)).all()
        for row in rows[:4]:
            row.camera_id = "elsewhere"
    aigul, saule = clients.login("aigul"), clients.login("saule")
    group(root, "gate", CAMERA)
    for person in (aigul, saule):
        assert give(root, person, {"camera_group_id": "gate"})[0] == 200
    page = aigul.get("/reviews?limit=2").json()
    assert (len(page["items"]), page["next_cursor"]) == (2, None)
    page = saule.get("/candidates?limit=2").json()
    assert ([item["camera_id"] for item in page["items"]], page["next_cursor"]) == ([CAMERA] * 2, None)


def test_the_queue_is_limited_before_it_is_paged(clients: Clients) -> None:
    assert_rights_limit_the_queue(clients)


@pytest.mark.parametrize("right", ["camera", "list"])
def test_a_supervisors_rights_limit_candidates_holds_and_resolutions(
    clients: Clients, root: Person, other_list: str, right: str
) -> None:
    candidate_id = clients.seeded.take_in()
    saule = clients.login("saule")
    hold = saule.post(f"/candidates/{candidate_id}/holds", {"reason": "court order"}).json()["hold_id"]
    group(root, "elsewhere", "other")
    terms = {"camera_group_id": "elsewhere"} if right == "camera" else {"watchlist_id": other_list}
    assert give(root, saule, dict(terms))[0] == 200
    assert saule.get("/candidates").json()["items"] == []
    answers = [
        saule.get(f"/candidates/{candidate_id}"),
        saule.get(f"/candidates/{candidate_id}/holds"),
        saule.post(f"/candidates/{candidate_id}/holds", {"reason": "r"}),
        saule.post(f"/candidates/{candidate_id}/holds/{hold}/lift", {"reason": "r"}),
        saule.post(f"/candidates/{candidate_id}/resolution", {"action": "reject", "reason": "r"}),
        saule.get(f"/receipts/{candidate_id}"),
        saule.get(f"/candidates/{candidate_id}/retraction"),
        saule.post(f"/candidates/{candidate_id}/retraction", {"reason_code": "judge_error", "reason": "r"}),
        saule.get(f"/candidates/{candidate_id}/outcomes"),
        saule.post(f"/candidates/{candidate_id}/outcomes", {"outcome": "unknown"}),
        saule.post("/complaints", {"candidate_id": candidate_id}),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert saule.get("/ledger").json()["code"] == "scope"
    assert give(root, saule, {"watchlist_id": clients.seeded.watchlist_id})[0] == 200
    assert saule.get(f"/candidates/{candidate_id}").status_code == 200


@pytest.mark.parametrize("about", ["candidate", "place and time"])
@pytest.mark.parametrize("right", ["camera", "list"])
def test_complaints_are_read_and_answered_within_the_rights(
    clients: Clients, root: Person, other_list: str, right: str, about: str
) -> None:
    candidate_id = clients.seeded.take_in()
    saule = clients.login("saule")
    place = {"camera_id": CAMERA, "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    body = {"candidate_id": candidate_id} if about == "candidate" else place
    filed = saule.post("/complaints", body)
    assert filed.status_code == 201, filed.text
    assert len(filed.json()["candidates"]) == (about == "candidate")
    address = f"/complaints/{filed.json()['complaint_id']}"
    group(root, "elsewhere", "other")
    terms = {"camera_group_id": "elsewhere"} if right == "camera" else {"watchlist_id": other_list}
    assert give(root, saule, dict(terms))[0] == 200
    # Where nothing was confirmed there is no list to have rights to: the place decides.
    within = right == "list" and about != "candidate"
    answer = {"outcome": "nothing_found", "answer": "We found nothing.", "retract": []}
    assert len(saule.get("/complaints").json()["items"]) == within
    assert saule.get(address).status_code == (200 if within else 404)
    assert saule.post("/complaints", body).status_code == (201 if within else 404)
    assert saule.post(f"{address}/answer", answer).status_code == (200 if within else 404)


@pytest.fixture
def with_second(seeded: Seeded) -> Iterator[Clients]:
    """Clients of a service with another administrator."""
    seeded.one_time_passwords["second"] = add_account(seeded.services, "second", Role.ADMINISTRATOR)
    made = Clients(seeded)
    yield made
    made.close()


def test_masks_beyond_the_rights_are_not_there(with_second: Clients) -> None:
    root, second = with_second.login("root"), with_second.login("second")
    triangle = {
        "polygons": [[[0.1, 0.1], [0.5, 0.1], [0.3, 0.6]]],
        "reason": "a window",
        "based_on_version": 0,
    }
    address = f"/overlays/{CAMERA}/privacy_mask"
    assert put(root, address, triangle)[0] == 201
    export = second.get("/overlays/export").text
    assert CAMERA in export
    group(root, "elsewhere", "other")
    assert give(root, second, {"camera_group_id": "elsewhere"})[0] == 200
    assert second.get("/overlays").json()["items"] == []
    assert CAMERA not in second.get("/overlays/export").text
    assert second.get(address).json()["items"] == []
    assert second.get(f"{address}/1").status_code == 404
    assert put(second, address, triangle | {"based_on_version": 1})[0] == 404
    assert second.post("/overlays/import", {"yaml": export, "reason": "r"}).status_code == 404
    assert put(second, "/overlays/other/privacy_mask", triangle)[0] == 201
    assert [one["camera_id"] for one in root.get("/overlays").json()["items"]] == [CAMERA, "other"]


def test_cameras_beyond_the_rights_are_not_there(clients: Clients, root: Person) -> None:
    kassym = clients.login("kassym")
    saule = clients.login("saule")
    assert CAMERA in [item["camera_id"] for item in saule.get("/cameras").json()["items"]]
    group(root, "elsewhere", "other")
    for person in (kassym, saule):
        assert give(root, person, {"camera_group_id": "elsewhere"})[0] == 200
        assert person.get("/cameras").json()["items"] == []
        for part in ("gaps", "frames"):
            assert person.get(f"/cameras/{CAMERA}/{part}").status_code == 404
    assert saule.get(f"/cameras/{CAMERA}/preview").status_code == 404


@pytest.mark.parametrize("lists", [1, 2])
def test_an_operator_never_has_rights_to_one_list_alone(
    clients: Clients, root: Person, other_list: str, lists: int
) -> None:
    named = [clients.seeded.watchlist_id, other_list][:lists]
    status, body = give(root, clients.login("aigul"), *({"watchlist_id": one} for one in named))
    assert (status, body.get("code")) == ((422, "scope_tells") if lists == 1 else (200, None))


def test_a_supervisor_with_one_list_does_not_become_an_operator(clients: Clients, root: Person) -> None:
    saule = clients.login("saule")
    account_id = saule.get("/me").json()["account_id"]
    assert give(root, saule, {"watchlist_id": clients.seeded.watchlist_id})[0] == 200
    body = {"role": "operator", "reason": "r"}
    assert root.post(f"/accounts/{account_id}/role", body).status_code == 200
    decided = clients.login("gulnar").post(f"/accounts/{account_id}/approval", {"granted": True})
    assert (decided.status_code, decided.json()["code"]) == (422, "scope_tells")


def test_rights_name_what_there_is_and_never_ones_own(clients: Clients, root: Person) -> None:
    aigul = clients.login("aigul")
    assert give(root, aigul, {"watchlist_id": "none"})[1]["code"] == "unknown_list"
    assert give(root, aigul, {"camera_group_id": "none"})[1]["code"] == "unknown_group"
    assert give(root, root, {})[1]["code"] == "own_account"
    assert put(root, "/accounts/none/rights", {"items": []})[0] == 404
    assert root.get("/accounts/none/rights").status_code == 404


def test_groups_are_kept_listed_and_removed(clients: Clients, root: Person) -> None:
    group(root, "yard", "b", "a", "a")
    (found,) = clients.login("erlan").get("/camera-groups").json()["items"]
    assert (found["camera_group_id"], found["camera_ids"]) == ("yard", ["a", "b"])
    saule = clients.login("saule")
    assert give(root, saule, {"camera_group_id": "yard"})[0] == 200
    account_id = saule.get("/me").json()["account_id"]
    assert root.get(f"/accounts/{account_id}/rights").json()["items"] == [
        {"watchlist_id": None, "camera_group_id": "yard"}
    ]
    assert root.send("DELETE", "/camera-groups/yard").json()["code"] == "group_in_use"
    group(root, "yard", CAMERA)  # rights by it follow at once
    assert CAMERA in [item["camera_id"] for item in saule.get("/cameras").json()["items"]]
    assert give(root, saule, {})[0] == 200
    assert root.send("DELETE", "/camera-groups/yard").status_code == 204
    assert root.send("DELETE", "/camera-groups/yard").status_code == 404
    said = [one["kind"] for one in entries(clients) if one["kind"].startswith(("camera_group", "rights"))]
    assert said == [
        "camera_group_kept",
        "rights_given",
        "camera_group_kept",
        "rights_given",
        "camera_group_removed",
    ]
