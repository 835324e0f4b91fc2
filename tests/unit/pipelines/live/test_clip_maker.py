"""`pipelines.live.clip_maker`: from a camera's packets to a redacted clip, and to the original where that may be."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipelines.errors import EvidenceError
from pipelines.live import clip_maker
from pipelines.live.clip_maker import ClipMaker
from pipelines.live.clip_memory import from_memory, to_memory
from pipelines.live.clip_messages import ClipLook, ClipMade, ClipWanted
from tests.waiting import wait_until
from vision.polygons import Polygon
from vision.sources import SourceOptions
from vision.types import Image
from vision.video import open_source

SIZE_WH, FPS, SECONDS = (320, 240), 10, 8
PROBE = (0.1, 0.2, 0.3, 0.5)
MASKED = Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))


def picture(index: int) -> Image:
    return np.random.default_rng(index).integers(0, 255, (SIZE_WH[1], SIZE_WH[0], 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "camera.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=FPS, options={"g": "10", "bf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        for index in range(FPS * SECONDS):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="bgr24")))
        output.mux(stream.encode(None))
    return path


class Answers:
    """What a maker delivered."""

    def __init__(self) -> None:
        self.got: list[tuple[ClipMade, tuple[bytes, ...]]] = []

    def __call__(self, made: ClipMade, contents: tuple[bytes, ...]) -> None:
        self.got.append((made, contents))

    def one(self) -> tuple[ClipMade, tuple[bytes, ...]]:
        wait_until(lambda: bool(self.got), seconds=60)
        return self.got.pop(0)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def make(answers: Answers) -> Iterator[Callable[..., ClipMaker]]:
    made: list[ClipMaker] = []

    def maker(*masks: Polygon, **options: float) -> ClipMaker:
        shift = options.get("shift", 0.0)
        made.append(ClipMaker(6.0, masks, answers, shift_seconds=lambda: shift))
        return made[-1]

    yield maker
    for one in made:
        one.close()


def play(path: Path, maker: ClipMaker) -> None:
    with open_source(str(path), SourceOptions(packet_tap=maker.tap)) as source:
        for _ in source.pictures():
            pass


def wanted(began: float = 2.0, ended: float = 5.0, *, shift: float = 0.0) -> ClipWanted:
    looks = tuple(ClipLook(shift + began + step / 5, PROBE) for step in range(round((ended - began) * 5) + 1))
    return ClipWanted("gate", "c1", shift + began, shift + ended, looks)


def decoded(content: bytes) -> list[Image]:
    with av.open(io.BytesIO(content), "r") as container:
        return [np.asarray(one.to_ndarray(format="bgr24"), np.uint8) for one in container.decode(video=0)]


def sharpness(image: Image, box: tuple[float, float, float, float]) -> float:
    """How much a picture of noise differs from pixel to pixel in a part of it."""
    x1, y1, x2, y2 = (int(value * side) for value, side in zip(box, (*SIZE_WH, *SIZE_WH), strict=True))
    return float(np.abs(np.diff(image[y1:y2, x1:x2].astype(int), axis=1)).mean())


def test_both_files_and_what_is_said_of_them(
    recording: Path, make: Callable[..., ClipMaker], answers: Answers
) -> None:
    maker = make()
    play(recording, maker)
    maker.want(wanted())
    made, contents = answers.one()
    assert made.problem == ""
    assert [part.kind for part in made.parts] == ["clip_redacted", "clip"]
    assert [part.size_bytes for part in made.parts] == [len(content) for content in contents]
    for part in made.parts:
        assert part.first_pts_seconds == pytest.approx(2.0, abs=0.01)
        assert part.seconds == pytest.approx(3.0, abs=0.11)
        assert (part.width, part.height) == SIZE_WH


def test_the_original_is_what_the_camera_sent_and_the_other_shows_the_probe_alone(
    recording: Path, make: Callable[..., ClipMaker], answers: Answers
) -> None:
    maker = make()
    play(recording, maker)
    maker.want(wanted())
    _, (redacted, original) = answers.one()
    everything = [sharpness(image, (0.5, 0.0, 1.0, 1.0)) for image in decoded(original)]
    assert min(everything) > 20
    shown = decoded(redacted)
    assert len(shown) == len(everything) == 31
    assert min(sharpness(image, (0.12, 0.25, 0.28, 0.45)) for image in shown) > 10
    assert max(sharpness(image, (0.5, 0.0, 1.0, 1.0)) for image in shown) < 6


def test_where_a_privacy_mask_is_drawn_there_is_no_original_and_nothing_under_it(
    recording: Path, make: Callable[..., ClipMaker], answers: Answers
) -> None:
    maker = make(MASKED)
    play(recording, maker)
    maker.want(wanted())
    made, (redacted,) = answers.one()
    assert [part.kind for part in made.parts] == ["clip_redacted"]
    assert max(image[:, : SIZE_WH[0] // 2 - 24].max() for image in decoded(redacted)) < 30


def test_what_came_under_another_mask_is_forgotten(
    recording: Path, make: Callable[..., ClipMaker], answers: Answers
) -> None:
    """Else a mask that was lifted would show what it covered, and a new one would not cover what came before."""
    for before, after in (((MASKED,), ()), ((), (MASKED,))):
        maker = make(*before)
        play(recording, maker)
        maker.masks_changed(before)
        maker.masks_changed(after)
        maker.want(wanted())
        made, contents = answers.one()
        assert contents == ()
        assert "no packets" in made.problem


def test_a_mask_that_is_lifted_while_a_clip_waits_still_covers(
    recording: Path, make: Callable[..., ClipMaker], answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = threading.Event()
    really = clip_maker.make_clips

    def later(*arguments: Any) -> tuple[ClipMade, tuple[bytes, ...]]:
        going.wait(60)
        return really(*arguments)

    monkeypatch.setattr(clip_maker, "make_clips", later)
    for before, after in (((MASKED,), ()), ((), (MASKED,))):
        going.clear()
        maker = make(*before)
        play(recording, maker)
        maker.want(wanted())
        maker.want(wanted())
        maker.masks_changed(after)
        going.set()
        answers.one()  # under way when the mask changed
        made, _ = answers.one()
        assert [part.kind for part in made.parts] == ["clip_redacted"]


def test_a_clock_that_was_put_right(
    recording: Path, make: Callable[..., ClipMaker], answers: Answers
) -> None:
    """The matcher's times are the ring's, which a jump of the camera's clock does not touch."""
    maker = make(shift=1000.0)
    play(recording, maker)
    maker.want(wanted(shift=1000.0))
    made, (redacted, _) = answers.one()
    assert {round(part.first_pts_seconds, 1) for part in made.parts} == {1002.0}
    assert min(sharpness(image, (0.12, 0.25, 0.28, 0.45)) for image in decoded(redacted)) > 10


