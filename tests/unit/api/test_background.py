"""Threads that run jobs: they come round, survive failures, and say how they fare."""

from __future__ import annotations

import itertools
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from api.background import Background, BackgroundLoop
from api.review.policies import ReviewPolicy
from tests.api_client import Clients
from tests.seeds import seed
from tests.waiting import wait_until


def test_a_job_that_fails_is_tried_again() -> None:
    tries: list[int] = []
    recovered = threading.Event()

    def job() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("once")
        recovered.set()
        return 0

    background = Background([BackgroundLoop("part", job, 0.01)])
    background.start()
    assert recovered.wait(5)
    wait_until(lambda: background.readiness() == {"part": "ok"})
    background.stop()
    assert background.liveness() == {"part": "stopped"}


def test_a_failing_job_makes_the_service_unready_but_not_dead() -> None:
    def job() -> int:
        raise OSError("always")

    background = Background([BackgroundLoop("part", job, 0.01)])
    background.start()
    wait_until(lambda: background.readiness() == {"part": "failing"})
    assert background.liveness() == {"part": "ok"}
    background.stop()


def test_a_job_with_work_left_is_run_at_once() -> None:
    left = iter([1, 1, 1, 0])
    done = threading.Event()

    def job() -> int:
        found = next(left, 0)
        if found == 0:
            done.set()
        return found

    background = Background([BackgroundLoop("part", job, 60.0)])
    background.start()
    assert done.wait(5)
    background.stop()


def test_a_job_that_can_wait_rests_for_the_others_while_it_has_work() -> None:
    turns: list[tuple[float, float]] = []

    def job() -> int:
        began = time.monotonic()
        time.sleep(0.03)
        turns.append((began, time.monotonic()))
        return 1

    background = Background([BackgroundLoop("part", job, 60.0, share=0.25)])
    background.start()
    wait_until(lambda: len(turns) >= 4)
    background.stop()
    rests = [after[0] - before[1] for before, after in itertools.pairwise(turns)]
    worked = [ended - began for began, ended in turns]
    assert all(rest >= 2.9 * work for rest, work in zip(rests, worked, strict=False))


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1])
def test_a_share_of_the_time_is_one(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        BackgroundLoop("part", lambda: 0, 1.0, share=share)


def test_the_service_confirms_and_expires_by_itself(tmp_path: Path) -> None:
    policy = ReviewPolicy(hold=timedelta(milliseconds=50), control_share=0.0)
    seeded = seed(tmp_path, policy=policy, run_background=True, sweep_interval_seconds=0.05)
    candidate_id = seeded.take_in()
    clients = Clients(seeded)
    with clients.http:  # runs the application's start and end
        for name in ("aigul", "daniyar"):
            person = clients.login(name)
            person.answer(person.queue()[0]["review_id"], "same_person")
        supervisor = clients.login("saule")
        path = f"/candidates/{candidate_id}"
        wait_until(lambda: supervisor.get(path).json()["state"] == "confirmed")
        assert supervisor.get(f"/receipts/{candidate_id}").status_code == 200
        parts = clients.http.get("/health").json()["parts"]
    names = (
        "process",
        "hold-clock",
        "expiry-sweeper",
        "redress",
        "chasing",
        "retention",
        "record-retention",
        "references",
        "requests",
        "duty",
        "controls",
        "checkpoints",
    )
    assert parts == dict.fromkeys(names, "ok")
    assert seeded.services.liveness()["hold-clock"] == "stopped"
