"""Cameras given to workers, on SQLite and on PostgreSQL: many at once, each version once, none changed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.accounts import Principal
from api.errors import ApiError
from api.given_cameras import GivenCameraService
from api.replays import WriteRequest
from api.review.cameras import CameraOrder
from api.review.cases import Role
from pipelines.events import utc_now
from pipelines.given_cameras import GivenCamera
from tests.seeds import WORKER, Seeded, seed

pytestmark = pytest.mark.system

ADDRESS = "rtsp://viewer:{hall}@10.1.2.3/a"
WRITERS = 8


@pytest.fixture(params=["sqlite", "postgresql"])
def seeded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Seeded]:
    if request.param == "sqlite":
        made = seed(tmp_path)
    else:
        made = seed(tmp_path, database_url=request.getfixturevalue("url"))
    yield made
    made.services.close()


def administrator(seeded: Seeded) -> Principal:
    (account_id,) = [line.account_id for line in seeded.services.accounts.all() if line.username == "root"]
    return Principal(account_id, "root", Role.ADMINISTRATOR, "session", must_change_password=False)


def give(seeded: Seeded, camera_id: str, number: int, based_on: int | None) -> str:
    """The version that was made, or the code of the refusal."""
    service, root = seeded.services.given_cameras, administrator(seeded)
    order = CameraOrder(camera_id, WORKER, GivenCamera(source=ADDRESS, priority=number + 1), "why")
    request = WriteRequest.of(root.account_id, f"give-{camera_id}-{number}", "x", {"n": number})
    try:
        return str(service.give(root, order, based_on, request)["version"])
    except ApiError as error:
        return error.code


def test_of_many_who_saw_the_same_version_one_changes_it(seeded: Seeded) -> None:
    assert give(seeded, "hall", 0, None) == "1"
    with ThreadPoolExecutor(WRITERS) as pool:
        told = list(pool.map(lambda number: give(seeded, "hall", number, 1), range(1, WRITERS + 1)))
    assert sorted(told) == ["2", *["changed_meanwhile"] * (WRITERS - 1)]


def test_of_many_who_give_the_same_one_does(seeded: Seeded) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        told = list(pool.map(lambda number: give(seeded, "hall", number, None), range(WRITERS)))
    assert sorted(told) == ["1", *["camera_exists"] * (WRITERS - 1)]


def test_times_of_different_cameras_grow_one_by_one(seeded: Seeded) -> None:
    """A worker takes what is later: two changes of one moment would be one to it."""
    with ThreadPoolExecutor(WRITERS) as pool:
        told = list(pool.map(lambda number: give(seeded, f"c{number}", number, None), range(4 * WRITERS)))
    assert set(told) == {"1"}
    service = GivenCameraService(seeded.services.database, utc_now, seeded.services.keys.worker_ids)
    times = [one.changed_at for one in service.current()]
    assert len(set(times)) == 4 * WRITERS


@pytest.mark.parametrize(
    "statement", ["UPDATE camera_settings SET reason = ''", "DELETE FROM camera_settings"]
)
def test_no_version_is_changed_or_deleted(seeded: Seeded, statement: str) -> None:
    give(seeded, "hall", 0, None)
    with pytest.raises(DBAPIError), seeded.services.database.write() as session:
        session.execute(text(statement))
    assert [one.version for one in seeded.services.given_cameras.history("hall", None, 10)] == [1]
