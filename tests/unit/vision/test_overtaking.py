"""A source that is told to leave what is old undecoded, and to go on at a key frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import numbered, plain, write_image, write_video
from vision.folder import FolderSource
from vision.sources import SourceOptions
from vision.video import open_source

COUNT, KEY_FRAME_EVERY, FPS = 60, 10, 25


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("overtaking") / "video.ts"
    return write_video(path, [numbered(index) for index in range(COUNT)], fps=FPS)


@pytest.mark.parametrize("behind", [0, 1, 12, 25])
def test_it_goes_on_at_the_next_key_frame(video: Path, behind: int) -> None:
    with open_source(video) as source:
        pictures = source.pictures()
        first = next(pictures)
        for _ in range(4):
            last = next(pictures)
        until = last.pts_seconds + behind / FPS
        source.overtake(until)
        rest = list(pictures)
    # What the decoder held already still comes; then a gap up to a key frame.
    resumed = next(picture for picture in rest if picture.key_frame and picture.pts_seconds >= until)
    between = [
        picture for picture in rest if last.pts_seconds + 0.2 < picture.pts_seconds < resumed.pts_seconds
    ]
    assert between == []
    index = round((resumed.pts_seconds - first.pts_seconds) * FPS)
    assert index <= 4 + behind + 2 * KEY_FRAME_EVERY, "and not at a much later one than must be"
    assert source.overtaken_count > 0
    assert source.read_count == 5 + len(rest) + source.overtaken_count + source.undecodable_count == COUNT
    assert source.undecodable_count == 0
    brightness = resumed.to_frame().image[40:, 40:].mean()
    assert brightness == pytest.approx(10 + index * 4 % 200, abs=9), "it is whole"


def test_to_the_end_is_no_damage(video: Path) -> None:
    with open_source(video) as source:
        pictures = source.pictures()
        next(pictures)
        source.overtake(1e9)
        rest = list(pictures)
    assert source.read_count == 1 + len(rest) + source.overtaken_count == COUNT


def test_pictures_of_a_folder_have_no_hurry(tmp_path: Path) -> None:
    for index in range(3):
        write_image(tmp_path / f"{index}.png", plain())
    with FolderSource(tmp_path, SourceOptions()) as source:
        source.overtake(1e9)
        assert len(list(source.pictures())) == 3
    assert source.overtaken_count == 0
