"""The gate's measurement itself: the night is the same every time, and shares are of the right frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.gate import Watched, sampled, watch
from bench.night import NightFootage, NightOptions
from pipelines.presence import Presence, largest_difference_seconds
from pipelines.stages import Engines
from tests.builders import plain, write_video
from tests.fake_engine import FakeDetector, Painted, fake_engines, paint
from tests.worker_bench import FakePerception, make_perception
from vision.detect.gate import GateOptions, MotionGate
from vision.types import Frame

VISIT = Presence(2.0, 4.0)
NIGHT = NightOptions(seconds=60.0, visit_every_seconds=20.0, noise=4.0)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures a second; a white square is there from 2 s to 4 s."""
    pictures = [plain((160, 96), (120, 120, 120)) for _ in range(70)]
    for index in range(20, 40):
        left = 4 * (index - 20) + 10
        pictures[index][30:60, left : left + 20] = 250
    return write_video(tmp_path_factory.mktemp("night") / "day.mp4", pictures, fps=10)


def test_a_night_is_the_same_every_time_and_another_seed_is_another_night(video: Path) -> None:
    def first(seed: int) -> list[bytes]:
        frames = NightFootage(video, [VISIT], NightOptions(seconds=60.0, seed=seed)).frames()
        return [next(frames).image.tobytes() for _ in range(3)]

    assert first(1) == first(1)
    assert first(1) != first(2)
    assert len(set(first(1))) == 3


def test_visits_are_where_the_truth_says(video: Path) -> None:
    footage = NightFootage(video, [VISIT], NIGHT)
    truth = footage.truth()
    assert [stretch.end_seconds - stretch.begin_seconds for stretch in truth] == pytest.approx([2.0] * 3)
    frames = list(footage.frames())
    assert [frame.frame_index for frame in frames] == list(range(300))
    bright = [frame.pts_seconds for frame in frames if frame.image.max() > 75]
    assert len(bright) > 20
    assert all(any(stretch.holds(at, 0.21) for stretch in truth) for at in bright)
    for stretch in truth:
        assert min(abs(at - stretch.begin_seconds) for at in bright) <= 0.4
        assert min(abs(at - stretch.end_seconds) for at in bright) <= 0.4


def test_shares_are_of_the_frames_outside_presence() -> None:
    run = Watched(tuple(float(t) for t in range(10)), frozenset({0.0, 4.0, 5.0, 6.0, 7.0}), ())
    presence = [Presence(4.0, 6.0)]
    assert run.inference_ratio == 0.5
    assert run.rested(presence) == pytest.approx(5 / 7)
    assert run.rested(presence, 1.0) == pytest.approx(4 / 5)
    assert run.rested([Presence(0.0, 9.0)]) == 0


class SeesBodies(FakePerception):
    """Finds painted bodies."""

    def engines(self) -> Engines:
        return fake_engines(detector=FakeDetector())


def stroll() -> Iterator[Frame]:
    """Half a minute, five pictures a second: somebody comes at 10 s, stands from 12 s to 18 s, leaves at 20 s."""
    rng = np.random.default_rng(1)
    for index in range(150):
        now = index / 5
        people = []
        if 10 <= now < 20:
            left = int(20 + 40 * min(now - 10, 2.0) + 40 * max(0.0, now - 18))
            people.append(Painted(50, (left + 10, 70, left + 40, 100), body_xyxy=(left, 60, left + 50, 200)))
        image = paint(people)
        wall = (image == 40).all(axis=2)
        image[wall] = np.clip(rng.normal(40, 2, (int(wall.sum()), 3)), 0, 255).astype(np.uint8)
        yield Frame(image, now, index)


@pytest.mark.system  # takes its time
def test_gated_and_ungated_runs_tell_the_same_presence() -> None:
    ready = make_perception()
    perception = SeesBodies(
        ready.detector, ready.face_detector, ready.embedder, ready.embedder_id, ready.calibration,
        ready.new_face_tracker, ready.new_object_tracker, ready.models, ready.preprocessing, (),
    )  # fmt: skip
    every = watch(perception, stroll(), None)
    gated = watch(perception, stroll(), MotionGate(GateOptions(linger_seconds=1.0)))
    assert every.inference_ratio == 1
    assert every.presence == (Presence(10.0, 19.8),)
    assert largest_difference_seconds(every.presence, gated.presence) == pytest.approx(0, abs=0.41)
    assert gated.rested(every.presence, 1.0) > 0.9
    assert gated.inference_ratio < 0.4
    assert any(12.5 < at < 18 and at not in gated.inferred for at in gated.seen)  # it rests beside who stands


def test_a_video_is_sampled_at_the_rate(video: Path) -> None:
    assert [round(frame.pts_seconds, 3) for frame in sampled(video, 5.0)][:4] == [0.0, 0.2, 0.4, 0.6]
