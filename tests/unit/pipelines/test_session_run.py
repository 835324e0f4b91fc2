"""One camera's session over a source: what it infers, when it stops, and what a broken end leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from pipelines.findings import FrameResult
from pipelines.session import CameraSession, SessionOptions
from tests.fake_engine import paint
from tests.unit.pipelines.session_play import ANN, Play, someone
from vision.errors import SourceDecodeError
from vision.sources import FrameSource, Picture
from vision.types import Frame


class PaintedPicture:
    """A picture that counts its conversions."""

    key_frame = False
    still = False

    def __init__(self, index: int, converted: list[int]) -> None:
        self.frame_index = index
        self.pts_seconds = index / 30
        self._converted = converted

    def to_frame(self) -> Frame:
        self._converted.append(self.frame_index)
        return Frame(paint([someone(ANN)]), self.pts_seconds, self.frame_index)


class PaintedSource(FrameSource):
    """Three seconds at thirty frames a second, one of them lost."""

    def __init__(self, *, breaks_off: bool = False) -> None:
        super().__init__("painted")
        self.converted: list[int] = []
        self._breaks_off = breaks_off

    fps_nominal = 30.0
    size_wh = (320, 240)

    def close(self) -> None:
        """Nothing is open."""

    def _pictures(self) -> Iterator[Picture]:
        for index in range(90):
            if index == 45:
                self._lost("broken")
                if self._breaks_off:
                    raise SourceDecodeError(self.location, "cut off")
                continue
            self.read_count += 1
            yield PaintedPicture(index, self.converted)


def run(session: CameraSession, source: FrameSource) -> Sequence[FrameResult]:
    return list(session.run(source))


def test_run_infers_at_the_wanted_rate_and_converts_nothing_else() -> None:
    source, play = PaintedSource(), Play(SessionOptions(inference_fps=10.0))
    results = run(play.session, source)
    assert len(results) == len(source.converted) == 30
    accounting = play.session.accounting()
    assert (accounting.read, accounting.undecodable) == (90, 1) == (source.read_count, 1)
    assert (accounting.inferred, accounting.not_sampled) == (30, 59)


def test_run_stops_between_frames_when_asked_and_counts_what_it_dropped() -> None:
    source, play = PaintedSource(), Play()
    seen: list[FrameResult] = []
    for result in play.session.run(source, stop=lambda: len(seen) == 5):
        seen.append(result)  # noqa: PERF402
    assert len(seen) == 5
    assert play.session.track_count == 0
    assert play.session.accounting().dropped == {"stopped": 1}
    assert play.session.accounting().read == source.read_count


def test_what_came_before_a_broken_end_stands() -> None:
    source, play = PaintedSource(breaks_off=True), Play()
    results = play.session.run(source)
    assert len([next(results) for _ in range(45)]) == 45
    with pytest.raises(SourceDecodeError, match="cut off"):
        next(results)
    assert [summary.frames_seen for summary in play.ended] == [45]
    assert play.session.accounting().read == source.read_count == 46
