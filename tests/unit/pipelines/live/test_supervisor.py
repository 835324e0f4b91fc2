"""`pipelines.live.supervisor`: real processes, fake models, real Redis; killed, revoked, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from pipelines.camera_status import Phase
from pipelines.errors import PipelineError
from pipelines.events import utc_now
from pipelines.live.children import Program
from pipelines.live.supervisor import Supervisor
from tests.fake_engine import face_of
from tests.live_bench import ROOT, LiveBench, decoder_pid, live_bench, matcher_pid
from tests.live_camera import live_camera
from tests.waiting import wait_until
from tests.worker_bench import ANN, STRANGER

__all__ = ["live_bench"]


def test_a_recording_is_matched_by_two_processes_and_ends(live_bench: LiveBench) -> None:
    live_bench.add_recording("gate", [ANN, STRANGER], pictures=12, motion_gate={"enabled": False})
    live_bench.publish()
    with live_bench.supervised(exit_when_done=True):
        wait_until(lambda: live_bench.report is not None, seconds=60)
    report = live_bench.report
    assert report is not None
    assert report.cameras["gate"].phase is Phase.ENDED
    accounting = report.cameras["gate"].frame_accounting
    assert (accounting.read, accounting.inferred, accounting.dropped) == (12, 12, {})
    assert [one.subject_id for one in live_bench.candidates()] == ["s-ann"]
    assert live_bench.phase() == "ended"


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def sums(accounting: dict[str, object]) -> bool:
    """Whether every frame read has a fate."""
    numbers = {name: value for name, value in accounting.items() if isinstance(value, int)}
    dropped = accounting["dropped"]
    assert isinstance(dropped, dict)
    fates = ("undecodable", "not_sampled", "gated", "inferred")
    return numbers["read"] == sum(numbers[fate] for fate in fates) + sum(dropped.values())


class TestALiveCamera:
    @pytest.mark.system  # takes its time
    def test_it_is_opened_for_a_deployment_and_closed_after_it(self, live_bench: LiveBench) -> None:
        with live_camera([ANN]) as camera:
            live_bench.add_camera("gate", camera.address)
            with live_bench.supervised() as supervisor:
                wait_until(lambda: live_bench.phase() == "waiting", seconds=30)
                assert camera.openings == 0
                live_bench.publish()
                wait_until(lambda: bool(live_bench.candidates()), seconds=30)
                wait_until(lambda: live_bench.phase() == "running")
                state = live_bench.state("gate")
                assert (state["decoding"], state["fps"], state["reconnects"]) == ("software", "10.0", "0")
                assert json.loads(state["gaps"])["gaps"] == []
                live_bench.publisher.withdraw("d1", "w1")
                wait_until(lambda: decoder_pid(supervisor) == 0, seconds=40)
                wait_until(lambda: camera.readers == 0)
                wait_until(lambda: live_bench.phase() == "waiting", seconds=30)
            assert live_bench.report is not None
            assert live_bench.report.cameras["gate"].phase is Phase.STOPPED

    def test_a_decoder_that_is_killed_costs_a_moment(self, live_bench: LiveBench) -> None:
        with live_camera([ANN]) as camera:
            live_bench.add_camera("gate", camera.address)
            live_bench.publish()
            with live_bench.supervised() as supervisor:
                wait_until(lambda: live_bench.accounting().get("inferred", 0) > 2, seconds=30)
                matcher, killed = matcher_pid(supervisor), decoder_pid(supervisor)
                os.kill(killed, signal.SIGSEGV)
                wait_until(lambda: "SIGSEGV" in live_bench.state("gate")["detail"])
                assert live_bench.phase() == "retrying"
                wait_until(lambda: decoder_pid(supervisor) not in (0, killed), seconds=30)
                inferred = live_bench.accounting()["inferred"]
                wait_until(lambda: live_bench.accounting()["inferred"] > inferred + 2, seconds=30)
                wait_until(lambda: live_bench.phase() == "running")
                (gap,) = [
                    one
                    for one in json.loads(live_bench.state("gate")["gaps"])["gaps"]
                    if one["reason"] == "decoder_died"
                ]
                assert gap["ended_at"] is not None
                assert matcher_pid(supervisor) == matcher
                assert sums(live_bench.accounting())
        assert live_bench.report is not None
        total = live_bench.report.cameras["gate"].frame_accounting
        assert total.unaccounted == 0

    def test_a_matcher_that_is_killed_is_replaced_and_the_decoder_goes_on(
        self, live_bench: LiveBench
    ) -> None:
        with live_camera([STRANGER]) as camera:
            live_bench.add_camera("gate", camera.address)
            live_bench.publish()
            with live_bench.supervised() as supervisor:
                wait_until(lambda: live_bench.accounting().get("inferred", 0) > 2, seconds=30)
                killed, decoder = matcher_pid(supervisor), decoder_pid(supervisor)
                before = live_bench.accounting()
                os.kill(killed, signal.SIGKILL)
                wait_until(lambda: matcher_pid(supervisor) not in (0, killed), seconds=30)
                wait_until(lambda: live_bench.accounting()["inferred"] > before["inferred"] + 3, seconds=30)
                after = live_bench.accounting()
                assert decoder_pid(supervisor) == decoder
                assert camera.openings == 1
                assert after["dropped"]["matcher_away"] > 0
                assert sums(after)

    @pytest.mark.system  # takes its time
    def test_processes_that_hang_are_replaced(self, live_bench: LiveBench) -> None:
        live_bench.times = replace(live_bench.times, beat_seconds=3.0)
        with live_camera([STRANGER]) as camera:
            live_bench.add_camera("gate", camera.address)
            live_bench.publish()
            with live_bench.supervised() as supervisor:
                wait_until(lambda: live_bench.accounting().get("inferred", 0) > 0, seconds=30)
                hanging = matcher_pid(supervisor)
                os.kill(hanging, signal.SIGSTOP)
                wait_until(lambda: matcher_pid(supervisor) not in (0, hanging), seconds=30)
                assert not exists(hanging)


@pytest.mark.system  # takes its time
def test_a_crashing_decoder_costs_its_camera_only(live_bench: LiveBench) -> None:
    with live_camera([ANN]) as good, live_camera([STRANGER]) as bad:
        live_bench.add_camera("gate", good.address)
        live_bench.add_camera("yard", bad.address)
        live_bench.publish()
        with live_bench.supervised() as supervisor:
            for _ in range(2):
                wait_until(lambda: decoder_pid(supervisor, "yard") != 0, seconds=30)
                os.kill(decoder_pid(supervisor, "yard"), signal.SIGABRT)
                wait_until(lambda: decoder_pid(supervisor, "yard") == 0)

            def is_said() -> bool:
                # Told once a second, until it runs again: the longer it is left alone, the surer it is seen.
                if (pid := decoder_pid(supervisor, "yard")) != 0:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGABRT)
                return "SIGABRT" in live_bench.state("yard").get("detail", "")

            wait_until(is_said, seconds=60)
            wait_until(lambda: bool(live_bench.candidates()), seconds=30)
            assert good.openings == 1
            wait_until(lambda: live_bench.phase() == "running")
            wait_until(lambda: live_bench.phase("yard") == "running", seconds=60)
            assert sums(live_bench.accounting("yard"))


@pytest.mark.system  # takes its time
def test_a_recording_whose_decoder_dies_fails_with_the_reason(live_bench: LiveBench) -> None:
    live_bench.slow = True
    live_bench.add_recording("gate", [STRANGER], pictures=400, motion_gate={"enabled": False})
    live_bench.publish()
    with live_bench.supervised() as supervisor:
        wait_until(lambda: live_bench.accounting().get("inferred", 0) > 0, seconds=30)
        os.kill(decoder_pid(supervisor), signal.SIGSEGV)
        wait_until(lambda: live_bench.phase() == "failed")
        assert "SIGSEGV" in live_bench.state("gate")["detail"]
        assert sums(live_bench.accounting())


@pytest.mark.system  # takes its time
def test_a_list_that_ends_by_time_ends_while_redis_is_away(live_bench: LiveBench) -> None:
    with live_camera([ANN]) as camera:
        live_bench.add_camera("gate", camera.address)
        until = utc_now() + timedelta(seconds=12)
        live_bench.publish(active_until=until)
        with live_bench.supervised() as supervisor:
            wait_until(lambda: live_bench.phase() == "running", seconds=30)
            old = matcher_pid(supervisor)
            assert utc_now() < until
            redis = live_bench.server.pid
            assert redis is not None
            os.kill(redis, signal.SIGSTOP)
            try:
                wait_until(lambda: not exists(old), seconds=30)
                assert utc_now() < until + timedelta(seconds=5)
                wait_until(lambda: matcher_pid(supervisor) not in (0, old), seconds=30)
            finally:
                os.kill(redis, signal.SIGCONT)


@pytest.mark.system  # takes its time
def test_a_stand_by_takes_over_at_once(live_bench: LiveBench) -> None:
    live_bench.standby, live_bench.load_seconds = True, 4.0
    live_bench.times = replace(live_bench.times, standby_after_seconds=0.1)
    with live_camera([STRANGER]) as camera:
        live_bench.add_camera("gate", camera.address)
        live_bench.publish()
        with live_bench.supervised() as supervisor:
            wait_until(lambda: live_bench.phase() == "running", seconds=40)
            old = matcher_pid(supervisor)
            wait_until(lambda: standby_ready(supervisor), seconds=40)
            began = time.monotonic()
            live_bench.publish(version=2, subject_ids=("s-ann",), templates=face_of(ANN)[np.newaxis])
            wait_until(lambda: matcher_pid(supervisor) not in (0, old), seconds=20)
            assert time.monotonic() - began < live_bench.load_seconds
            wait_until(lambda: live_bench.state("gate")["gallery_version"] == "2", seconds=20)
            assert camera.openings == 1


def standby_ready(supervisor: Supervisor) -> bool:
    return supervisor._standby is not None and supervisor._standby.ready


def kill_matcher(bench: LiveBench, supervisor: Supervisor, *, after: int) -> None:
    """Once so many frames were looked at; returns when the next one runs."""
    wait_until(lambda: bench.accounting().get("inferred", 0) > after, seconds=40)
    killed = matcher_pid(supervisor)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: matcher_pid(supervisor) not in (0, killed), seconds=40)


@pytest.mark.system  # takes its time
def test_every_frame_of_a_recording_has_one_fate_over_kills_of_the_matcher(live_bench: LiveBench) -> None:
    live_bench.slow = True
    live_bench.add_recording("gate", [STRANGER], pictures=80, motion_gate={"enabled": False})
    live_bench.publish()
    with live_bench.supervised(exit_when_done=True) as supervisor:
        for seen in (10, 30):
            kill_matcher(live_bench, supervisor, after=seen)
        wait_until(lambda: live_bench.report is not None, seconds=60)
    assert live_bench.report is not None
    total = live_bench.report.cameras["gate"].frame_accounting
    assert total.read == total.decoded == 80
    assert total.unaccounted == 0
    assert total.inferred >= 76
    assert set(total.dropped) <= {"matcher_died"}


def test_a_matcher_that_never_begins_ends_it_with_the_reason(live_bench: LiveBench) -> None:
    live_bench.add_recording("gate", [STRANGER])
    options = replace(
        live_bench.options(), matcher=Program((sys.executable, "-c", "import os; os.abort()"), os.environ)
    )
    with pytest.raises(PipelineError, match=r"did not begin: it crashed \(SIGABRT\)"):
        Supervisor(live_bench.config(), options).run()


def test_no_orphan_survives_the_supervisor(live_bench: LiveBench) -> None:
    with live_camera([STRANGER]) as camera:
        live_bench.add_camera("gate", camera.address)
        live_bench.publish()
        with supervisor_process(live_bench) as supervisor:
            try:
                wait_until(lambda: live_bench.phase() == "running", seconds=40)
                children = children_of(supervisor.pid)
                assert len(children) == 2
            finally:
                supervisor.kill()
        wait_until(lambda: not any(exists(child) for child in children))


@contextmanager
def supervisor_process(bench: LiveBench) -> Iterator[subprocess.Popen[str]]:
    config = bench.config().model_dump(mode="json")
    config["redis"]["password"] = bench.server.password("worker:w1")
    program = [sys.executable, "-m", "tests.live_supervisor"]
    with subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"config": config, "redis": bench.server.url}))
        process.stdin.close()
        try:
            yield process
        finally:
            process.kill()


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]
