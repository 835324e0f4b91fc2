"""Sources: time, counts, and what becomes of everything that is not a healthy video."""

from __future__ import annotations

import socket
import threading
import traceback
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame

from tests.builders import RED, numbered, plain, write_audio, write_image, write_video
from vision.decoded import PictureConverter
from vision.errors import SourceDecodeError, SourceError, SourceOpenError
from vision.folder import natural_key
from vision.sources import SourceOptions
from vision.types import Frame, Image
from vision.video import open_source

FRAMES = [numbered(index) for index in range(30)]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "plain.mp4", FRAMES, index_first=True)


def read(location: str | Path, options: SourceOptions | None = None) -> list[Frame]:
    with open_source(location, options) as source:
        return list(source)


def corrupted(video: Path, target: Path, start: float = 0.45, length: int = 60) -> Path:
    """A copy with some of its pictures' bytes replaced."""
    data = bytearray(video.read_bytes())
    body = data.index(b"mdat") + 4
    place = body + int((len(data) - body) * start)
    data[place : place + length] = np.random.default_rng(0).integers(0, 256, length, np.uint8).tobytes()
    target.write_bytes(data)
    return target


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts"])
@pytest.mark.parametrize("multi_threaded", [False, True])
def test_every_picture_comes_once_in_order(tmp_path: Path, suffix: str, multi_threaded: bool) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    path = write_video(tmp_path / f"video{suffix}", FRAMES, codec=codec)
    with open_source(path, SourceOptions(multi_threaded=multi_threaded)) as source:
        frames = list(source)
        assert (source.read_count, source.undecodable_count, source.problems) == (30, 0, [])
        assert source.fps_nominal == pytest.approx(25)
        assert source.size_wh == (96, 64)
    assert [frame.frame_index for frame in frames] == list(range(30))
    brightness = [frame.image[40:, 40:].mean() for frame in frames]
    assert np.allclose(brightness, [10 + index * 4 for index in range(30)], atol=9)
    assert np.allclose(
        [b - a for a, b in zip(times(frames), times(frames)[1:], strict=False)], 0.04, atol=0.001
    )
    assert frames[0].key_frame
    assert not frames[1].key_frame


def times(frames: list[Frame]) -> list[float]:
    return [frame.pts_seconds for frame in frames]


def test_time_is_the_streams_own_not_a_count(tmp_path: Path) -> None:
    pts = [0, 1, 2, 10, 11, 40, 41, 100]
    frames = read(write_video(tmp_path / "gaps.mkv", FRAMES[:8], pts=pts))
    assert times(frames) == pytest.approx([value / 25 for value in pts], abs=0.001)
    for frame in frames:
        assert frame.pts is not None
        assert frame.time_base is not None
        assert frame.pts_seconds == float(frame.pts * frame.time_base)


def test_a_late_start_is_kept_and_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "late.mkv", FRAMES[:5], pts=[250, 251, 252, 253, 254])
    with open_source(path) as source:
        assert source.start_seconds == pytest.approx(10, abs=0.01)
        assert times(list(source))[0] == pytest.approx(10, abs=0.001)


def test_missing_time_stamps_are_counted_on_and_said_so(tmp_path: Path) -> None:
    with open_source(write_video(tmp_path / "raw.h264", FRAMES)) as source:
        frames = list(source)
        assert source.estimated_pts_count == 30
    assert {(frame.pts, frame.time_base) for frame in frames} == {(None, None)}
    assert times(frames) == pytest.approx([index / 25 for index in range(30)])


