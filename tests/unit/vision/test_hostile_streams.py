"""Streams that are broken, foreign or meant to harm: told in one line, counted, and nothing is left behind."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from tests.camera_servers import camera_server, serving
from tests.video_builders import Fate, filmed, moving, shades, sound, with_fates
from vision.errors import SourceDecodeError, SourceError, SourceOpenError
from vision.sources import FrameSource, SourceOptions
from vision.types import Frame, Image
from vision.video import open_source

QUICK = SourceOptions(open_timeout_seconds=3, read_timeout_seconds=3)


@contextmanager
def camera(content: bytes, options: SourceOptions = QUICK, *, broken: bool = False) -> Iterator[FrameSource]:
    """A camera that sends this and ends the stream; `broken`: hangs up without having said how much there is."""
    behave = serving(content, announced=not broken)
    with camera_server(behave) as server, open_source(server.url(), options) as source:
        yield source


def frames_of(content: bytes, *, broken: bool = False) -> tuple[list[Frame], FrameSource]:
    with camera(content, broken=broken) as source:
        frames: list[Frame] = []
        with suppress(SourceDecodeError):
            frames.extend(source)
        assert source.read_count == len(frames) + source.undecodable_count
        return frames, source


def furthest(frames: list[Frame], truth: list[Image]) -> float:
    """The largest mean difference of a picture from the one it is closest to."""
    return max(
        min(float(np.abs(frame.image.astype(int) - image).mean()) for image in truth) for frame in frames
    )


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4", "mpeg2video"])
def test_nothing_is_shown_before_the_first_key_frame(codec: str) -> None:
    """A camera is joined in the middle: without the key frame its pictures are grey smears."""
    images = moving(30)
    joined = with_fates(filmed(images, codec=codec), lambda number, data: data if number >= 4 else None)
    frames, source = frames_of(joined)
    assert frames[0].key_frame
    assert frames[0].frame_index == source.undecodable_count == 6
    assert len(frames) == 20
    assert furthest(frames, images) < 12
    assert any("first key frame" in problem for problem in source.problems)


def test_that_limit_notices_a_smear(tmp_path: Path) -> None:
    """A file is shown as it is: what this decoder makes of it without its key frame."""
    images, path = moving(30), tmp_path / "joined.ts"
    path.write_bytes(
        with_fates(filmed(images, codec="mpeg4"), lambda number, data: data if number >= 4 else None)
    )
    with open_source(path) as source:
        assert furthest(list(source), images) > 12


def garbled(at: int) -> Fate:
    def fate(number: int, data: bytes) -> bytes:
        if number != at:
            return data
        broken = bytearray(data)
        middle = len(broken) // 3
        broken[middle : middle + 20] = bytes(value ^ 0x5A for value in broken[middle : middle + 20])
        return bytes(broken)

    return fate


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_picture_the_decoder_calls_damaged_is_not_shown(codec: str) -> None:
    images = moving(30)
    frames, source = frames_of(with_fates(filmed(images, codec=codec), garbled(15)))
    assert source.undecodable_count >= 1
    assert 15 not in [frame.frame_index for frame in frames]
    assert len(frames) + source.undecodable_count == 30
    assert any("is damaged" in problem or "not be decoded" in problem for problem in source.problems)


def test_what_the_decoder_still_held_when_the_connection_broke_is_shown() -> None:
    frames, source = frames_of(filmed(moving(30), b_frames=2), broken=True)
    assert (len(frames), source.undecodable_count) == (30, 0)


def test_packets_a_decoder_swallows_are_counted_though_the_connection_broke() -> None:
    """H.265 without one of its pictures: this decoder says nothing and shows nothing until the next key frame."""
    video = filmed(moving(30), codec="libx265")
    without = with_fates(video, lambda number, data: None if number == 13 else data)
    frames, source = frames_of(without, broken=True)
    assert len(frames) < 29
    assert source.read_count == 29


def test_garbage_packets_cost_themselves() -> None:
    random = np.random.default_rng(1)

    def fate(number: int, data: bytes) -> bytes:
        return (
            data if number % 3 or number % 10 == 0 else random.integers(0, 256, len(data), np.uint8).tobytes()
        )

    frames, source = frames_of(with_fates(filmed(moving(40)), fate))
    assert 10 < len(frames) < 40
    assert source.undecodable_count > 0


@pytest.mark.parametrize("seed", range(6))
def test_random_damage_anywhere_raises_nothing_else(seed: int) -> None:
    content = np.frombuffer(filmed(moving(25)), np.uint8).copy()
    random = np.random.default_rng(seed)
    places = random.integers(0, len(content), 40)
    content[places] = random.integers(0, 256, len(places), np.uint8)
    with suppress(SourceOpenError):
        frames_of(content.tobytes())


def test_a_size_that_changes_is_shown_at_its_own_size() -> None:
    small, large = shades(10), shades(10, (192, 128))
    content = (
        filmed(small, container="h264") + filmed(large, container="h264") + filmed(small, container="h264")
    )
    frames, source = frames_of(content)
    sizes = [frame.size_wh for frame in frames]
    assert sizes == [(96, 64)] * 10 + [(192, 128)] * 10 + [(96, 64)] * 10
    assert source.undecodable_count == 0
    assert np.abs(frames[15].image.astype(int) - large[5]).mean() < 8


def test_a_pixel_format_that_changes_is_converted() -> None:
    content = b"".join(
        filmed(shades(8), container="h264", pixel_format=name) for name in ("yuv420p", "yuv444p", "yuv422p")
    )
    frames, source = frames_of(content)
    assert (len(frames), source.undecodable_count) == (24, 0)
    for index, frame in enumerate(frames):
        assert np.abs(frame.image.astype(int) - shades(8)[index % 8]).mean() < 8


def test_another_codec_all_of_a_sudden_is_undecodable_and_shows_nothing() -> None:
    images = moving(20)
    frames, source = frames_of(filmed(images) + filmed(moving(20), codec="libx265"))
    assert source.undecodable_count >= 15
    assert furthest(frames[:18], images) < 12
    assert len(frames) <= 21


def test_pictures_that_grow_too_large_are_undecodable() -> None:
    options = SourceOptions(open_timeout_seconds=3, read_timeout_seconds=3, max_pixels=100 * 100)
    content = filmed(shades(10), container="h264") + filmed(shades(2, (1920, 1080)), container="h264")
    with camera(content, options) as source:
        sizes = {frame.size_wh for frame in source}
        assert sizes == {(96, 64)}
        assert source.undecodable_count >= 1


def test_8k_is_refused_by_the_usual_limit_of_cameras_and_read_where_allowed() -> None:
    image = shades(1, (7680, 4320))[0]
    content = filmed([image, image], codec="mjpeg", container="mpjpeg", pixel_format="yuvj420p")
    limit = SourceOptions(open_timeout_seconds=3, read_timeout_seconds=3, max_pixels=8_847_360)
    with (
        pytest.raises(SourceOpenError, match=r"7680×4320 are too large: at most 8847360 pixels"),
        camera(content, limit),
    ):
        pass
    with camera(content) as source:
        next(source.pictures())
        assert source.size_wh == (7680, 4320)


def test_one_pixel_is_a_picture() -> None:
    frames, _ = frames_of(
        filmed(shades(12, (1, 1)), codec="mjpeg", container="mpjpeg", pixel_format="yuvj444p")
    )
    assert len(frames) >= 1
    assert {frame.size_wh for frame in frames} == {(1, 1)}


def test_a_stream_that_states_no_rate_is_read() -> None:
    frames, source = frames_of(filmed(shades(12), container="h264"))
    assert len(frames) == 12
    assert source.fps_nominal is None or source.fps_nominal > 0
    assert source.estimated_pts_count in (0, 12)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(sound(), "holds no video, only audio", id="audio only"),
        pytest.param(b"", "ended too early|nothing that is media", id="nothing"),
        pytest.param(np.random.default_rng(2).bytes(200_000), "nothing that is media|too early", id="noise"),
        pytest.param(b"ffconcat version 1.0\nfile /etc/passwd\n", "no kind of video", id="script"),
        pytest.param(b"\0" * 300_000, "nothing that is media|too early", id="zeros"),
        pytest.param(
            filmed(shades(10))[:150], "nothing that is media|too early|no video", id="cut in its first packet"
        ),
    ],
)
def test_what_is_no_video_is_told_in_one_line(content: bytes, reason: str) -> None:
    with pytest.raises(SourceOpenError, match=reason) as caught, camera(content):
        pass
    assert "\n" not in str(caught.value)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_opening_again_and_again_leaves_nothing_behind() -> None:
    """As a camera that is lost every few seconds for months."""
    contents = [
        filmed(moving(12)),
        with_fates(filmed(moving(12)), garbled(5)),
        filmed(shades(4), container="h264") + filmed(shades(4, (192, 128)), container="h264"),
        sound(),
        b"\0" * 10_000,
    ]

    def round_of_all() -> None:
        for content in contents:
            with camera_server(serving(content, announced=False)) as server:
                try:
                    with open_source(server.url(), QUICK) as source:
                        list(source)
                except SourceError:
                    continue

    for _ in range(5):
        round_of_all()
    open_before, bytes_before = descriptors(), resident_bytes()
    for _ in range(25):
        round_of_all()
    assert descriptors() <= open_before
    assert resident_bytes() - bytes_before < 12_000_000
