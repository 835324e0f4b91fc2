"""`api.camera_watch` and `/cameras`: what workers say is kept once, whatever they say, and said to reviewers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.camera_hashes import CameraWord
from api.camera_watch import KEEP_FOR, CameraWatch, growth
from api.cameras import SILENT_AFTER
from api.store.models import Watchlist
from pipelines.accounting import FrameAccounting
from pipelines.live.gap_records import GapRecord
from tests.api_client import Clients, FakeClock, Person
from tests.redis_server import api_redis, redis_program, redis_server, worker_redis
from tests.seeds import CAMERA, Seeded

__all__ = ["api_redis", "redis_program", "redis_server", "worker_redis"]

COUNTED = FrameAccounting(read=10, decoded=10, not_sampled=4, gated=3, inferred=2, dropped={"overtaken": 1})
LOG = "0123456789abcdef"


class Spoken:
    """Words a test puts into workers' mouths."""

    def __init__(self) -> None:
        self.words: dict[str, CameraWord] = {}
        self.asked: set[str] = set()

    def say(self, word: CameraWord) -> None:
        self.words[word.camera_id] = word

    def of(self, camera_ids: Iterable[str]) -> list[CameraWord]:
        """See `Words.of`."""
        self.asked = set(camera_ids)
        return [self.words[name] for name in sorted(camera_ids) if name in self.words]


@pytest.fixture
def spoken() -> Spoken:
    return Spoken()


@pytest.fixture
def watch(seeded: Seeded, spoken: Spoken, clock: FakeClock) -> CameraWatch:
    return CameraWatch(seeded.services.database, spoken, clock, configured=("yard",))


@pytest.fixture
def reviewer(clients: Clients) -> Person:
    return clients.login("aigul")


def word(clock: FakeClock, camera_id: str = CAMERA, **changes: Any) -> CameraWord:
    said = CameraWord(
        camera_id, "w1", "running", "", "d1", 3, clock.now, COUNTED, LOG, (gap(clock, 1, -60, -30),)
    )
    return replace(said, **changes)


def gap(clock: FakeClock, number: int, began: float, ended: float | None) -> GapRecord:
    ends = None if ended is None else clock.now + timedelta(seconds=ended)
    return GapRecord(number, clock.now + timedelta(seconds=began), ends, "stalled")


def gaps_of(reviewer: Person, camera_id: str = CAMERA, **stretch: str) -> dict[str, Any]:
    response = reviewer.get(f"/cameras/{camera_id}/gaps", params=stretch)
    assert response.status_code == 200, response.text
    return dict(response.json())


def days_of(reviewer: Person, **stretch: str) -> list[dict[str, Any]]:
    response = reviewer.get(f"/cameras/{CAMERA}/frames", params=stretch)
    assert response.status_code == 200, response.text
    return list(response.json()["days"])


def test_configured_and_deployed_cameras_are_watched(watch: CameraWatch, spoken: Spoken) -> None:
    assert watch.run_once() == 0
    assert spoken.asked == {CAMERA, "yard"}