def test_only_pictures_asked_for_are_converted(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[VideoFrame] = []
    original = PictureConverter.to_image

    def counted(converter: PictureConverter, decoded: VideoFrame) -> Image:
        converted.append(decoded)
        return original(converter, decoded)

    monkeypatch.setattr(PictureConverter, "to_image", counted)
    with open_source(video) as source:
        frames = [picture.to_frame() for picture in source.pictures() if picture.frame_index % 10 == 0]
    assert [frame.frame_index for frame in frames] == [0, 10, 20]
    assert len(converted) == 3


@pytest.mark.parametrize(
    ("rotation", "corner"), [(-90, (5, -5)), (90, (-5, 5)), (180, (-5, -5)), (0, (5, 5))]
)
def test_a_recording_held_sideways_stands_upright(
    tmp_path: Path, rotation: int, corner: tuple[int, int]
) -> None:
    with open_source(write_video(tmp_path / "turned.mp4", FRAMES[:3], rotation=rotation)) as source:
        frame = next(iter(source))
        assert frame.size_wh == source.size_wh == ((64, 96) if abs(rotation) == 90 else (96, 64))
    assert np.allclose(frame.image[corner], RED, atol=30)
    assert frame.image.flags.c_contiguous


def test_a_source_is_read_once_and_closed_twice(video: Path) -> None:
    source = open_source(video)
    assert len(list(source)) == 30
    with pytest.raises(SourceDecodeError, match="open it again"):
        list(source)
    source.close()
    source.close()


def test_stopping_early_counts_what_was_handed_out(video: Path) -> None:
    with open_source(video) as source:
        for frame in source:
            if frame.frame_index == 4:
                break
        assert (source.read_count, source.undecodable_count) == (5, 0)


def test_a_broken_packet_costs_its_own_picture_only(video: Path, tmp_path: Path) -> None:
    with open_source(corrupted(video, tmp_path / "broken.mp4")) as source:
        frames = list(source)
        assert source.undecodable_count >= 1
        assert source.read_count == len(frames) + source.undecodable_count == 30
        assert source.problems
        assert all("broken.mp4" in problem and "\n" not in problem for problem in source.problems)
    assert frames[-1].pts_seconds == pytest.approx(29 / 25)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".h264"])
def test_whatever_is_damaged_every_picture_is_accounted_for(tmp_path: Path, suffix: str) -> None:
    whole = write_video(tmp_path / f"whole{suffix}", FRAMES, index_first=suffix == ".mp4").read_bytes()
    path = tmp_path / f"damaged{suffix}"
    outcomes: set[str] = set()
    for seed in range(25):
        random = np.random.default_rng(seed)
        data = np.frombuffer(whole, np.uint8).copy()
        places = random.integers(0, len(data), random.integers(1, 30))
        data[places] = random.integers(0, 256, len(places), np.uint8)
        path.write_bytes(data[: random.integers(1, len(data))].tobytes() if seed % 3 == 0 else data.tobytes())
        frames: list[Frame] = []
        try:
            with open_source(path) as source:
                try:
                    frames.extend(source)
                finally:
                    assert source.read_count == len(frames) + source.undecodable_count
            outcomes.add("read")
        except SourceError as error:
            outcomes.add(str(error))
    assert "read" in outcomes
    assert not [told for told in outcomes if "\n" in told]


def test_a_file_cut_short_gives_what_it_holds_and_says_what_is_missing(video: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(video.read_bytes()[: int(video.stat().st_size * 0.7)])
    frames: list[Frame] = []
    with open_source(cut) as source:
        with pytest.raises(SourceDecodeError, match=r"cut\.mp4: cut off: \d+ of 30 announced") as caught:
            frames.extend(source)
        assert source.read_count == 30
        assert source.undecodable_count == 30 - len(frames)
    assert 0 < len(frames) < 30
    assert f"{len(frames)} of 30" in str(caught.value)


def leave(_: Path, __: Path) -> None:
    """Makes nothing."""


def one_byte_short(video: Path, path: Path) -> None:
    path.write_bytes(write_video(path.with_name("whole.mp4"), FRAMES).read_bytes()[:-200])


def zeroed(video: Path, path: Path) -> None:
    data = video.read_bytes()
    body = data.index(b"mdat") + 4
    path.write_bytes(data[:body] + bytes(len(data) - body))


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        pytest.param(
            "gate.mp4", lambda _, path: path.write_text("not a video\n" * 200), "not a video file", id="text"
        ),
        pytest.param(
            "gate.mp4", lambda _, path: path.write_bytes(b""), r"is empty \(0 bytes\)", id="0 bytes"
        ),
        pytest.param("gate.mp4", leave, "no such file", id="missing"),
        pytest.param("gate.m4a", lambda _, path: write_audio(path), "holds no video, only audio", id="audio"),
        pytest.param("gate.mp4", one_byte_short, r"index \(moov\)", id="no index"),
        pytest.param("gate.mp4", zeroed, "no picture could be decoded", id="all pictures zeroed"),
        pytest.param("gate", lambda _, path: path.mkdir(), "holds no pictures", id="empty folder"),
        pytest.param(
            "gate.png", lambda _, path: path.write_bytes(b"x"), "none of 1 pictures", id="no picture"
        ),
        pytest.param("ga\0te.mp4", leave, "no such file|cannot be opened", id="zero in the name"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_its_name(
    video: Path, tmp_path: Path, name: str, make: object, reason: str
) -> None:
    assert callable(make)
    path = tmp_path / name
    make(video, path)
    with pytest.raises(SourceError, match=reason) as caught:
        read(path)
    assert name.split("\0", maxsplit=1)[0] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("ffconcat version 1.0\nfile secret.mp4\n", id="concat script"),
        pytest.param(
            "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nsecret.mp4\n#EXT-X-ENDLIST\n", id="playlist"
        ),
    ],
)
def test_a_file_that_names_other_files_opens_none_of_them(video: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "secret.mp4").write_bytes(video.read_bytes())
    (tmp_path / "evil.mp4").write_text(content)
    with pytest.raises(SourceOpenError, match="not a video file"):
        open_source(tmp_path / "evil.mp4")


