"""The decoder's process on a camera that goes away, falls silent, freezes, changes, and comes back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from pipelines.accounting import FrameAccounting
from pipelines.live.clip_messages import ClipMade, ClipWanted
from pipelines.live.counters import drops_of
from pipelines.live.messages import DecoderJob, GapEnded, GateSettings, SourceSettings
from pipelines.live.ring_reader import RingPicture
from pipelines.live.ring_source import RingSource
from tests.builders import noise
from tests.unit.pipelines.live.decoder_bench import MAX_PIXELS, DecoderBench, decoder_bench, job, ring_source
from tests.unit.pipelines.live.mjpeg_camera import MjpegCamera, mjpeg_camera
from tests.unit.pipelines.live.stream_camera import FPS, StreamCamera, stream_camera
from tests.waiting import wait_until

pytestmark = pytest.mark.system  # takes its time

QUICK = SourceSettings(
    allow_local=True,
    open_timeout_seconds=5.0,
    read_timeout_seconds=1.0,
    max_pixels=MAX_PIXELS,
    frozen_seconds=None,
)
WITHIN_SECONDS = 1.0
"""How near to the truth a gap must be."""


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with mjpeg_camera() as made:
        yield made


@pytest.fixture
def bench() -> Iterator[DecoderBench]:
    with decoder_bench() as made:
        yield made


def live_job(camera: MjpegCamera, **changed: object) -> DecoderJob:
    return job(camera.address, live=True, **{"options": QUICK, **changed})


class Watcher:
    """Takes what comes, as a matching process does."""

    def __init__(self, bench: DecoderBench, source: RingSource) -> None:
        self._bench = bench
        self._source = source
        self._gaps_seen = 0
        self.taken: list[RingPicture] = []

    def watch_until(self, holds: Callable[[], bool], *, seconds: float = 30.0) -> None:
        """Takes pictures until it holds."""

        def took_and_holds() -> bool:
            while (picture := self._source._taken()[0]) is not None:
                self.taken.append(picture)
            return holds()

        wait_until(took_and_holds, seconds=seconds)

    def watch(self, count: int) -> None:
        """Takes some more pictures."""
        before = len(self.taken)
        self.watch_until(lambda: len(self.taken) >= before + count)

    def watch_gap(self, ended: bool) -> GapEnded:
        """Goes on until a gap is told to have begun, or ended."""
        self.watch_until(lambda: len(self._bench.gaps) > self._gaps_seen)
        gap = self._bench.gaps[self._gaps_seen]
        self._gaps_seen += 1
        assert (gap.ended_at is not None) is ended
        return gap


@contextmanager
def watching(bench: DecoderBench, given: DecoderJob) -> Iterator[Watcher]:
    bench.start(given)
    with ring_source(bench, live=True) as source:
        yield Watcher(bench, source)


def everything_is_counted(bench: DecoderBench, taken: int) -> None:
    """Stops the decoder and adds up."""
    assert bench.stop() == 0
    assert bench.settle() == 0, "a decoder that ends by itself leaves nothing without a fate"
    counters = bench.counters()
    read = counters.decoder.read
    in_ring = bench.published() - counters.matcher.position
    assert counters.accounting().read + counters.matcher.taken + in_ring == read
    assert counters.matcher.taken == taken
    counters.close()


def test_a_camera_that_hangs_up_is_opened_again(bench: DecoderBench, camera: MjpegCamera) -> None:
    with watching(bench, live_job(camera)) as watcher:
        watcher.watch(5)
        for _ in range(2):
            camera.stop()
            hung_up = camera.last_sent
            gap = watcher.watch_gap(ended=False)
            assert gap.reason == "unreachable"
            assert gap.began_at.timestamp() == pytest.approx(hung_up, abs=WITHIN_SECONDS)
            assert bench.states[-1].phase == "retrying"
            back = time.time()
            sent = camera.sent
            camera.start()
            over = watcher.watch_gap(ended=True)
            assert camera.sent > sent
            assert over.began_at == gap.began_at
            assert over.ended_at is not None
            assert back - 0.1 <= over.ended_at.timestamp() < back + 10
        watcher.watch(5)
        assert bench.states[-1].reconnects == 2
        times = [picture.pts_seconds for picture in watcher.taken]
        assert times == sorted(times), "time goes on across openings"
        real = watcher.taken[-1].captured_seconds - watcher.taken[0].captured_seconds
        assert times[-1] - times[0] == pytest.approx(real, abs=0.5)
        everything_is_counted(bench, len(watcher.taken))


def test_a_camera_that_falls_silent_is_a_stall(bench: DecoderBench, camera: MjpegCamera) -> None:
    with watching(bench, live_job(camera)) as watcher:
        watcher.watch(5)
        camera.silent = True
        gap = watcher.watch_gap(ended=False)
        assert gap.reason == "stalled"
        assert gap.began_at.timestamp() == pytest.approx(camera.last_sent, abs=WITHIN_SECONDS)
        camera.silent = False
        watcher.watch_gap(ended=True)
        everything_is_counted(bench, len(watcher.taken))


def test_a_camera_that_sends_no_pictures_is_undecodable(bench: DecoderBench, camera: MjpegCamera) -> None:
    with watching(bench, live_job(camera)) as watcher:
        watcher.watch(5)
        last = camera.last_sent
        camera.garbage = True
        gap = watcher.watch_gap(ended=False)
        assert gap.reason in ("undecodable", "stalled")
        assert gap.began_at.timestamp() == pytest.approx(last, abs=WITHIN_SECONDS)
        camera.garbage = False
        watcher.watch_gap(ended=True)
        everything_is_counted(bench, len(watcher.taken))


def test_a_frozen_camera_is_a_gap_and_its_pictures_count(bench: DecoderBench, camera: MjpegCamera) -> None:
    options = replace(QUICK, frozen_seconds=1.0)
    with watching(bench, live_job(camera, options=options)) as watcher:
        watcher.watch(5)
        froze = time.time()
        camera.picture = lambda _: noise((160, 120), 7)
        gap = watcher.watch_gap(ended=False)
        assert gap.reason == "frozen"
        assert gap.began_at.timestamp() == pytest.approx(froze, abs=WITHIN_SECONDS)
        assert bench.states[-1].phase == "running"
        watcher.watch(5)
        thawed = time.time()
        camera.picture = lambda index: noise((160, 120), index)
        over = watcher.watch_gap(ended=True)
        assert over.ended_at is not None
        assert over.ended_at.timestamp() == pytest.approx(thawed, abs=WITHIN_SECONDS)
        everything_is_counted(bench, len(watcher.taken))


def test_another_size_in_the_middle(bench: DecoderBench, camera: MjpegCamera) -> None:
    gate = GateSettings(heartbeat_seconds=1.0)
    with watching(bench, live_job(camera, gate=gate)) as watcher:
        watcher.watch(5)
        camera.picture = lambda index: noise((320, 200), index)
        watcher.watch_until(lambda: bench.states[-1].size_wh == (320, 200))
        watcher.watch_until(
            lambda: any(p.image is not None and p.image.shape == (200, 320, 3) for p in watcher.taken)
        )
        camera.picture = lambda index: noise((1600, 1200), index)
        watcher.watch_until(lambda: _accounting(bench).undecodable > 0 or bench.states[-1].phase != "running")
        camera.picture = lambda index: noise((160, 120), index)
        watcher.watch(5)
        everything_is_counted(bench, len(watcher.taken))


def _accounting(bench: DecoderBench) -> FrameAccounting:
    counters = bench.counters()
    accounting = counters.accounting()
    counters.close()
    return accounting


def test_nobody_there_is_told_and_tried_again(bench: DecoderBench, camera: MjpegCamera) -> None:
    camera.stop()
    began = time.time()
    with watching(bench, live_job(camera)) as watcher:
        gap = watcher.watch_gap(ended=False)
        assert gap.reason == "unreachable"
        assert began - 0.1 <= gap.began_at.timestamp() < time.time()
        assert "hunter2" not in bench.states[-1].detail
        camera.start()
        watcher.watch_gap(ended=True)
        assert bench.states[-1].reconnects == 0, "it had never been connected"


def test_a_refused_password_is_told(bench: DecoderBench, camera: MjpegCamera) -> None:
    camera.refuses = True
    with watching(bench, live_job(camera)) as watcher:
        assert watcher.watch_gap(ended=False).reason == "refused"
        assert "user name or password" in bench.states[-1].detail


def test_an_address_that_leads_to_this_machine_is_not_opened(
    bench: DecoderBench, camera: MjpegCamera
) -> None:
    with watching(bench, live_job(camera, options=replace(QUICK, allow_local=False))) as watcher:
        watcher.watch_gap(ended=False)
        assert "this machine itself" in bench.states[-1].detail
        assert camera.sent == 0


def test_a_new_process_goes_on_in_time_and_counts(bench: DecoderBench, camera: MjpegCamera) -> None:
    with watching(bench, live_job(camera)) as watcher:
        watcher.watch(10)
        assert bench.process is not None
        bench.process.kill()
        bench.process.wait()
        assert bench.settle() <= 1
        bench.start(live_job(camera))
        watcher.watch(10)
        times = [picture.pts_seconds for picture in watcher.taken]
        assert times == sorted(times)
        real = watcher.taken[-1].captured_seconds - watcher.taken[0].captured_seconds
        assert times[-1] - times[0] == pytest.approx(real, abs=0.5)
        everything_is_counted(bench, len(watcher.taken))


def test_a_silent_camera_stops_soon(bench: DecoderBench, camera: MjpegCamera) -> None:
    options = replace(QUICK, read_timeout_seconds=60.0)
    with watching(bench, live_job(camera, options=options)) as watcher:
        watcher.watch(3)
        camera.silent = True
        time.sleep(0.1)
        began = time.monotonic()
        assert bench.stop(seconds=5) == 0
        assert time.monotonic() - began < 5
        assert bench.settle() == 0
        assert watcher.taken


@pytest.fixture
def stream() -> Iterator[StreamCamera]:
    with stream_camera() as made:
        yield made


def stream_job(stream: StreamCamera) -> DecoderJob:
    return job(stream.address, live=True, options=replace(QUICK, read_timeout_seconds=30.0))


def test_a_decoder_that_was_held_up_goes_on_with_the_newest(
    bench: DecoderBench, stream: StreamCamera
) -> None:
    """Stopped for a while, it does not work off what waited for it."""
    with watching(bench, stream_job(stream)) as watcher:
        watcher.watch(25)
        assert bench.process is not None
        bench.process.send_signal(signal.SIGSTOP)
        sent = stream.sent
        wait_until(lambda: stream.sent > sent + 3 * FPS)
        bench.process.send_signal(signal.SIGCONT)
        watcher.watch(2 * FPS)
        counters = bench.counters()
        overtaken = drops_of({"overtaken": 1}).index(1)
        assert counters.decoder.dropped[overtaken] > FPS, "those of the pause, but for the last second"
        counters.close()
        assert bench.gaps == []
        everything_is_counted(bench, len(watcher.taken))


def test_a_clock_that_jumps_is_bridged_and_told(bench: DecoderBench, stream: StreamCamera) -> None:
    with watching(bench, stream_job(stream)) as watcher:
        watcher.watch(FPS)
        stream.clock_jump_seconds = 3600.0
        watcher.watch_until(lambda: bench.states[-1].rebased == 1)
        watcher.watch(FPS)
        times = [picture.pts_seconds for picture in watcher.taken]
        assert times == sorted(times)
        assert times[-1] - times[0] < 60
        everything_is_counted(bench, len(watcher.taken))


def test_a_clip_is_made_while_the_camera_runs(bench: DecoderBench, stream: StreamCamera) -> None:
    given = replace(stream_job(stream), clip_seconds_before=2.0, clip_seconds_after=1.0)
    with watching(bench, given) as watcher:
        watcher.watch(3 * FPS)
        ended = watcher.taken[-1].pts_seconds
        bench.tell(ClipWanted("gate", "c1", ended - 2.0, ended, ()))
        watcher.watch_until(lambda: any(isinstance(message, ClipMade) for message in bench.listen()))
        (made,) = [message for message in bench.said if isinstance(message, ClipMade)]
        assert (made.clip_id, made.problem) == ("c1", "")
        assert [part.kind for part in made.parts] == ["clip_redacted", "clip"]
        assert made.parts[1].first_pts_seconds == pytest.approx(ended - 2.0, abs=1.0)
        watcher.watch(FPS)
        everything_is_counted(bench, len(watcher.taken))
