"""Settings read again by a worker whose cameras are real RTSP servers with passwords."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders import noise, write_video
from tests.live_bench import LiveBench, decoder_pid, live_bench, matcher_pid
from tests.live_site import Site
from tests.system import rtsp_camera_program
from tests.unit.pipelines.live.test_supervisor import sums
from tests.waiting import wait_until

pytestmark = pytest.mark.system

__all__ = ["live_bench"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes at ten pictures a second, a key frame in each second."""
    pictures = [noise((160, 120), seed) for seed in range(20)] * 60
    return write_video(tmp_path_factory.mktemp("rtsp") / "clip.mp4", pictures, fps=10)


def test_a_password_and_an_address_change_while_another_camera_goes_on(
    live_bench: LiveBench, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(live_bench)
    monkeypatch.setenv("AIQYN_SECRET_GATE", "yesterdays")
    with (
        rtsp_camera_program.start(clip, "viewer", "todays") as (_, first),
        rtsp_camera_program.start(clip) as (_, second),
        rtsp_camera_program.start(clip) as (_, other),
    ):
        live_bench.add_camera("gate", f"rtsp://viewer:{{gate}}@127.0.0.1:{first}/main")
        live_bench.add_camera("yard", f"rtsp://127.0.0.1:{other}/main")
        live_bench.publish()
        with site.working() as supervisor:
            wait_until(lambda: site.inferred("yard") > 2, seconds=40)
            wait_until(lambda: live_bench.phase() == "retrying", seconds=40)
            matcher, yard = matcher_pid(supervisor), decoder_pid(supervisor, "yard")

            monkeypatch.setenv("AIQYN_SECRET_GATE", "todays")
            supervisor.reload()
            wait_until(lambda: live_bench.phase() == "running", seconds=40)
            site.goes_on("gate")
            before = live_bench.accounting()

            live_bench.add_camera("gate", f"rtsp://127.0.0.1:{second}/main")
            site.reload(supervisor)
            wait_until(lambda: live_bench.accounting()["read"] > before["read"] + 10, seconds=40)
            wait_until(lambda: live_bench.phase() == "running", seconds=40)
            assert sums(live_bench.accounting())
            gaps = json.loads(live_bench.state("gate")["gaps"])["gaps"]
            reasons = [gap["reason"] for gap in gaps]
            assert reasons.count("settings_changed") == 2
            assert set(reasons) <= {"settings_changed", "refused", "unreachable"}
            assert all(gap["ended_at"] is not None for gap in gaps)
            assert (matcher_pid(supervisor), decoder_pid(supervisor, "yard")) == (matcher, yard)
            assert json.loads(live_bench.state("yard")["gaps"])["gaps"] == []
            assert "todays" not in json.dumps(live_bench.state("gate"))
