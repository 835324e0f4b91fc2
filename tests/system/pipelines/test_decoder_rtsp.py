"""A decoder on a real RTSP server that is killed and comes back: resumed, counted, its gaps near the truth."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from bench.live.site import SiteError, rtsp_server
from pipelines.live.messages import SourceSettings
from tests.builders import noise, write_video
from tests.unit.pipelines.live.decoder_bench import MAX_PIXELS, DecoderBench, decoder_bench, job, ring_source
from tests.unit.pipelines.live.test_decoder_live import Watcher, everything_is_counted

pytestmark = pytest.mark.system

RESUMED_WITHIN_SECONDS = 10.0
GAP_WITHIN_SECONDS = 1.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute at ten pictures a second, a key frame in each."""
    pictures = [noise((160, 120), seed) for seed in range(20)] * 30
    return write_video(tmp_path_factory.mktemp("rtsp") / "clip.mp4", pictures, fps=10)


@pytest.fixture
def bench() -> Iterator[DecoderBench]:
    with decoder_bench() as made:
        yield made


class Server:
    """One port, served again after `kill`."""

    def __init__(self, clip: Path, parts: ExitStack) -> None:
        self._clip = clip
        self._parts = parts
        self.port = 0
        self.start()

    def start(self) -> None:
        try:
            self.process, self.port = self._parts.enter_context(rtsp_server([self._clip], self.port))
        except SiteError as error:
            pytest.skip(str(error))

    def kill(self) -> float:
        """When it was."""
        self.process.kill()
        killed = time.time()
        self.process.wait()
        return killed


@pytest.mark.parametrize(("transport", "kills"), [("tcp", 3), ("udp", 1)])
def test_a_server_that_is_killed_and_comes_back_is_resumed(
    bench: DecoderBench, clip: Path, transport: Literal["tcp", "udp"], kills: int
) -> None:
    chance = random.Random(20261122)
    options = SourceSettings(
        transport, 5.0, 3.0, allow_local=True, max_pixels=MAX_PIXELS, frozen_seconds=None
    )
    with ExitStack() as parts:
        server = Server(clip, parts)
        address = f"rtsp://127.0.0.1:{server.port}/0"
        bench.start(job(address, live=True, options=options))
        watcher = Watcher(bench, parts.enter_context(ring_source(bench, live=True)))
        for number in range(kills):
            watcher.watch(chance.randrange(5, 15))
            killed = server.kill()
            begun = watcher.watch_gap(ended=False)
            assert begun.reason in ("unreachable", "stalled")
            assert begun.began_at.timestamp() == pytest.approx(killed, abs=GAP_WITHIN_SECONDS)
            time.sleep(chance.uniform(0.1, 3.0))
            server.start()
            returned = time.time()
            over = watcher.watch_gap(ended=True)
            assert over.ended_at is not None
            assert over.ended_at.timestamp() < returned + RESUMED_WITHIN_SECONDS
            assert bench.states[-1].reconnects == number + 1
        watcher.watch(5)
        times = [picture.pts_seconds for picture in watcher.taken]
        assert times == sorted(times)
        assert len(bench.gaps) == 2 * kills
        everything_is_counted(bench, len(watcher.taken))


def test_the_end_of_a_cameras_stream_is_a_lost_camera(bench: DecoderBench, tmp_path: Path) -> None:
    short = write_video(tmp_path / "short.mp4", [noise((160, 120), seed) for seed in range(15)], fps=10)
    with ExitStack() as parts:
        server = Server(short, parts)
        options = SourceSettings(open_timeout_seconds=5, read_timeout_seconds=3, allow_local=True)
        bench.start(job(f"rtsp://127.0.0.1:{server.port}/0", live=True, options=options))
        watcher = Watcher(bench, parts.enter_context(ring_source(bench, live=True)))
        watcher.watch_gap(ended=False)
        watcher.watch_gap(ended=True)
        assert "ended" not in [state.phase for state in bench.states]
        everything_is_counted(bench, len(watcher.taken))


def test_a_server_that_answers_and_hangs_is_left(bench: DecoderBench, clip: Path) -> None:
    """Stopped in the middle of things it keeps its connections, and sends nothing."""
    with ExitStack() as parts:
        server = Server(clip, parts)
        options = SourceSettings(open_timeout_seconds=3, read_timeout_seconds=2, allow_local=True)
        bench.start(job(f"rtsp://127.0.0.1:{server.port}/0", live=True, options=options))
        watcher = Watcher(bench, parts.enter_context(ring_source(bench, live=True)))
        watcher.watch(5)
        server.process.send_signal(signal.SIGSTOP)
        stopped = time.time()
        begun = watcher.watch_gap(ended=False)
        assert begun.reason == "stalled"
        assert begun.began_at.timestamp() == pytest.approx(stopped, abs=GAP_WITHIN_SECONDS)
        watcher.watch_until(lambda: len(bench.states) > 3)
        server.process.send_signal(signal.SIGCONT)
        returned = time.time()
        over = watcher.watch_gap(ended=True)
        assert over.ended_at is not None
        assert over.ended_at.timestamp() < returned + RESUMED_WITHIN_SECONDS
        everything_is_counted(bench, len(watcher.taken))


def test_the_server_is_there() -> None:
    """Skips are failures where these tests must run."""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("gir1.2-gst-rtsp-server-1.0 or python3-gi is not installed")
