"""Cameras over HTTP: who may give them, versions that stay, no password anywhere, the log, and the way to workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api.accounts import Principal
from api.errors import ForbiddenError, UnprocessableError
from api.given_cameras import RESEND_AFTER, CameraPublisher, read_export
from api.replays import WriteRequest
from api.review.cameras import CameraOrder
from api.review.cases import Role
from pipelines.given_cameras import MAX_CAMERAS, GivenCamera, GivenCameras
from tests.api_client import Clients, FakeClock, Person
from tests.seeds import WORKER

ADDRESS = "rtsp://viewer:{hall_password}@10.1.2.3:554/stream1"
HALL = "hall"


def add(
    person: Person, camera_id: str = HALL, *, worker: str = WORKER, key: str | None = None, **settings: Any
) -> httpx.Response:
    body = {
        "camera_id": camera_id,
        "worker_id": worker,
        "settings": {"source": ADDRESS} | settings,
        "reason": "the new entrance",
    }
    return person.post("/cameras", body, key=key)


def change(person: Person, based_on: int, camera_id: str = HALL, **settings: Any) -> httpx.Response:
    body = {
        "worker_id": WORKER,
        "settings": {"source": ADDRESS} | settings,
        "based_on_version": based_on,
        "reason": "moved",
    }
    return person.send(
        "PUT",
        f"/cameras/{camera_id}",
        json=body,
        headers={"Idempotency-Key": f"change-{camera_id}-{based_on}"},
    )


def remove(person: Person, based_on: int, camera_id: str = HALL) -> httpx.Response:
    return person.send(
        "DELETE",
        f"/cameras/{camera_id}",
        params={"based_on_version": based_on, "reason": "bricked up"},
        headers={"Idempotency-Key": f"remove-{camera_id}-{based_on}"},
    )


@pytest.fixture
def root(clients: Clients) -> Person:
    return clients.login("root")


class Board:
    """Keeps what would go onto the bus."""

    def __init__(self) -> None:
        self.sent: list[GivenCameras] = []

    def send(self, given: GivenCameras) -> None:
        self.sent.append(given)


def test_a_camera_is_given_changed_and_removed_and_every_version_stays(root: Person) -> None:
    made = add(root)
    assert made.status_code == 201, made.text
    assert (made.json()["camera_id"], made.json()["version"], made.json()["worker_id"]) == (HALL, 1, WORKER)
    assert change(root, 1, inference_fps=2).status_code == 200
    assert remove(root, 2).json()["version"] == 3
    page = root.get(f"/cameras/{HALL}/settings").json()
    assert [(item["version"], item["active"], item["reason"]) for item in page["items"]] == [
        (3, False, "bricked up"),
        (2, True, "moved"),
        (1, True, "the new entrance"),
    ]
    assert page["items"][1]["settings"]["inference_fps"] == 2
    assert page["items"][2]["settings"]["source"] == ADDRESS
    assert add(root, key="once-more-0001").json()["version"] == 4


def test_who_and_why_is_in_the_log_and_no_address(clients: Clients, root: Person) -> None:
    add(root)
    change(root, 1, priority=2)
    remove(root, 2)
    with clients.seeded.services.database.read() as session:
        rows = [
            dict(row._mapping)
            for row in session.execute(text("SELECT kind, document FROM ledger ORDER BY sequence"))
        ]
    told = [row for row in rows if row["kind"].startswith("camera_")]
    assert [row["kind"] for row in told] == ["camera_given", "camera_changed", "camera_removed"]
    for row in told:
        assert "10.1.2.3" not in str(row["document"])
        assert f"camera:{HALL}" in str(row["document"])
        assert WORKER in str(row["document"])


@pytest.mark.parametrize("username", ["aigul", "saule", "erlan"])
def test_only_administrators_give(clients: Clients, root: Person, username: str) -> None:
    add(root)
    person = clients.login(username)
    for response in (add(person, "yard"), change(person, 1), remove(person, 1)):
        assert (response.status_code, response.json()["code"]) == (403, "role")
    versions = root.get("/cameras/settings").json()["items"]
    assert [(item["camera_id"], item["version"]) for item in versions] == [(HALL, 1)]


def test_the_service_itself_lets_only_administrators_give(clients: Clients) -> None:
    erlan = Principal("acc_erlan", "erlan", Role.AUDITOR, "session", must_change_password=False)
    request = WriteRequest.of(erlan.account_id, "camera-0001", "POST", {})
    order = CameraOrder(HALL, WORKER, GivenCamera(source=ADDRESS), "why")
    with pytest.raises(ForbiddenError):
        clients.seeded.services.given_cameras.give(erlan, order, None, request)


def test_operators_do_not_read_how_cameras_are_reached(clients: Clients, root: Person) -> None:
    add(root)
    aigul = clients.login("aigul")
    for path in ("/cameras/settings", f"/cameras/{HALL}/settings"):
        assert aigul.get(path).status_code == 403
        assert clients.login("erlan").get(path).status_code == 200
        assert clients.http.get(f"/api/v1{path}").status_code == 401
    (camera,) = [item for item in aigul.get("/cameras").json()["items"] if item["camera_id"] == HALL]
    assert (camera["phase"], camera["silent"]) == ("unknown", True)
    assert "10.1.2.3" not in aigul.get("/cameras").text


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("rtsp://viewer:s3cret@10.1.2.3/a", "password stands in the address"),
        ("rtsp://viewer:x{hall}@10.1.2.3/a", "password stands in the address"),
        ("rtsp://10.1.2.3/a?token=s3cret", "secret stands in the address"),
        ("rtsp://10.1.2.3/user=admin&password=s3cret&channel=1", "secret stands in the address"),
        ("file:///etc/passwd", "must be rtsp"),
        ("/recordings/a.mkv", "must be rtsp"),
        ("rtsp://{hall}/a", "must be rtsp"),
        ("rtsp://10.1.2.3:{hall}/a", "must be rtsp"),
        ("rtsp://good\\@evil/a", "must be rtsp"),
        ("rtsp://{hall@10.1.2.3/a", "braces"),
        ("rtsp://10.1.2.3/ a", "must be rtsp"),
    ],
)
def test_an_address_with_a_secret_or_of_another_kind_is_refused_and_not_repeated(
    root: Person, source: str, word: str
) -> None:
    response = add(root, source=source)
    assert response.status_code == 422
    assert word in response.text
    assert "s3cret" not in response.text
    assert root.get("/cameras/settings").json()["items"] == []


@pytest.mark.parametrize(
    "settings", [{"allow_local": True}, {"privacy_masks": []}, {"inference_fps": 0}, {"max_pixels": 10**9}]
)
def test_what_is_not_the_services_to_say_is_refused(root: Person, settings: dict[str, Any]) -> None:
    assert add(root, **settings).status_code == 422


@pytest.mark.parametrize(
    ("camera_id", "worker", "word"),
    [
        ("hall", "nobody", "no worker"),
        (f"{WORKER}:hall", WORKER, ""),
        ("wanted:hall", WORKER, "wanted:"),
    ],
)
def test_worker_and_id_fit_each_other(root: Person, camera_id: str, worker: str, word: str) -> None:
    response = add(root, camera_id, worker=worker)
    assert response.status_code == (422 if word else 201)
    assert word in response.text


def test_nobody_changes_what_she_did_not_see(root: Person) -> None:
    assert change(root, 1).status_code == 404
    add(root)
    assert add(root, key="again-00001").json()["code"] == "camera_exists"
    assert change(root, 1).status_code == 200
    assert change(root, 5).json()["code"] == "changed_meanwhile"
    assert remove(root, 1).json()["code"] == "changed_meanwhile"


def test_the_same_request_gives_once(root: Person) -> None:
    first, again = add(root, key="give-0001"), add(root, key="give-0001")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert add(root, "yard", key="give-0001").json()["code"] == "idempotency_key_reused"
    assert root.post("/cameras", {}, key="short").status_code == 422


def test_pages_have_all_of_them(root: Person) -> None:
    for number in range(5):
        add(root, f"c{number}")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = root.get(
            "/cameras/settings", params={"limit": 2} | ({"cursor": cursor} if cursor else {})
        ).json()
        seen += [item["camera_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"c{number}" for number in range(5)]


@pytest.mark.parametrize(
    "statement", ["UPDATE camera_settings SET active = 0", "DELETE FROM camera_settings"]
)
def test_the_database_refuses_to_change_a_version(clients: Clients, root: Person, statement: str) -> None:
    add(root)
    with (
        pytest.raises(IntegrityError, match="append-only"),
        clients.seeded.services.database.write() as session,
    ):
        session.execute(text(statement))


class TestOnTheirWay:
    @pytest.fixture
    def board(self) -> Board:
        return Board()

    @pytest.fixture
    def publisher(self, clients: Clients, board: Board, clock: FakeClock) -> CameraPublisher:
        services = clients.seeded.services
        return CameraPublisher(services.given_cameras, services.database, board, clock)

    def test_workers_are_told_of_changes_once_and_of_everything_from_time_to_time(
        self, root: Person, publisher: CameraPublisher, board: Board, clock: FakeClock
    ) -> None:
        assert publisher.run_once() == 0
        add(root)
        assert publisher.run_once() == 1
        assert publisher.run_once() == 0
        remove(root, 1)
        assert publisher.run_once() == 1
        assert [list(one.cameras) for one in board.sent] == [[HALL], []]
        assert board.sent[0].changed_at < board.sent[1].changed_at
        clock.forward(seconds=RESEND_AFTER.total_seconds())
        publisher.run_once()
        assert len(board.sent) == 3
        assert board.sent[1] == board.sent[2]

    def test_times_grow_though_the_clock_is_put_back(
        self, root: Person, publisher: CameraPublisher, board: Board, clock: FakeClock
    ) -> None:
        add(root)
        publisher.run_once()
        clock.now -= timedelta(minutes=5)
        change(root, 1, priority=5)
        publisher.run_once()
        assert board.sent[0].changed_at < board.sent[1].changed_at

    def test_a_camera_that_moves_leaves_the_one_and_reaches_the_other(
        self, clients: Clients, root: Person, publisher: CameraPublisher, board: Board
    ) -> None:
        clients.seeded.services.keys.create_worker("w2")
        add(root)
        body = {
            "worker_id": "w2",
            "settings": {"source": ADDRESS},
            "based_on_version": 1,
            "reason": "moved",
        }
        done = root.send("PUT", f"/cameras/{HALL}", json=body, headers={"Idempotency-Key": "move-0001"})
        assert done.status_code == 200
        publisher.run_once()
        assert {one.worker_id: list(one.cameras) for one in board.sent} == {WORKER: [], "w2": [HALL]}


class TestExport:
    def test_what_goes_out_comes_in_again(self, clients: Clients, root: Person) -> None:
        add(root, inference_fps=2)
        cameras = clients.seeded.services.given_cameras
        exported = cameras.export("console")
        orders = read_export(exported, "the file", "from the old site")
        assert cameras.take_in(_root_id(clients), orders) == []
        moved = exported.replace("hall", "yard")
        (made,) = cameras.take_in(_root_id(clients), read_export(moved, "the file", "from the old site"))
        assert (made.camera_id, made.version, made.reason) == ("yard", 1, "from the old site")

    @pytest.mark.parametrize(
        ("document", "word"),
        [
            ("schema: aiqyn.overlays/1\ncameras: {}\n", "schema"),
            ("schema: aiqyn.cameras/1\ncameras: {hall: {}}\n", "cameras.hall"),
            (
                "schema: aiqyn.cameras/1\ncameras: {hall: {worker_id: w1, source: 'rtsp://a:s3cret@b/'}}\n",
                "password stands",
            ),
        ],
    )
    def test_what_is_no_export_is_refused(self, document: str, word: str) -> None:
        with pytest.raises(UnprocessableError, match=word) as refused:
            read_export(document, "the file", "why")
        assert "s3cret" not in refused.value.detail

    @pytest.mark.usefixtures("root")
    def test_all_or_nothing(self, clients: Clients) -> None:
        good = CameraOrder("a", WORKER, GivenCamera(source=ADDRESS), "why")
        bad = CameraOrder("b", "nobody", GivenCamera(source=ADDRESS), "why")
        cameras = clients.seeded.services.given_cameras
        with pytest.raises(UnprocessableError):
            cameras.take_in(_root_id(clients), [good, bad])
        assert cameras.current() == []

    def test_a_worker_is_given_so_many_and_no_more(
        self, root: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert MAX_CAMERAS == 1000
        monkeypatch.setattr("api.given_cameras.MAX_CAMERAS", 2)
        assert [add(root, name).status_code for name in ("a", "b", "c")] == [201, 201, 422]


def _root_id(clients: Clients) -> str:
    lines = clients.seeded.services.accounts.all()
    return next(line.account_id for line in lines if line.username == "root")
