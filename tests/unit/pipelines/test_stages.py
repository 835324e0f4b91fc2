"""Sampling by time, scene cuts, honest counting, people and vehicles."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipelines.findings import ObjectSeen
from pipelines.sampling import Sampler
from pipelines.stages import FrameCounter, ObjectStage, SceneCuts, person_around, roomier
from tests.fake_engine import FakeDetector, Painted, new_tracker, paint, square
from vision.types import Detections, Faces, Image


def times(fps: float, seconds: float, start: float = 0.0) -> list[float]:
    return [start + i / fps for i in range(round(fps * seconds))]


@pytest.mark.parametrize(
    ("source_fps", "inference_fps", "wanted"),
    [
        pytest.param(30.0, 10.0, 100, id="a third"),
        pytest.param(25.0, 10.0, 100, id="no whole ratio"),
        pytest.param(29.97, 5.0, 50, id="NTSC"),
        pytest.param(10.0, 10.0, 100, id="all"),
        pytest.param(8.0, 10.0, 80, id="slower than wanted"),
        pytest.param(30.0, None, 300, id="every frame"),
    ],
)
def test_the_inference_rate_holds_whatever_the_source_gives(
    source_fps: float, inference_fps: float | None, wanted: int
) -> None:
    sampler = Sampler(inference_fps)
    assert sum(sampler.wants(t) for t in times(source_fps, 10)) == pytest.approx(wanted, abs=1)


def test_time_stamps_rounded_to_milliseconds_lose_no_frame() -> None:
    sampler = Sampler(10.0)
    assert all(sampler.wants(round(t, 3)) for t in [i / 9.9999 for i in range(300)])


def test_after_a_gap_sampling_does_not_catch_up() -> None:
    sampler = Sampler(5.0)
    before = [sampler.wants(t) for t in times(25, 1)]
    after = [sampler.wants(t) for t in times(25, 1, start=60.0)]
    assert sum(before) == sum(after) == 5


def test_a_source_that_starts_over_is_sampled_again() -> None:
    sampler = Sampler(5.0)
    for t in times(25, 2):
        sampler.wants(t)
    assert sampler.wants(0.0)


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="inference_fps must be above 0"):
        Sampler(0.0)


def street(seed: int) -> Image:
    """Something with structure, in the few colours of its own that every real scene has."""
    rng = np.random.default_rng(seed)
    light = rng.integers(30, 220, (9, 16, 1))
    coarse = (light * rng.uniform(0.3, 1.0, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (640, 360), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_tells_a_cut_once() -> None:
    cuts = SceneCuts()
    frames = [street(1)] * 5 + [street(2)] * 5 + [street(3)] * 2
    assert [i for i, image in enumerate(frames) if cuts.is_cut(image)] == [5, 10]


def test_a_cut_right_after_a_cut_is_told() -> None:
    cuts = SceneCuts()
    frames = [street(1), street(1), street(2), street(3), street(3)]
    assert [i for i, image in enumerate(frames) if cuts.is_cut(image)] == [2, 3]


def test_people_walking_noise_and_a_slow_pan_are_no_cut() -> None:
    rng = np.random.default_rng(0)
    wide = np.concatenate([street(1), street(2)], axis=1)
    cuts = SceneCuts()
    for i in range(40):
        image = wide[:, 8 * i : 8 * i + 640].copy()
        image[100:300, 15 * i : 15 * i + 60] = 20
        noisy = image.astype(np.int16) + rng.integers(-12, 13, image.shape)
        assert not cuts.is_cut(noisy.clip(0, 255).astype(np.uint8)), i


def test_a_lamp_is_no_cut() -> None:
    cuts = SceneCuts()
    dark = (street(1) * 0.3).astype(np.uint8)
    assert not any(cuts.is_cut(image) for image in (dark, street(1), dark))


def test_the_first_picture_is_no_cut_and_sizes_may_change() -> None:
    cuts = SceneCuts()
    assert not cuts.is_cut(street(1))
    assert not cuts.is_cut(np.asarray(cv2.resize(street(1), (320, 180)), np.uint8))


def test_counts_add_up() -> None:
    counter = FrameCounter()
    for count in (counter.inferred, counter.not_sampled, counter.not_sampled, counter.gated):
        count()
    counter.dropped("overload", 3)
    counter.dropped("overload")
    accounting = counter.accounting(undecodable=2)
    assert (accounting.read, accounting.decoded, accounting.undecodable) == (10, 8, 2)
    assert (accounting.inferred, accounting.not_sampled, accounting.gated) == (1, 2, 1)
    assert accounting.dropped == {"overload": 4}
    assert accounting.unaccounted == 0


def test_objects_are_tracked_and_called_by_their_label() -> None:
    stage = ObjectStage(FakeDetector(), new_tracker())
    body = (100, 40, 180, 220)
    first = stage.update(paint([Painted(1, square(120, 50), body_xyxy=body)]), 0.0)
    second = stage.update(paint([Painted(1, square(124, 50), body_xyxy=(104, 40, 184, 220))]), 0.1)
    assert [seen.label for seen in first] == ["person"]
    assert first[0].xyxy == pytest.approx(body, abs=1)
    assert first[0].track_id == second[0].track_id


def test_other_classes_than_people_and_vehicles_are_left_out() -> None:
    class Cats(FakeDetector):
        labels = ("person", "cat")  # the fake says class 1

        def detect(self, image: Image) -> Detections:
            return super().detect(image)

    stage = ObjectStage(Cats(), new_tracker())
    picture = paint([Painted(1, square(120, 50), body_xyxy=(100, 40, 180, 220))])
    assert stage.update(picture, 0.0) == ()


def seen(label: str, xyxy: tuple[float, float, float, float]) -> ObjectSeen:
    return ObjectSeen(xyxy, 0.9, label, 1)


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        pytest.param((), None, id="nobody"),
        pytest.param((seen("person", (0, 0, 100, 200)),), (0, 0, 100, 200), id="one"),
        pytest.param(
            (seen("person", (0, 0, 300, 400)), seen("person", (30, 30, 90, 200))),
            (30, 30, 90, 200),
            id="the smaller",
        ),
        pytest.param((seen("car", (0, 0, 100, 200)),), None, id="a car is no person"),
        pytest.param((seen("person", (0, -200, 100, 70)),), None, id="the face at somebody's feet"),
    ],
)
def test_a_face_belongs_to_the_smallest_person_with_it_in_the_upper_half(
    objects: tuple[ObjectSeen, ...], expected: tuple[float, ...] | None
) -> None:
    assert person_around((40.0, 40.0, 60.0, 60.0), objects) == expected


def test_roomier_boxes_keep_centre_order_and_confidence() -> None:
    faces = Faces(
        np.array([[10, 10, 30, 50], [100, 100, 110, 110]], np.float32),
        np.array([0.5, 0.9], np.float32),
        np.zeros((2, 5, 2), np.float32),
    )
    boxes = roomier(faces, 2.0)
    assert boxes.xyxy.tolist() == [[0, -10, 40, 70], [95, 95, 115, 115]]
    assert boxes.confidence.tolist() == faces.confidence.tolist()
    assert len(roomier(Faces.empty(), 2.0)) == 0