def test_a_mark_of_rotation_is_kept(
    recording: Path, tmp_path: Path, make: Callable[..., ClipMaker], answers: Answers
) -> None:
    """Masks and boxes are drawn on the upright picture."""
    turned = tmp_path / "turned.mp4"
    turn(recording, turned)
    with open_source(str(turned), SourceOptions()) as source:
        assert next(iter(source)).image.shape == (SIZE_WH[0], SIZE_WH[1], 3)
    maker = make(MASKED)
    play(turned, maker)
    maker.want(wanted())
    made, (redacted,) = answers.one()
    assert (made.parts[0].width, made.parts[0].height) == (SIZE_WH[1], SIZE_WH[0])
    assert max(image[:, : SIZE_WH[1] // 2 - 24].max() for image in decoded(redacted)) < 30


def turn(source: Path, target: Path) -> None:
    """The same file with its picture marked as turned by a quarter: the matrix of its track header rewritten."""
    content = bytearray(source.read_bytes())
    straight = b"".join(
        value.to_bytes(4, "big") for value in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    )
    quarter = b"".join(
        value.to_bytes(4, "big")
        for value in (0, 0x10000, 0, 0xFFFF0000, 0, 0, SIZE_WH[1] << 16, 0, 0x40000000)
    )
    place = content.index(straight, content.index(b"tkhd"))
    content[place : place + len(quarter)] = quarter
    target.write_bytes(content)


def test_nothing_is_held_of_that_time(
    recording: Path, make: Callable[..., ClipMaker], answers: Answers
) -> None:
    maker = make()
    maker.want(wanted())
    assert answers.one()[0].problem
    play(recording, maker)
    maker.want(wanted(-10, -5))
    assert answers.one()[0].problem


class TestMemory:
    def test_bytes_through_memory(self) -> None:
        descriptor = to_memory(b"clip")
        try:
            assert from_memory(descriptor, 4) == b"clip"
            for size in (0, 3, 5, 2**40, -1):
                with pytest.raises(EvidenceError):
                    from_memory(descriptor, size)
        finally:
            os.close(descriptor)

    def test_a_pipe_is_no_memory(self) -> None:
        reading, writing = os.pipe()
        try:
            with pytest.raises(EvidenceError):
                from_memory(reading, 4)
        finally:
            os.close(reading)
            os.close(writing)
