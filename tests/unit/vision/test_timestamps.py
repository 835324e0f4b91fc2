"""Time that goes on, whatever a stream's time stamps do."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from av.video.stream import VideoStream
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import numbered, write_video
from vision.sources import SourceOptions
from vision.timestamps import PictureTimes, Timeline
from vision.video import open_source

TICK = Fraction(1, 90_000)
STEP = 3600
"""A twenty-fifth of a second."""


def placed(ticks: list[int], longest: float | None = 15.0) -> tuple[list[int], list[str]]:
    """The time stamps put on a line, and what was said about them."""
    timeline = Timeline(TICK, longest)
    results = [timeline.place(value) for value in ticks]
    return [value for value, _ in results], [problem for _, problem in results if problem]


def test_a_healthy_stream_is_left_as_it_is() -> None:
    ticks = [7 + index * STEP for index in range(50)]
    assert placed(ticks) == (ticks, [])


def test_pictures_coded_out_of_order_are_no_jump() -> None:
    ticks = [0, 3 * STEP, STEP, 2 * STEP, 6 * STEP, 4 * STEP, 5 * STEP]
    assert placed(ticks) == (ticks, [])


@pytest.mark.parametrize("bits", [32, 33])
def test_a_counter_that_wraps_goes_on_exactly_and_twice(bits: int) -> None:
    wrap = 1 << bits
    wanted = [wrap - 5 * STEP + index * STEP for index in range(20)]
    assert placed([value % wrap for value in wanted]) == (wanted, [])
    timeline = Timeline(TICK, 15.0)
    twice = [wrap * index // 1000 for index in range(2500)]
    far = Timeline(TICK, 1e9)
    assert [far.place(value % wrap)[0] for value in twice] == twice
    assert far.rebased_count == 2
    assert timeline.rebased_count == 0


@pytest.mark.parametrize("seconds", [-3600, -2, 60, 86_400, 10**9])
def test_a_clock_that_jumps_costs_one_picture_and_is_told(seconds: int) -> None:
    ticks = [10_000_000_000 + index * STEP for index in range(10)]
    jumped = ticks[:5] + [value + seconds * 90_000 for value in ticks[5:]]
    line, problems = placed(jumped)
    assert line == ticks
    (problem,) = problems
    assert f"{'back' if seconds < 0 else 'ahead'} by" in problem


def test_one_wild_time_stamp_harms_no_other() -> None:
    ticks = [index * STEP for index in range(10)]
    wild = [*ticks[:5], 1 << 60, *ticks[5:]]
    line, problems = placed(wild)
    assert len(problems) == 2
    assert max(line) < 15 * STEP


def test_a_recording_may_leave_time_out() -> None:
    ticks = [0, STEP, 90_000 * 7200, 90_000 * 7200 + STEP]
    assert placed(ticks, None) == (ticks, [])


@given(st.lists(st.integers(-(1 << 62), 1 << 62), min_size=2, max_size=60), st.sampled_from([15.0, None]))
def test_whatever_comes_the_line_never_goes_back_by_more_than_reordering(
    ticks: list[int], longest: float | None
) -> None:
    line, _ = placed(ticks, longest)
    highest = line[0]
    for value in line:
        assert value >= highest - 90_000
        highest = max(highest, value)


def test_times_of_pictures_are_counted_on_where_missing_and_held_where_repeated() -> None:
    times = PictureTimes()
    own = [None, None, 1.0, 1.0, 0.9, 1.1, None]
    assert [times.seconds_of(value, 10.0) for value in own] == pytest.approx([0, 0.1, 1, 1, 1, 1.1, 1.2])
    assert (times.estimated_count, times.repeated_count) == (3, 2)


def in_ts(*, offset_seconds: float) -> bytes:
    """Two seconds of H.264 in MPEG-TS whose clock begins there."""
    target = io.BytesIO()
    with av.open(target, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5", "bf": "0"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(numbered(index % 40), format="bgr24")
            frame.pts, frame.time_base = index + round(offset_seconds * 25), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()


def times_of(path: Path) -> tuple[list[float], list[str], int]:
    with open_source(path) as source:
        times = [picture.pts_seconds for picture in source.pictures()]
        return times, source.problems, source.rebased_count


def test_a_transport_stream_whose_clock_wraps_has_even_times(tmp_path: Path) -> None:
    path = tmp_path / "wraps.ts"
    path.write_bytes(in_ts(offset_seconds=(1 << 33) / 90_000 - 1))
    times, problems, _ = times_of(path)
    assert [b - a for a, b in pairwise(times)] == pytest.approx([0.04] * 49, abs=1e-6)
    assert problems == []


def test_recordings_put_behind_one_another_go_on_and_say_so(tmp_path: Path) -> None:
    path = tmp_path / "twice.ts"
    path.write_bytes(in_ts(offset_seconds=500) + in_ts(offset_seconds=10))
    times, problems, rebased = times_of(path)
    assert len(times) == 100
    assert all(b >= a for a, b in pairwise(times))
    assert times[-1] - times[0] < 4.2
    assert rebased == 1
    (problem,) = problems
    assert "twice.ts: the clock jumped back by" in problem


def test_the_time_a_clip_is_asked_for_by_is_the_pictures_own(tmp_path: Path) -> None:
    """What taps the packets sees the corrected times, too."""
    path = tmp_path / "twice.ts"
    path.write_bytes(in_ts(offset_seconds=500) + in_ts(offset_seconds=10))
    tapped: list[float] = []
    options = SourceOptions(
        packet_tap=lambda packet: tapped.append(float((packet.pts or 0) * packet.time_base))
    )
    with open_source(path, options) as source:
        shown = [picture.pts_seconds for picture in source.pictures()]
    assert tapped == pytest.approx(shown, abs=1e-6)


def test_equal_times_are_handed_on_as_equal(tmp_path: Path) -> None:
    path = write_video(tmp_path / "plain.mkv", [numbered(index) for index in range(10)])
    with open_source(path) as source:
        list(source.pictures())
        assert (source.repeated_pts_count, source.rebased_count, source.problems) == (0, 0, [])
