"""The decoder's process on files: everything read is counted, masked, limited, and its end is told."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipelines.accounting import FrameAccounting
from pipelines.live.counters import DropReason
from pipelines.live.messages import (
    DecoderJob,
    GateSettings,
    MasksChanged,
    SourceSettings,
    Stop,
    control_pair,
    send,
)
from pipelines.live.ring_reader import RingPicture
from pipelines.live.ring_source import RingSource
from tests.builders import numbered, plain, smooth, write_audio, write_image, write_video
from tests.unit.pipelines.live.decoder_bench import (
    MAX_PIXELS,
    ROOT,
    DecoderBench,
    decoder_bench,
    job,
    ring_source,
)
from tests.waiting import wait_until
from vision.errors import SourceDecodeError
from vision.polygons import Polygon
from vision.types import Image

COUNT = 40
FRAMES = [numbered(index) for index in range(COUNT)]
LEFT_HALF = Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("decoder") / "plain.mp4", FRAMES, index_first=True)


@pytest.fixture
def bench() -> Iterator[DecoderBench]:
    with decoder_bench() as made:
        yield made


def played(bench: DecoderBench, given: DecoderJob) -> tuple[list[RingPicture], FrameAccounting]:
    """Everything a decoder hands on until its end, and what became of the rest."""
    bench.start(given)
    with ring_source(bench) as source:
        taken = [picture for picture in source.pictures() if isinstance(picture, RingPicture)]
        assert bench.process is not None
        assert bench.process.wait(10) == 0
        return taken, source.upstream()


def test_a_recording_arrives_whole(bench: DecoderBench, video: Path) -> None:
    taken, upstream = played(bench, job(video))
    assert [picture.frame_index for picture in taken] == list(range(COUNT))
    assert [picture.pts_seconds for picture in taken] == pytest.approx([index / 25 for index in range(COUNT)])
    assert taken[0].key_frame
    brightness = [picture.to_frame().image[40:, 40:].mean() for picture in taken]
    assert np.allclose(brightness, [10 + index * 4 for index in range(COUNT)], atol=9)
    assert upstream == FrameAccounting()
    assert [state.phase for state in bench.states] == ["opening", "running", "ended"]
    running = bench.states[1]
    assert (running.size_wh, running.fps, running.codec, running.decoding) == (
        (96, 64),
        25.0,
        "h264",
        "software",
    )
    assert bench.gaps == []


def test_a_folder_is_a_recording_too(bench: DecoderBench, tmp_path: Path) -> None:
    for index in range(3):
        write_image(tmp_path / f"{index}.png", smooth(seed=index))
    (tmp_path / "1.png").write_bytes(b"broken")
    taken, upstream = played(bench, job(tmp_path))
    assert [picture.pts_seconds for picture in taken] == [0.0, 2.0]
    assert upstream == FrameAccounting(read=1, undecodable=1)


def test_what_the_rate_does_not_ask_for_is_counted(bench: DecoderBench, video: Path) -> None:
    taken, upstream = played(bench, job(video, inference_fps=5.0))
    assert [picture.frame_index for picture in taken] == list(range(0, COUNT, 5))
    assert upstream == FrameAccounting(read=COUNT - len(taken), decoded=COUNT - len(taken), not_sampled=32)


def test_where_nothing_moves_only_the_time_goes_on(bench: DecoderBench, tmp_path: Path) -> None:
    path = write_video(tmp_path / "still.mp4", [smooth((160, 120))] * 100)
    gate = GateSettings(heartbeat_seconds=2.0, linger_seconds=0.5)
    taken, upstream = played(bench, job(path, gate=gate))
    assert [picture.frame_index for picture in taken] == list(range(100))
    seen = [picture.pts_seconds for picture in taken if not picture.still]
    assert seen[-1] > 2.0, "a heartbeat"
    assert len(seen) < 30
    assert upstream == FrameAccounting()


def masked_and_not(image: Image) -> tuple[float, float]:
    """The brightest pixel well inside the masked half, and the mean of the other."""
    width = image.shape[1]
    return float(image[:, : width // 2 - 4].max()), float(image[:, width // 2 + 6 :].mean())


def test_privacy_masks_are_burnt_in_before_anything_leaves(bench: DecoderBench, tmp_path: Path) -> None:
    path = write_video(tmp_path / "bright.mp4", [plain((96, 64), (200, 200, 200))] * 5)
    taken, _ = played(bench, job(path, privacy_masks=(LEFT_HALF,)))
    for picture in taken:
        covered, other = masked_and_not(picture.to_frame().image)
        assert covered == 0
        assert other > 190


def test_masks_hold_upright(bench: DecoderBench, tmp_path: Path) -> None:
    path = write_video(tmp_path / "turned.mp4", [plain((96, 64), (200, 200, 200))] * 3, rotation=90)
    taken, _ = played(bench, job(path, privacy_masks=(LEFT_HALF,)))
    frame = taken[0].to_frame()
    assert frame.size_wh == (64, 96)
    assert masked_and_not(frame.image)[0] == 0


def test_masks_change_from_the_next_picture_on(bench: DecoderBench, tmp_path: Path) -> None:
    path = write_video(tmp_path / "bright.mp4", [plain((96, 64), (200, 200, 200))] * 60)
    with ring_source(bench) as source:
        bench.start(job(path))
        pictures = source.pictures()
        assert masked_and_not(next(pictures).to_frame().image)[0] > 190
        bench.tell(MasksChanged((LEFT_HALF,), ()))
        time.sleep(0.1)  # the writer is blocked by us, so that the message is there before its next picture
        rest = [masked_and_not(picture.to_frame().image)[0] for picture in pictures]
    assert rest[-1] == 0
    assert sorted(rest, reverse=True) == rest, "once masked, always masked"
    assert rest.count(0.0) > 50


def test_pictures_beyond_the_slots_are_counted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "large.mp4", [smooth((200, 100))] * 4)
    with decoder_bench(max_pixels=64 * 64) as bench:
        taken, upstream = played(bench, job(path))
    assert taken == []
    assert upstream == FrameAccounting(read=4, decoded=4, dropped={"too_large": 4})


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "no such file"),
        ("empty", "is empty"),
        ("text", "not a video file"),
        ("audio", "holds no video"),
        ("too large", "too large"),
    ],
)
def test_what_is_no_video_fails_with_its_reason(
    bench: DecoderBench, tmp_path: Path, kind: str, said: str
) -> None:
    path = tmp_path / "bad.mp4"
    if kind == "audio":
        write_audio(path)
    elif kind == "too large":
        write_video(path, [plain((800, 600))])
    elif kind != "missing":
        path.write_bytes(b"" if kind == "empty" else b"hello" * 1000)
    bench.start(job(path))
    with ring_source(bench) as source, pytest.raises(SourceDecodeError, match=said):
        list(source.pictures())
    state = bench.wait_for_phase("failed")
    assert said in state.detail
    assert bench.process is not None
    assert bench.process.wait(10) == 0


def test_a_file_cut_short_gives_what_it_holds(bench: DecoderBench, video: Path, tmp_path: Path) -> None:
    data = video.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) * 2 // 3])
    bench.start(job(path))
    taken = []
    with ring_source(bench) as source:
        with pytest.raises(SourceDecodeError, match="cut off"):
            taken += list(source.pictures())
        assert bench.process is not None
        assert bench.process.wait(10) == 0
        upstream = source.upstream()
        assert source.read_count + upstream.read == COUNT
        assert upstream.undecodable == upstream.read > 0


def test_a_damaged_file_is_counted_to_the_last_picture(
    bench: DecoderBench, video: Path, tmp_path: Path
) -> None:
    data = bytearray(video.read_bytes())
    body = data.index(b"mdat") + 4
    place = body + (len(data) - body) // 2
    data[place : place + 60] = np.random.default_rng(0).integers(0, 256, 60, np.uint8).tobytes()
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    taken, upstream = played(bench, job(path))
    assert len(taken) + upstream.read == COUNT
    assert upstream.undecodable == upstream.read > 0


def test_it_stops_when_it_is_told_while_it_waits_for_room(bench: DecoderBench, video: Path) -> None:
    bench.start(job(video))
    wait_until(lambda: bench.published() == 3)
    assert bench.stop() == 0
    assert bench.states[-1].phase == "stopped"
    counters = bench.counters()
    counters.settle_ring(3, 3, DropReason.STOPPED)
    assert counters.accounting().dropped == {"stopped": 4}, "three in the ring, one in its hands"
    assert counters.settle_decoder(3) == 0
    counters.close()


@pytest.mark.parametrize("how", ["socket closed", "SIGTERM"])
def test_it_stops_when_its_supervisor_is_gone(bench: DecoderBench, video: Path, how: str) -> None:
    process = bench.start(job(video))
    wait_until(lambda: bench.published() == 3)
    if how == "SIGTERM":
        process.send_signal(signal.SIGTERM)
    else:
        assert bench.control is not None
        bench.control.close()
        bench.control = None
    assert process.wait(10) == 0


def test_an_interrupt_from_the_terminal_is_the_supervisors(bench: DecoderBench, video: Path) -> None:
    process = bench.start(job(video))
    wait_until(lambda: bench.published() == 3)
    process.send_signal(signal.SIGINT)
    with ring_source(bench) as source:
        assert len(list(source.pictures())) == COUNT
    assert process.wait(10) == 0


def test_killed_and_started_again_every_frame_has_a_fate(bench: DecoderBench, video: Path) -> None:
    chance = random.Random(11)
    died = 0
    source = RingSource("gate", bench.descriptors, live=False)
    for _ in range(4):
        process = bench.start(job(video))
        wait_until(lambda: bench.published() > source.read_count)
        for _ in range(chance.randrange(1, 30)):
            assert source._taken()[0] is not None or bench.published() < COUNT
        process.kill()
        process.wait()
        died += bench.settle()
    while source._taken()[0] is not None:
        source.read_count += 1
    counters = bench.counters()
    taken, read = counters.matcher.taken, counters.decoder.read
    upstream = source.upstream()
    assert upstream.read + taken == read
    assert upstream.dropped.get("decoder_died", 0) == died <= 4
    counters.close()
    source.close()


def test_it_knows_no_keys_no_redis_no_models() -> None:
    code = (
        "import sys, pipelines.live.decoder, pipelines.live.decoder_run, pipelines.live.clip_maker\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {
        "cryptography", "fsspec", "joserfc", "onnxruntime", "pydantic", "redis", "scipy", "sqlalchemy", "structlog",
    }  # fmt: skip
    assert {"av", "cv2", "numpy"} <= loaded


def test_the_limits_hold_before_anything_parses() -> None:
    """What parses is loaded by `_decode`, after every limit was taken."""
    code = "import sys, pipelines.live.decoder\nprint('av' in sys.modules, 'cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_running_decoder_is_limited(bench: DecoderBench, video: Path) -> None:
    process = bench.start(job(video))
    wait_until(lambda: bench.published() == 3)
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text("utf-8").splitlines()
    )
    assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip()) == ("1", "2")
    assert int(status["Threads"]) == 2, "one that decodes and one that listens"
    limits = Path(f"/proc/{process.pid}/limits").read_text("utf-8")
    assert "unlimited" not in next(
        line for line in limits.splitlines() if line.startswith("Max address space")
    )
    assert "64 " in next(line for line in limits.splitlines() if line.startswith("Max open files"))


def test_nothing_of_the_address_is_in_its_arguments_or_environment(bench: DecoderBench) -> None:
    process = bench.start(job("http://viewer:hunter2@127.0.0.1:9/video", live=True))
    bench.wait_for_phase("retrying")
    for place in ("cmdline", "environ"):
        try:
            content = Path(f"/proc/{process.pid}/{place}").read_bytes()
        except PermissionError:
            continue  # not dumpable: not to be read by others at all
        assert b"hunter2" not in content
    assert all("hunter2" not in str(message) for message in bench.said)


@pytest.mark.parametrize("arguments", [[], ["seven"], ["1000"]])
def test_by_hand_it_says_how_it_is_started(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pipelines.live.decoder", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert "aiqyn work" in done.stderr


def test_a_first_message_that_is_no_job_is_refused() -> None:
    ours, theirs = control_pair()
    with ours, theirs:
        send(ours, Stop())
        command = [sys.executable, "-m", "pipelines.live.decoder", str(theirs.fileno())]
        done = subprocess.run(
            command, pass_fds=(theirs.fileno(),), capture_output=True, cwd=ROOT, check=False
        )
    assert done.returncode == 2
    assert b"must be its job" in done.stderr


def test_many_wake_ups_lose_none(bench: DecoderBench, tmp_path: Path) -> None:
    """A reader slower and faster by turns than the writer takes every frame of a longer recording."""
    path = write_video(tmp_path / "long.mp4", FRAMES * 10)
    chance = random.Random(5)
    bench.start(job(path))
    count = 0
    with ring_source(bench) as source:
        for _ in source.pictures():
            count += 1
            threading.Event().wait(chance.choice([0.0, 0.0, 0.0, 0.002]))
    assert count == COUNT * 10


def test_a_device_that_is_not_there_is_told_and_software_decodes(bench: DecoderBench, video: Path) -> None:
    options = SourceSettings(hardware_decode="nonesuch", max_pixels=MAX_PIXELS)
    taken, _ = played(bench, job(video, options=options))
    assert len(taken) == COUNT
    assert bench.states[1].decoding == "software"
    assert "software decodes" in bench.states[1].detail
    assert "nonesuch" in bench.states[1].detail


def test_the_bench_has_room_for_its_pictures() -> None:
    assert MAX_PIXELS >= 200 * 100