class TestKeeping:
    def test_a_gap_told_again_is_one(
        self, watch: CameraWatch, spoken: Spoken, clock: FakeClock, reviewer: Person
    ) -> None:
        for _ in range(3):
            spoken.say(word(clock))
            watch.run_once()
            clock.forward(seconds=1)
        spoken.say(word(clock, gaps=(gap(clock, 2, -5, None), *word(clock).gaps)))
        watch.run_once()
        found = gaps_of(reviewer)["gaps"]
        assert [one["reason"] for one in found] == ["stalled", "stalled"]
        assert [one["ended_at"] is None for one in found] == [False, True]

    def test_another_watch_on_the_same_records_keeps_nothing_twice(
        self, seeded: Seeded, spoken: Spoken, clock: FakeClock, reviewer: Person
    ) -> None:
        spoken.say(word(clock))
        for _ in range(2):
            CameraWatch(seeded.services.database, spoken, clock).run_once()
        assert len(gaps_of(reviewer)["gaps"]) == 1
        assert days_of(reviewer)[0]["frame_accounting"]["read"] == 10

    def test_a_gap_that_ends_is_ended_and_then_stands(
        self, watch: CameraWatch, spoken: Spoken, clock: FakeClock, reviewer: Person
    ) -> None:
        open_gap = gap(clock, 1, -60, None)
        ends = clock.now + timedelta(seconds=5)
        for told in (
            open_gap,
            replace(open_gap, ended_at=ends),
            replace(open_gap, ended_at=ends, reason="frozen"),
        ):
            spoken.say(word(clock, gaps=(told,)))
            watch.run_once()
            clock.forward(seconds=10)
        (found,) = gaps_of(reviewer)["gaps"]
        assert datetime.fromisoformat(found["ended_at"]) == ends
        assert found["reason"] == "stalled"

    def test_an_end_nobody_saw_is_not_the_last_word_and_one_that_was_seen_is(
        self, watch: CameraWatch, spoken: Spoken, clock: FakeClock, reviewer: Person
    ) -> None:
        begun = gap(clock, 1, -60, None)
        taken_down, seen, later = (clock.now + timedelta(seconds=one) for one in (5, 20, 30))
        for ended_at, by_restart in (
            (None, False), (taken_down, True), (None, False), (seen, False), (later, False), (None, False),
        ):  # fmt: skip
            spoken.say(word(clock, gaps=(replace(begun, ended_at=ended_at, ended_by_restart=by_restart),)))
            watch.run_once()
            clock.forward(seconds=10)
        (found,) = gaps_of(reviewer)["gaps"]
        assert datetime.fromisoformat(found["ended_at"]) == seen
        assert not found["ended_by_restart"]

    def test_a_log_begun_anew_numbers_anew_and_ends_what_the_old_one_left_open(
        self, watch: CameraWatch, spoken: Spoken, clock: FakeClock, reviewer: Person
    ) -> None:
        spoken.say(word(clock, gaps=(gap(clock, 1, -60, None),)))
        watch.run_once()
        clock.forward(seconds=20)
        spoken.say(word(clock, log_id="f" * 16, gaps=(gap(clock, 1, -5, -1),)))
        watch.run_once()
        first, second = gaps_of(reviewer)["gaps"]
        assert (first["ended_by_restart"], second["ended_by_restart"]) == (True, False)
        assert datetime.fromisoformat(first["ended_at"]) == clock.now

    def test_frames_are_counted_by_growth_whatever_restarts(
        self, watch: CameraWatch, spoken: Spoken, clock: FakeClock, reviewer: Person
    ) -> None:
        grown = FrameAccounting(
            read=15, decoded=15, not_sampled=6, gated=4, inferred=4, dropped={"overtaken": 1}
        )
        anew = FrameAccounting(read=2, decoded=2, inferred=1, dropped={"stopped": 1})
        for accounting in (COUNTED, COUNTED, grown, anew, None, anew):
            spoken.say(word(clock, accounting=accounting))
            watch.run_once()
            clock.forward(seconds=1)
        (day,) = days_of(reviewer)
        assert day["frame_accounting"] == {
            "read": 17, "decoded": 17, "undecodable": 0, "not_sampled": 6, "gated": 4, "inferred": 5,
            "dropped": {"overtaken": 1, "stopped": 1},
        }  # fmt: skip
        assert day["worker_id"] == "w1"

    def test_faces_are_summed_from_a_running_sum_and_not_those_of_lists_for_tests(
        self, watch: CameraWatch, spoken: Spoken, clock: FakeClock, reviewer: Person, seeded: Seeded
    ) -> None:
        def say(faces: int | None, read: int = 10) -> int | None:
            accounting = FrameAccounting(read=read, decoded=read, inferred=read)
            spoken.say(word(clock, accounting=accounting, faces_searched=faces))
            watch.run_once()
            clock.forward(seconds=1)
            found: int | None = days_of(reviewer)[0]["faces_searched"]
            return found

        clock.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        assert [say(5), say(5), say(7), say(2)] == [5, 5, 7, 9]  # the last one's process began anew
        with seeded.services.database.write() as session:
            session.get_one(Watchlist, seeded.watchlist_id).is_test = True
        assert say(9) == 9
        with seeded.services.database.write() as session:
            session.get_one(Watchlist, seeded.watchlist_id).is_test = False
        assert say(10) == 10
        # A worker that does not count them makes the day's sum unknown, and it stays so.
        assert [say(None, 11), say(12, 12)] == [None, None]

    def test_each_day_and_worker_has_its_own_sum(
        self, watch: CameraWatch, spoken: Spoken, clock: FakeClock, reviewer: Person
    ) -> None:
        clock.now = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
        twice = FrameAccounting(
            read=20, decoded=20, not_sampled=8, gated=6, inferred=4, dropped={"overtaken": 2}
        )
        spoken.say(word(clock))
        watch.run_once()
        clock.forward(seconds=2)
        spoken.say(word(clock, accounting=twice))
        watch.run_once()
        clock.forward(seconds=2)
        spoken.say(word(clock, worker_id="w2", accounting=COUNTED))
        watch.run_once()
        found = days_of(reviewer, **{"from": "2026-03-01", "to": "2026-03-02"})
        assert [(one["day"], one["worker_id"], one["frame_accounting"]["read"]) for one in found] == [
            ("2026-03-01", "w1", 10), ("2026-03-02", "w1", 10), ("2026-03-02", "w2", 10),
        ]  # fmt: skip

    def test_an_older_word_a_word_of_the_future_and_one_of_nobody_are_not_kept(
        self, watch: CameraWatch, spoken: Spoken, clock: FakeClock, reviewer: Person
    ) -> None:
        spoken.say(word(clock))
        watch.run_once()
        for wrong in (
            word(clock, phase="failed", reported_at=clock.now - timedelta(seconds=1)),
            word(clock, phase="failed", reported_at=clock.now + timedelta(hours=1)),
            word(clock, phase="failed", reported_at=None),
            word(clock, phase="failed", worker_id=""),
        ):
            spoken.say(wrong)
            watch.run_once()
        (gate,) = [one for one in reviewer.get("/cameras").json()["items"] if one["camera_id"] == CAMERA]
        assert gate["phase"] == "running"

    def test_gaps_of_a_word_that_was_not_believed_are_kept_with_the_next(
        self, watch: CameraWatch, spoken: Spoken, clock: FakeClock, reviewer: Person
    ) -> None:
        told = (gap(clock, 1, -60, -30),)
        for reported_at in (clock.now + timedelta(hours=1), clock.now):
            spoken.say(word(clock, gaps=told, reported_at=reported_at))
            watch.run_once()
        assert len(gaps_of(reviewer)["gaps"]) == 1

    def test_what_is_old_is_forgotten(
        self, watch: CameraWatch, spoken: Spoken, clock: FakeClock, clients: Clients
    ) -> None:
        spoken.say(word(clock))
        watch.run_once()
        begin = clock.now
        assert len(gaps_of(clients.login("aigul"))["gaps"]) == 1
        clock.forward(days=KEEP_FOR.days + 1)
        spoken.say(word(clock, gaps=(gap(clock, 2, -20, -10),)))
        watch.run_once()
        reviewer = clients.login("aigul")
        old = {"from": (begin - timedelta(days=1)).isoformat(), "to": (begin + timedelta(days=1)).isoformat()}
        assert gaps_of(reviewer, **old)["gaps"] == []
        assert len(gaps_of(reviewer)["gaps"]) == 1


