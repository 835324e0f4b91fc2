"""Which device decodes: tried before anything is opened, and software where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from av.codec.hwaccel import hwdevices_available

from tests.builders import numbered, write_video
from vision import hardware
from vision.errors import SourceOpenError
from vision.hardware import SOFTWARE, find_hardware
from vision.sources import SourceOptions
from vision.video import open_source

FRAMES = [numbered(index) for index in range(12)]
"""Pictures of a clip."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("hardware") / "clip.mp4", FRAMES)


@pytest.mark.parametrize("wanted", [None, "off"])
def test_nothing_wanted_is_nothing_tried(wanted: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: str) -> bool:
        raise AssertionError("tried a device")

    monkeypatch.setattr(hardware, "_works", never)
    found = find_hardware(wanted)
    assert (found.device, found.accelerator, found.problem) == (None, None, None)


def test_a_device_ffmpeg_does_not_know_is_told() -> None:
    problem = find_hardware("abacus").problem
    assert problem is not None
    assert "built without abacus" in problem
    assert "software decodes" in problem


def no_device() -> str:
    """A kind of device FFmpeg is built for and this machine lacks."""
    lacking = [kind for kind in hwdevices_available() if find_hardware(kind).device is None]
    if not lacking:
        pytest.skip("this machine has every kind of device FFmpeg knows")
    return lacking[0]


def test_a_device_that_does_not_answer_is_told_and_software_decodes(clip: Path) -> None:
    wanted = no_device()
    with open_source(clip, SourceOptions(hardware_decode=wanted)) as source, open_source(clip) as plain:
        (problem,) = source.problems
        assert problem == f"{clip}: no {wanted} device answers; software decodes"
        frames = list(source)
        assert source.decoding == SOFTWARE
        assert [frame.image.tobytes() for frame in frames] == [frame.image.tobytes() for frame in plain]


def test_auto_reads_every_picture_whatever_there_is(clip: Path) -> None:
    with open_source(clip, SourceOptions(hardware_decode="auto")) as source:
        assert len(list(source)) == len(FRAMES)
        assert (source.decoding == SOFTWARE) == bool(source.problems)


def test_a_device_that_cannot_be_had_a_moment_later_leaves_software_to_decode(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process took its memory: FFmpeg says so at opening, as an error like any other."""
    wanted, tried, works = no_device(), [], hardware._works

    def works_once(kind: str) -> bool:
        tried.append(kind)
        return len(tried) == 1 or works(kind)

    monkeypatch.setattr(hardware, "_works", works_once)
    with open_source(clip, SourceOptions(hardware_decode=wanted)) as source:
        assert len(list(source)) == len(FRAMES)
        assert source.decoding == SOFTWARE
        assert source.problems == [f"{clip}: no {wanted} device answers; software decodes"]


def test_where_the_device_is_not_the_reason_the_error_is_told(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("not a video\n" * 200)
    with pytest.raises(SourceOpenError, match="not a video file"):
        open_source(path, SourceOptions(hardware_decode="auto"))
