"""The made-up streets: seeded, with true boxes, and with a detector that errs as told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.crowds import DetectorFaults, Sequence, Street, lost_frames, make_street, without_frames
from vision import boxes

STREET = Street("test", people=8, seconds=3.0)
FLAWLESS = DetectorFaults(
    confidence=0.99, spread=0.0, shake=0.0, misses=0.0, clutter=0.0, doubles=0.0, floor=0.0
)


def found(sequence: Sequence) -> int:
    return sum(map(len, sequence.detections))


def test_a_seed_is_a_street() -> None:
    first, again, other = make_street(STREET, 3), make_street(STREET, 3), make_street(STREET, 4)
    np.testing.assert_array_equal(first.truth.xyxy, again.truth.xyxy)
    for one, two in zip(first.detections, again.detections, strict=True):
        np.testing.assert_array_equal(one.xyxy, two.xyxy)
        np.testing.assert_array_equal(one.confidence, two.confidence)
    assert found(first) != found(other)


def test_a_flawless_detector_says_the_truth() -> None:
    """But for those it cannot tell apart: suppression removes who stands behind somebody."""
    street = make_street(replace(STREET, people=3, detector=FLAWLESS), 1)
    for seen, true in zip(street.detections, street.truth.by_frame(len(street.seconds)), strict=True):
        assert len(seen) <= len(true)
        if len(seen):
            assert (boxes.iou(true.xyxy, seen.xyxy).max(axis=0) > 0.999).all()
    assert found(street) > 0.8 * len(street.truth)


@pytest.mark.parametrize(
    ("fault", "more"),
    [({"misses": 0.5}, False), ({"clutter": 5.0}, True), ({"doubles": 1.0}, True)],
    ids=["misses", "clutter", "doubles"],
)
def test_faults_do_what_they_say(fault: dict[str, float], more: bool) -> None:
    flawless = make_street(replace(STREET, detector=FLAWLESS), 1)
    faulty = make_street(replace(STREET, detector=replace(FLAWLESS, **fault)), 1)
    assert (found(faulty) > found(flawless)) == more


def test_the_floor_holds() -> None:
    street = make_street(replace(STREET, detector=DetectorFaults(floor=0.4)), 1)
    assert min(float(seen.confidence.min()) for seen in street.detections if len(seen)) >= 0.4


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_exactly_so_many_frames_are_lost(share: float) -> None:
    lost = lost_frames(np.random.default_rng(0), 71, share, 5)
    assert lost.sum() == round(share * 71)


def test_removed_frames_keep_their_time_and_truth() -> None:
    street = make_street(STREET, 1)
    thinner = without_frames(street, 0.2, 7)
    assert thinner.seconds == street.seconds
    assert thinner.truth is street.truth
    emptied = [
        not len(after) and len(before)
        for before, after in zip(street.detections, thinner.detections, strict=True)
    ]
    assert sum(map(bool, emptied)) == round(0.2 * len(street.seconds))
    assert found(without_frames(street, 0.2, 8)) != found(thinner)


def test_times_and_detections_belong_together() -> None:
    street = make_street(STREET, 1)
    with pytest.raises(ValueError, match="75 times, 74 detections"):
        Sequence("x", street.seconds, street.detections[1:], street.truth)
