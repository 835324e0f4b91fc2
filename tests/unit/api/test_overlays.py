"""Masks over HTTP: who may look and draw, versions that stay, the log, export and import, and the way to workers."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.accounts import Principal
from api.errors import ForbiddenError
from api.overlays import RESEND_AFTER, OverlayPublisher
from api.replays import WriteRequest
from api.review.cases import Role
from api.review.overlays import Drawing, OverlayKind
from api.review.scopes import WHOLE
from pipelines.overlay_package import CameraOverlays
from tests.api_client import Clients, FakeClock, Person
from vision.polygons import Polygon

TRIANGLE = [[0.1, 0.1], [0.5, 0.1], [0.3, 0.6]]
SQUARE = [[0.6, 0.6], [0.9, 0.6], [0.9, 0.9], [0.6, 0.9]]
BOW_TIE = [[0.1, 0.1], [0.5, 0.5], [0.5, 0.1], [0.1, 0.5]]
GATE = "/overlays/gate/privacy_mask"


def draw(
    person: Person,
    polygons: list[list[list[float]]],
    based_on: int,
    *,
    path: str = GATE,
    key: str = "drawing-0001",
    reason: str = "a neighbour's window",
) -> httpx.Response:
    body = {"polygons": polygons, "based_on_version": based_on, "reason": reason}
    return person.send("PUT", path, json=body, headers={"Idempotency-Key": f"{key}-{based_on}-{path[-8:]}"})


@pytest.fixture
def root(clients: Clients) -> Person:
    return clients.login("root")


class Board:
    """Keeps what would go onto the bus."""

    def __init__(self) -> None:
        self.sent: list[CameraOverlays] = []

    def send(self, overlays: CameraOverlays) -> None:
        self.sent.append(overlays)


@pytest.mark.parametrize("username", ["aigul", "saule", "erlan", "root"])
def test_every_role_looks(clients: Clients, root: Person, username: str) -> None:
    assert draw(root, [TRIANGLE], 0).status_code == 201
    person = root if username == "root" else clients.login(username)
    (item,) = person.get("/overlays").json()["items"]
    assert (item["camera_id"], item["kind"], item["version"]) == ("gate", "privacy_mask", 1)
    assert (item["polygons"], item["active"], item["reason"]) == ([TRIANGLE], True, "a neighbour's window")
    assert person.get(f"{GATE}/1").json() == item
    assert person.get(GATE).json()["items"] == [item]


@pytest.mark.parametrize("username", ["aigul", "saule", "erlan"])
def test_only_administrators_draw(clients: Clients, username: str) -> None:
    person = clients.login(username)
    assert draw(person, [TRIANGLE], 0).status_code == 403
    body = {"yaml": "schema: aiqyn.overlays/1\ncameras: {}\n", "reason": "moved"}
    assert person.post("/overlays/import", body).status_code == 403
    assert person.get("/overlays").json()["items"] == []


def test_the_service_itself_lets_only_administrators_draw(clients: Clients) -> None:
    overlays = clients.seeded.services.overlays
    erlan = Principal("acc_erlan", "erlan", Role.AUDITOR, "session", must_change_password=False)
    request = WriteRequest.of(erlan.account_id, "drawing-0001", "PUT", {})
    with pytest.raises(ForbiddenError):
        overlays.draw(erlan, Drawing("gate", OverlayKind.PRIVACY_MASK, (), "why"), 0, request)
    with pytest.raises(ForbiddenError):
        overlays.import_yaml(erlan, "schema: aiqyn.overlays/1\ncameras: {}\n", "why", request)


def test_nobody_without_a_login_looks(clients: Clients) -> None:
    for path in ("", "/export", "/gate/privacy_mask", "/gate/privacy_mask/1"):
        assert clients.http.get(f"/api/v1/overlays{path}").status_code == 401


def test_versions_stay_and_the_last_without_polygons_removes(root: Person) -> None:
    draw(root, [TRIANGLE], 0)
    draw(root, [TRIANGLE, SQUARE], 1)
    assert draw(root, [], 2, reason="the window was bricked up").json()["version"] == 3
    page = root.get(GATE).json()
    assert [(item["version"], len(item["polygons"]), item["active"]) for item in page["items"]] == [
        (3, 0, False),
        (2, 2, True),
        (1, 1, True),
    ]
    assert root.get(f"{GATE}/2").json()["polygons"] == [TRIANGLE, SQUARE]
    assert root.get(f"{GATE}/4").status_code == 404


def test_nobody_draws_over_what_she_did_not_see(root: Person) -> None:
    draw(root, [TRIANGLE], 0)
    response = draw(root, [SQUARE], 0, key="another-0001")
    assert (response.status_code, response.json()["code"]) == (409, "drawn_meanwhile")
    assert draw(root, [SQUARE], 5, key="another-0002").status_code == 409
    assert root.get("/overlays").json()["items"][0]["polygons"] == [TRIANGLE]


def test_the_same_request_draws_once(root: Person) -> None:
    first, again = draw(root, [TRIANGLE], 0), draw(root, [TRIANGLE], 0)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len(root.get(GATE).json()["items"]) == 1
    assert draw(root, [SQUARE], 0).json()["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("polygons", "word"),
    [
        ([BOW_TIE], "meet"),
        ([TRIANGLE[:2]], "at least 3"),
        ([[[0.1, 0.1], [1.5, 0.1], [0.3, 0.6]]], "less than or equal to 1"),
        ([[[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]], "on a line"),
        ([TRIANGLE] * 33, "at most 32"),
    ],
    ids=["crossing", "two corners", "outside", "on a line", "too many"],
)
def test_what_is_no_polygon_is_refused(root: Person, polygons: list[Any], word: str) -> None:
    response = draw(root, polygons, 0)
    assert response.status_code == 422
    assert word in response.text
    assert root.get("/overlays").json()["items"] == []


@pytest.mark.parametrize("path", ["/overlays/gate/line", "/overlays/two%20words/privacy_mask"])
def test_unknown_kinds_and_odd_cameras_are_refused(root: Person, path: str) -> None:
    assert draw(root, [TRIANGLE], 0, path=path).status_code == 422


def test_a_reason_is_needed(root: Person) -> None:
    assert draw(root, [TRIANGLE], 0, reason="").status_code == 422
    assert draw(root, [TRIANGLE], 0, reason="   ", key="blank-00").status_code == 422


def test_every_change_and_export_is_in_the_log(clients: Clients, root: Person) -> None:
    draw(root, [TRIANGLE], 0)
    draw(root, [], 1)
    root.get("/overlays/export")
    entries = clients.login("erlan").get("/ledger?limit=100").json()["items"]
    told = [json.loads(entry["document"]) for entry in entries if entry["kind"].startswith("overlay")]
    assert [one["kind"] for one in told] == ["overlay_drawn", "overlay_removed", "overlays_exported"]
    assert told[0]["object"] == "camera:gate"
    assert (told[0]["detail"]["version"], told[0]["detail"]["polygons"]) == (1, 1)
    assert "window" not in json.dumps(told)


@pytest.mark.parametrize("verb", ["UPDATE overlays SET active = NOT active", "DELETE FROM overlays"])
def test_the_database_keeps_versions_as_they_were(clients: Clients, root: Person, verb: str) -> None:
    draw(root, [TRIANGLE], 0)
    engine = clients.seeded.services.database.engine
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(verb))


def test_pages_follow_each_other(root: Person) -> None:
    for camera in ("a", "b", "c"):
        for kind in ("detection_mask", "privacy_mask"):
            draw(root, [TRIANGLE], 0, path=f"/overlays/{camera}/{kind}", key=f"page-{camera}-{kind}")
    seen, cursor = [], ""
    while True:
        page = root.get(f"/overlays?limit=4{cursor}").json()
        seen += [(item["camera_id"], item["kind"]) for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [(camera, kind) for camera in "abc" for kind in ("detection_mask", "privacy_mask")]
    assert len(root.get("/overlays?camera_id=b").json()["items"]) == 2
    assert root.get("/overlays?cursor=nonsense").status_code == 400


def test_an_export_is_yaml_that_can_be_imported(root: Person) -> None:
    draw(root, [TRIANGLE, SQUARE], 0)
    exported = root.get("/overlays/export")
    assert exported.headers["content-type"].startswith("text/yaml")
    document = yaml.safe_load(exported.text)
    assert document["cameras"]["gate"]["privacy_mask"]["polygons"] == [TRIANGLE, SQUARE]
    draw(root, [], 1)
    done = root.post("/overlays/import", {"yaml": exported.text, "reason": "put back"})
    assert [(one["camera_id"], one["version"]) for one in done.json()["versions"]] == [("gate", 3)]
    newest = root.get(f"{GATE}/3").json()
    assert (newest["polygons"], newest["reason"]) == ([TRIANGLE, SQUARE], "put back")
    again = root.post("/overlays/import", {"yaml": exported.text, "reason": "once more"})
    assert again.json() == {"versions": []}
    assert "gate" not in root.get("/overlays/export?camera_id=yard").text


def changed(document: dict[str, Any], **changes: Any) -> str:
    document["cameras"]["gate"]["privacy_mask"] |= changes
    return yaml.safe_dump(document)


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        (lambda d: changed(d, polygons=[BOW_TIE]), "cameras.gate.privacy_mask: polygon 1"),
        (lambda d: changed(d, polygons=[[1, 2, 3]]), "cameras.gate.privacy_mask: polygon 1"),
        (lambda d: changed(d, colour="red"), "cameras.gate.privacy_mask"),
        (lambda d: yaml.safe_dump(d | {"schema": "aiqyn.overlays/2"}), "schema"),
        (
            lambda d: yaml.safe_dump(d | {"cameras": {"gate": {"line": {"polygons": []}}}}),
            "cameras.gate.line",
        ),
        (lambda _: "schema: [", "the YAML:"),
        (lambda _: "a: &a [1]\nb: *a\n", "aliases"),
    ],
    ids=["crossing", "no pairs", "unknown field", "schema", "kind", "no YAML", "alias"],
)
def test_a_broken_export_draws_nothing_and_says_where(root: Person, broken: Any, place: str) -> None:
    draw(root, [TRIANGLE], 0)
    document = yaml.safe_load(root.get("/overlays/export").text)
    document["cameras"]["yard"] = {"detection_mask": {"polygons": [SQUARE]}}
    response = root.post("/overlays/import", {"yaml": broken(document), "reason": "moved"})
    assert (response.status_code, response.json()["code"]) == (422, "bad_export")
    assert place in response.json()["detail"]
    assert len(root.get("/overlays").json()["items"]) == 1


def test_what_changed_goes_to_the_workers_once_and_again_after_a_while(
    clients: Clients, root: Person, clock: FakeClock
) -> None:
    board = Board()
    publisher = OverlayPublisher(clients.seeded.services.overlays, board, clock)
    assert publisher.run_once() == 0
    draw(root, [TRIANGLE], 0)
    assert (publisher.run_once(), publisher.run_once()) == (1, 0)
    (sent,) = board.sent
    assert sent.privacy_masks == (Polygon(tuple((x, y) for x, y in TRIANGLE)),)
    assert sent.detection_masks is None  # nobody ever drew one: the settings file's hold
    clock.forward(seconds=RESEND_AFTER / timedelta(seconds=1))
    assert publisher.run_once() == 0
    assert len(board.sent) == 2
    draw(root, [], 1)
    publisher.run_once()
    assert board.sent[-1].privacy_masks == ()
    assert board.sent[-1].changed_at > sent.changed_at


def test_a_clock_put_back_makes_no_new_mask_look_old(
    root: Person, clients: Clients, clock: FakeClock
) -> None:
    draw(root, [TRIANGLE], 0)
    clock.forward(seconds=-30)
    draw(root, [SQUARE], 1)
    draw(root, [SQUARE], 0, path="/overlays/gate/detection_mask", key="other-kind")
    overlays = clients.seeded.services.overlays
    first, second = reversed(overlays.history(WHOLE, "gate", OverlayKind.PRIVACY_MASK, None, 9))
    (other,) = overlays.history(WHOLE, "gate", OverlayKind.DETECTION_MASK, None, 9)
    assert first.drawn_at < second.drawn_at < other.drawn_at
