"""Settings read again by a running worker: real processes, real Redis, cameras over HTTP, fake models."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.config_gate import GateSettings
from pipelines.given_cameras import CameraSender, GivenCamera, GivenCameras
from tests.live_bench import LiveBench, decoder_pid, live_bench, matcher_pid
from tests.live_camera import LiveCamera, live_camera
from tests.live_site import Site
from tests.unit.pipelines.live.test_supervisor import sums
from tests.waiting import wait_until
from tests.worker_bench import ANN, BEA, STRANGER

__all__ = ["live_bench"]


@pytest.fixture
def gate() -> Iterator[LiveCamera]:
    with live_camera([STRANGER]) as camera:
        yield camera


@pytest.fixture
def yard() -> Iterator[LiveCamera]:
    with live_camera([STRANGER]) as camera:
        yield camera


@pytest.fixture
def site(live_bench: LiveBench) -> Site:
    return Site(live_bench)


@pytest.mark.system  # takes its time
def test_cameras_come_change_and_go_and_the_others_notice_nothing(
    site: Site, gate: LiveCamera, yard: LiveCamera
) -> None:
    bench = site.bench
    bench.add_camera("gate", gate.address)
    bench.publish()
    with site.working() as supervisor:
        wait_until(lambda: site.inferred("gate") > 2, seconds=30)
        matcher, decoder = matcher_pid(supervisor), decoder_pid(supervisor)

        bench.add_camera("yard", yard.address)
        site.reload(supervisor)
        wait_until(lambda: site.inferred("yard") > 2, seconds=30)

        before = bench.accounting("yard")
        with live_camera([ANN]) as other:
            bench.add_camera("yard", other.address, inference_fps=5)
            site.reload(supervisor)
            wait_until(lambda: other.readers == 1 and yard.readers == 0, seconds=30)
            wait_until(lambda: [one.subject_id for one in bench.candidates()] == ["s-ann"], seconds=30)
            wait_until(lambda: bench.phase("yard") == "running")
            wait_until(lambda: bench.accounting("yard")["read"] > before["read"] + 10, seconds=30)
            after = bench.accounting("yard")
            assert after["read"] > before["read"]  # its sums go on
            assert sums(after)
            (gap,) = json.loads(bench.state("yard")["gaps"])["gaps"]
            assert (gap["reason"], gap["ended_at"] is None) == ("settings_changed", False)

            del bench.cameras["yard"]
            site.reload(supervisor)
            wait_until(lambda: other.readers == 0, seconds=30)
        wait_until(lambda: bench.state("yard")["detail"] == "is in the settings no more", seconds=30)
        told = bench.accounting("yard")
        assert bench.phase("yard") == "stopped"
        assert sums(told)
        assert told["read"] >= after["read"]
        wait_until(lambda: "yard" not in supervisor._slots)
        stood = bench.state("yard")
        site.goes_on("gate")
        assert bench.state("yard") == stood  # nothing is said of it any more
        assert (matcher_pid(supervisor), decoder_pid(supervisor)) == (matcher, decoder)
        assert gate.openings == 1
        assert json.loads(bench.state("gate")["gaps"])["gaps"] == []


def test_a_file_with_mistakes_changes_nothing_and_the_cameras_say_so(
    site: Site, gate: LiveCamera, capfd: pytest.CaptureFixture[str]
) -> None:
    bench = site.bench
    bench.add_camera("gate", gate.address)
    bench.publish()
    with site.working() as supervisor:
        wait_until(lambda: site.inferred("gate") > 2, seconds=30)
        decoder = decoder_pid(supervisor)
        bench.cameras["gate"]["inference_fps"] = -1
        site.reload(supervisor)
        wait_until(lambda: "refused" in bench.state("gate")["settings"], seconds=20)
        assert f"{site.path}:" in bench.state("gate")["settings"]
        assert "inference_fps" in bench.state("gate")["settings"]
        site.goes_on("gate")
        assert (decoder_pid(supervisor), gate.openings) == (decoder, 1)
        bench.cameras["gate"]["inference_fps"] = 10
        site.reload(supervisor)
        wait_until(lambda: bench.state("gate")["settings"] == "", seconds=20)
        assert (decoder_pid(supervisor), gate.openings) == (decoder, 1)
    told = capfd.readouterr()
    assert f"{site.path}:" in told.out + told.err


@pytest.mark.system  # takes its time
def test_another_password_is_taken_up_by_the_camera_that_has_it(
    site: Site, gate: LiveCamera, yard: LiveCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIQYN_SECRET_GATE", "first")
    bench = site.bench
    bench.add_camera("gate", gate.address.replace("http://", "http://viewer:{gate}@"))
    bench.add_camera("yard", yard.address)
    bench.publish()
    with site.working() as supervisor:
        wait_until(lambda: min(site.inferred("gate"), site.inferred("yard")) > 2, seconds=40)
        decoder = decoder_pid(supervisor)
        monkeypatch.setenv("AIQYN_SECRET_GATE", "second")
        supervisor.reload()
        wait_until(lambda: decoder_pid(supervisor) not in (0, decoder), seconds=20)
        site.goes_on("gate")
        assert (gate.openings, yard.openings) == (2, 1)


@pytest.mark.system  # takes its time
class TestAtOddMoments:
    def test_many_in_a_row_end_with_what_was_read_last(
        self, site: Site, gate: LiveCamera, yard: LiveCamera
    ) -> None:
        bench = site.bench
        bench.add_camera("gate", gate.address)
        bench.publish()
        with site.working() as supervisor:
            wait_until(lambda: site.inferred("gate") > 2, seconds=30)
            matcher = matcher_pid(supervisor)
            for turn in range(12):
                if turn % 2:
                    del bench.cameras["yard"]
                else:
                    bench.add_camera("yard", yard.address, inference_fps=10 - turn / 2)
                site.reload(supervisor)
                time.sleep(0.15 * (turn % 4))
            bench.add_camera("yard", yard.address, inference_fps=7)
            site.reload(supervisor)
            wait_until(lambda: bench.phase("yard") == "running", seconds=40)
            site.goes_on("yard")
            assert sums(bench.accounting("yard"))
            assert matcher_pid(supervisor) == matcher
            assert gate.openings == 1
            wait_until(lambda: yard.readers == 1)

    def test_while_the_models_are_loaded(self, site: Site, gate: LiveCamera, yard: LiveCamera) -> None:
        bench = site.bench
        bench.load_seconds = 3.0
        bench.add_camera("gate", gate.address)
        bench.publish()
        with site.working() as supervisor:
            wait_until(lambda: supervisor._active is not None)
            bench.add_camera("yard", yard.address)
            del bench.cameras["gate"]
            site.reload(supervisor)
            wait_until(lambda: site.inferred("yard") > 2, seconds=40)
            assert gate.openings == 0
            assert bench.state("gate") == {}

    def test_the_next_matching_process_knows_them_too(
        self, site: Site, gate: LiveCamera, yard: LiveCamera
    ) -> None:
        bench = site.bench
        bench.standby = True
        bench.times = type(bench.times)(standby_after_seconds=0.2)
        bench.add_camera("gate", gate.address)
        bench.publish()
        with site.working() as supervisor:
            wait_until(lambda: supervisor._standby is not None and supervisor._standby.ready, seconds=30)
            wait_until(lambda: site.inferred("gate") > 2, seconds=30)
            bench.add_camera("yard", yard.address)
            site.reload(supervisor)
            wait_until(lambda: site.inferred("yard") > 2, seconds=30)
            killed = matcher_pid(supervisor)
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: matcher_pid(supervisor) not in (0, killed), seconds=30)
            site.goes_on("yard")
            site.goes_on("gate")

    def test_a_recording_takes_a_cameras_place_and_the_other_way(self, site: Site, gate: LiveCamera) -> None:
        bench = site.bench
        bench.add_camera("gate", gate.address)
        bench.publish()
        with site.working() as supervisor:
            wait_until(lambda: site.inferred("gate") > 2, seconds=30)
            bench.add_recording("gate", [BEA], pictures=8, motion_gate={"enabled": False})
            site.reload(supervisor)
            wait_until(lambda: bench.phase() == "ended", seconds=40)
            assert [one.subject_id for one in bench.candidates()] == ["s-bea"]
            bench.add_camera("gate", gate.address)
            site.reload(supervisor)
            wait_until(lambda: bench.phase() == "running", seconds=40)
            assert sums(bench.accounting())

    def test_hundreds_of_idle_cameras(self, site: Site, gate: LiveCamera) -> None:
        """None is in a deployment but the first: what it takes to read them all and to have all of them told."""
        bench = site.bench
        bench.add_camera("gate", gate.address)
        bench.publish()
        with site.working() as supervisor:
            wait_until(lambda: site.inferred("gate") > 2, seconds=30)
            decoder = decoder_pid(supervisor)
            for number in range(500):
                bench.cameras[f"c{number}"] = {
                    "source": f"rtsp://viewer:{{cams}}@10.1.{number // 250}.{number % 250}/1"
                }
            site.write()
            began = time.monotonic()
            supervisor.reload()
            wait_until(lambda: len(supervisor._slots) == 501, seconds=60)
            known_seconds = time.monotonic() - began
            before = site.inferred("gate")
            wait_until(lambda: site.inferred("gate") > before + 10, seconds=30)
            sys.stderr.write(f"500 cameras more: known after {known_seconds:.2f} s\n")
            assert known_seconds < 20
            assert (decoder_pid(supervisor), gate.openings) == (decoder, 1)


@pytest.mark.system  # takes its time
def test_cameras_the_service_gives_are_watched_and_withdrawn(
    site: Site, gate: LiveCamera, yard: LiveCamera
) -> None:
    bench = site.bench
    bench.add_camera("gate", gate.address)
    sender = CameraSender(bench.api, bench.store.galleries_key())
    given = GivenCamera(source=yard.address, inference_fps=10, motion_gate=GateSettings(enabled=False))
    odd = GivenCamera(source="rtsp://viewer:{unknown}@10.1.2.3/a")
    bench.publish(cameras=("gate", "w1:yard"))
    site.defaults = {"allow_local": True, "max_pixels": 320 * 240}
    with site.working() as supervisor:
        wait_until(lambda: site.inferred("gate") > 2, seconds=30)
        decoder = decoder_pid(supervisor)
        now = datetime.now(UTC)
        sender.send(GivenCameras("w1", now, {"w1:yard": given, "w1:odd": odd, "gate": given}))
        wait_until(lambda: site.inferred("w1:yard") > 2, seconds=30)
        wait_until(lambda: "camera_secrets.unknown" in bench.state("w1:odd").get("detail", ""))
        assert bench.phase("w1:odd") == "failed"
        wait_until(lambda: "wins: gate" in bench.state("gate")["settings"])
        site.reload(supervisor)
        os.kill(matcher_pid(supervisor), signal.SIGKILL)  # the next one has them from its disk
        bench.api.delete("aiqyn:cameras:w1")
        site.goes_on("w1:yard")
        sender.send(GivenCameras("w1", now + timedelta(seconds=1), {}))
        wait_until(lambda: bench.state("w1:yard")["detail"] == "is in the settings no more", seconds=40)
        wait_until(lambda: bench.phase("w1:odd") == "stopped")
        assert sums(bench.accounting("w1:yard"))
        assert (decoder_pid(supervisor), gate.openings) == (decoder, 1)
