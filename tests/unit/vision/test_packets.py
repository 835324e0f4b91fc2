"""Clips by stream copy: bounded, from a key frame on, and what the camera said bit for bit."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.stream import VideoStream

from tests.builders import numbered, write_video
from vision.packets import EncodedClip, PacketRing
from vision.sources import SourceOptions
from vision.types import Image
from vision.video import open_source

FPS, GROUP = 25, 10
"""Pictures a second and from key frame to key frame."""

FRAMES = [numbered(index) for index in range(60)]
PLENTY = 10_000_000


def filmed(path: Path, *, codec: str = "libx264", options: dict[str, str] | None = None) -> Path:
    """Sixty numbered pictures, a key frame every tenth."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options={"g": str(GROUP), **(options or {})})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = 96, 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for image in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def tapped(path: Path, ring: PacketRing, *, stop_at: int = 1000) -> None:
    with open_source(path, SourceOptions(packet_tap=ring.add)) as source:
        for picture in source.pictures():
            if picture.frame_index == stop_at:
                break


def shown(clip: EncodedClip) -> list[Image]:
    with av.open(io.BytesIO(clip.content), "r") as container:
        frames = list(container.decode(video=0))
    assert frames[0].key_frame
    times = [frame.time - frames[0].time for frame in frames]
    assert times == pytest.approx([index / FPS for index in range(len(frames))], abs=0.002)
    return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in frames]


@pytest.mark.parametrize(
    ("name", "codec", "options", "container"),
    [
        pytest.param("clip.mp4", "libx264", {"bf": "0", "sc_threshold": "0"}, "mp4", id="H.264"),
        pytest.param(
            "clip.mp4", "libx264", {"bf": "2", "sc_threshold": "0"}, "mp4", id="H.264 with B frames"
        ),
        pytest.param("clip.ts", "libx264", {"bf": "0", "sc_threshold": "0"}, "mp4", id="H.264 in TS"),
        pytest.param("clip.mp4", "libx265", {"x265-params": "log-level=none:scenecut=0"}, "mp4", id="H.265"),
        pytest.param("clip.mkv", "mjpeg", {}, "mkv", id="MJPEG"),
    ],
)
def test_a_clip_is_what_the_camera_sent(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], container: str
) -> None:
    path = filmed(tmp_path / name, codec=codec, options=options)
    ring = PacketRing(60, PLENTY)
    tapped(path, ring)
    with open_source(path) as source:
        frames = list(source)
    began = frames[0].pts_seconds
    clip = ring.clip(began + 1.0, began + 2.0)
    assert clip is not None
    assert clip.container == container
    assert clip.whole_beginning
    first = round((clip.began_pts_seconds - began) * FPS)
    assert first <= 25
    assert codec == "mjpeg" or first >= 25 - GROUP
    assert clip.ended_pts_seconds == pytest.approx(began + 2.0, abs=0.001)
    images = shown(clip)
    assert len(images) == clip.packets == 51 - first
    for image, frame in zip(images, frames[first:], strict=False):
        assert np.array_equal(image, frame.image)


def test_what_is_too_old_goes_by_whole_groups(tmp_path: Path) -> None:
    ring = PacketRing(0.5, PLENTY)
    tapped(filmed(tmp_path / "clip.mp4", options={"bf": "0", "sc_threshold": "0"}), ring)
    clip = ring.clip(0, 100)
    assert clip is not None
    assert not clip.whole_beginning
    assert (clip.began_pts_seconds, clip.ended_pts_seconds) == pytest.approx((40 / FPS, 59 / FPS))
    assert ring.newest_pts_seconds == pytest.approx(59 / FPS)


def test_it_never_holds_more_than_it_may(tmp_path: Path) -> None:
    path = filmed(tmp_path / "clip.mp4", options={"bf": "0", "sc_threshold": "0"})
    whole = PacketRing(60, PLENTY)
    tapped(path, whole)
    limit = whole.byte_count // 2
    ring = PacketRing(60, limit)
    held: list[int] = []

    def tap(packet: Packet[VideoStream]) -> None:
        ring.add(packet)
        held.append(ring.byte_count)

    with open_source(path, SourceOptions(packet_tap=tap)) as source:
        list(source.pictures())
    assert len(held) == 60
    assert 0 < max(held) <= limit
    clip = ring.clip(0, 100)
    assert clip is not None
    assert shown(clip)
    assert ring.oversized_count == 0


def test_a_group_larger_than_everything_allowed_is_given_up_and_told(tmp_path: Path) -> None:
    ring = PacketRing(60, 10)
    tapped(filmed(tmp_path / "clip.mp4"), ring)
    assert ring.byte_count == 0
    assert ring.oversized_count > 0
    assert ring.clip(0, 100) is None


def test_nothing_of_that_time_is_no_clip(tmp_path: Path) -> None:
    ring = PacketRing(60, PLENTY)
    assert ring.clip(0, 1) is None
    tapped(filmed(tmp_path / "clip.mp4"), ring)
    assert ring.clip(-5, -1) is None


def test_a_new_connection_begins_anew_and_outlives_the_old_one(tmp_path: Path) -> None:
    ring = PacketRing(60, PLENTY)
    tapped(filmed(tmp_path / "first.mp4"), ring)
    tapped(write_video(tmp_path / "second.mp4", FRAMES[:20], codec="mpeg4"), ring)
    clip = ring.clip(0, 100)
    assert clip is not None
    assert (clip.codec, clip.packets) == ("mpeg4", 20)
    assert len(shown(clip)) == 20


def test_no_clip_goes_across_a_jump_of_the_clock(tmp_path: Path) -> None:
    pts = [*range(30), *range(10_000, 10_030)]
    ring = PacketRing(100_000, PLENTY)
    tapped(write_video(tmp_path / "jump.mkv", FRAMES, pts=pts), ring)
    clip = ring.clip(0, 100_000)
    assert clip is not None
    assert clip.began_pts_seconds >= 10_000 / FPS
    assert shown(clip)


def test_a_clip_can_be_made_twice_and_later(tmp_path: Path) -> None:
    ring = PacketRing(60, PLENTY)
    tapped(filmed(tmp_path / "clip.mp4"), ring)
    assert ring.clip(0.5, 1.5) == ring.clip(0.5, 1.5)
    assert "content" not in repr(ring.clip(0.5, 1.5))