def test_pictures_too_large_are_refused(video: Path) -> None:
    with pytest.raises(SourceOpenError, match="96×64 are too large"):
        open_source(video, SourceOptions(max_pixels=96 * 64 - 1))


def test_a_folder_is_read_as_a_person_counts_and_a_broken_picture_keeps_its_place(tmp_path: Path) -> None:
    for index in (1, 2, 10):
        write_image(tmp_path / f"shot{index}.png", plain(colour=(index, index, index)))
    (tmp_path / "shot3.png").write_bytes(b"broken")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    with open_source(tmp_path, SourceOptions(folder_fps=Fraction(2))) as source:
        frames = list(source)
        assert (source.read_count, source.undecodable_count) == (4, 1)
        (problem,) = source.problems
        assert problem.startswith(f"{tmp_path / 'shot3.png'}: not a picture")
        assert source.fps_nominal == 2
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 2, 10]
    assert [(frame.frame_index, frame.pts_seconds) for frame in frames] == [(0, 0.0), (1, 0.5), (3, 1.5)]


def test_one_picture_is_a_source_of_one(tmp_path: Path) -> None:
    (frame,) = read(write_image(tmp_path / "still.jpg", plain()))
    assert (frame.pts_seconds, frame.key_frame) == (0.0, True)


def test_a_rate_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceOpenError, match="folder_fps"):
        open_source(write_image(tmp_path / "still.jpg", plain()), SourceOptions(folder_fps=Fraction(0)))


def test_natural_order() -> None:
    names = ["b", "a10", "a2", "A1", "a02", "1", "10", "9x"]
    assert sorted(names, key=natural_key) == ["1", "9x", "10", "A1", "a2", "a02", "a10", "b"]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def hold() -> None:
            try:
                while True:
                    held.append(server.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=hold, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(2)
        for connection in held:
            connection.close()


def refused() -> str:
    """An address nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"rtsp://admin:s3cret@127.0.0.1:{port}/live?token=s3cret"


def test_no_error_of_a_camera_tells_its_password() -> None:
    with pytest.raises(SourceOpenError, match="Connection refused") as caught:
        open_source(refused())
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert "s3cret" not in told + caught.value.source + caught.value.reason
    assert caught.value.__context__ is None


def test_a_camera_that_says_nothing_is_given_up_in_time(silent_port: int) -> None:
    options = SourceOptions(open_timeout_seconds=0.5, read_timeout_seconds=0.5)
    with pytest.raises(SourceOpenError, match="no answer in time"):
        open_source(f"rtsp://a:s3cret@127.0.0.1:{silent_port}/live", options)


@pytest.mark.parametrize("scheme", ["concat", "file", "ftp", "tcp", "data", "subfile"])
def test_other_kinds_of_address_are_refused(scheme: str) -> None:
    with pytest.raises(SourceOpenError, match="addresses start with one of rtsp"):
        open_source(f"{scheme}://u:s3cret@host/x.mp4")