class TestTelling:
    def test_a_camera_nobody_spoke_of_is_listed_as_unknown(
        self, reviewer: Person, watch: CameraWatch
    ) -> None:
        watch.run_once()
        (gate,) = reviewer.get("/cameras").json()["items"]
        assert (gate["camera_id"], gate["phase"], gate["silent"], gate["searched"]) == (
            CAMERA,
            "unknown",
            True,
            False,
        )
        (found,) = gaps_of(reviewer)["gaps"]
        assert (found["reason"], found["ended_at"], found["worker_id"]) == ("never_heard", None, None)

    def test_a_silent_worker_is_a_gap_that_nobody_told(
        self, reviewer: Person, watch: CameraWatch, spoken: Spoken, clock: FakeClock
    ) -> None:
        spoken.say(word(clock, gaps=()))
        watch.run_once()
        said_at = clock.now
        (gate,) = reviewer.get("/cameras").json()["items"]
        assert (gate["silent"], gate["searched"], gate["gallery_version"]) == (False, True, 3)
        assert gate["frame_accounting"]["inferred"] == 2
        assert gaps_of(reviewer)["gaps"] == []
        clock.forward(seconds=SILENT_AFTER.total_seconds() + 1)
        (gate,) = reviewer.get("/cameras").json()["items"]
        assert (gate["silent"], gate["searched"]) == (True, False)
        (found,) = gaps_of(reviewer)["gaps"]
        assert (found["reason"], found["ended_at"]) == ("not_heard", None)
        assert datetime.fromisoformat(found["began_at"]) == said_at
        before = {
            "from": (said_at - timedelta(hours=2)).isoformat(),
            "to": (said_at - timedelta(hours=1)).isoformat(),
        }
        assert gaps_of(reviewer, **before)["gaps"] == []

    def test_only_what_touches_the_stretch_is_told(
        self, reviewer: Person, watch: CameraWatch, spoken: Spoken, clock: FakeClock
    ) -> None:
        told = (gap(clock, 1, -300, -200), gap(clock, 2, -100, -50), gap(clock, 3, -10, None))
        spoken.say(word(clock, gaps=told))
        watch.run_once()

        def between(began: float, ended: float) -> list[str]:
            moments = [(clock.now + timedelta(seconds=one)).isoformat() for one in (began, ended)]
            found = gaps_of(reviewer, **{"from": moments[0], "to": moments[1]})["gaps"]
            return [one["began_at"] for one in found]

        assert len(between(-400, 0)) == 3
        assert len(between(-250, -240)) == 1  # within a gap
        assert len(between(-200, -100)) == 0  # its ends do not count
        assert len(between(-60, -5)) == 2

    def test_numbers_that_are_missing_are_told(
        self, reviewer: Person, watch: CameraWatch, spoken: Spoken, clock: FakeClock
    ) -> None:
        spoken.say(word(clock, gaps=(gap(clock, 3, -300, -290),)))
        watch.run_once()
        clock.forward(seconds=1)
        spoken.say(word(clock, gaps=(gap(clock, 10, -50, -40), gap(clock, 11, -30, -20))))
        watch.run_once()
        assert gaps_of(reviewer)["missing"] == 6
        late = {"from": (clock.now - timedelta(seconds=35)).isoformat(), "to": clock.now.isoformat()}
        assert gaps_of(reviewer, **late)["missing"] == 0

    @pytest.mark.parametrize(
        ("path", "params", "status"),
        [
            ("nobody/gaps", {}, 404),
            ("nobody/frames", {}, 404),
            ("gate/gaps", {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, 400),
            ("gate/gaps", {"from": "2020-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, 400),
            ("gate/gaps", {"from": "2026-03-01T00:00:00", "to": "2026-03-02T00:00:00Z"}, 400),
            ("gate/gaps", {"from": "yesterday"}, 422),
            ("gate/frames", {"from": "2026-03-02", "to": "2026-03-01"}, 400),
            ("gate/frames", {"from": "0001-01-01", "to": "2026-03-01"}, 400),
            ("a%20b/gaps", {}, 422),
        ],
    )
    def test_what_cannot_be_answered_says_why(
        self, reviewer: Person, path: str, params: dict[str, str], status: int
    ) -> None:
        assert reviewer.get(f"/cameras/{path}", params=params).status_code == status

    @pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    def test_the_ends_of_time_are_no_error_of_ours(self, reviewer: Person, moment: str) -> None:
        for path, value in (("gaps", moment), ("frames", moment[:10])):
            for name in ("from", "to"):
                response = reviewer.get(f"/cameras/{CAMERA}/{path}", params={name: value})
                assert response.status_code == 400

    def test_without_a_login_nothing_is_told(self, clients: Clients) -> None:
        for path in ("/cameras", f"/cameras/{CAMERA}/gaps", f"/cameras/{CAMERA}/frames"):
            assert clients.http.get(f"/api/v1{path}").status_code == 401


def test_growth_of_what_began_anew_is_all_of_it() -> None:
    small = FrameAccounting(read=1, decoded=1, inferred=1)
    assert growth(COUNTED, small) == small
    assert growth(COUNTED, COUNTED) == FrameAccounting()
    other = replace(COUNTED, inferred=3, dropped={})
    assert (
        growth(COUNTED, other) == other
    )  # a reason's count became smaller: no sum that only grows does that


def test_what_masks_and_settings_files_cost_is_said(
    watch: CameraWatch, spoken: Spoken, clock: FakeClock, reviewer: Person
) -> None:
    spoken.say(word(clock, masked_detections=3, settings_note="refused: line 3"))
    watch.run_once()
    (gate,) = [one for one in reviewer.get("/cameras").json()["items"] if one["camera_id"] == CAMERA]
    assert (gate["masked_detections"], gate["settings_note"]) == (3, "refused: line 3")
