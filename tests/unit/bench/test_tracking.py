"""The comparison of trackers: identical detections, honest margins."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.crowds import DetectorFaults, Sequence, Street, make_street
from bench.tracking import DEFAULT, OURS, REJOINED, THEIRS, Row, compare, margins, rejoining, thinned
from pipelines.evaluate.mot import MotBoxes
from vision.track.ocsort import OcSort
from vision.types import Detections, Tracks

STREET = Street("test", people=6, seconds=4.0, detector=DetectorFaults(floor=0.3))


@pytest.fixture(scope="module")
def street() -> Sequence:
    return make_street(STREET, 5)


@pytest.fixture(scope="module")
def rows(street: Sequence) -> list[Row]:
    return compare(street)


def test_everybody_is_compared(rows: list[Row]) -> None:
    assert [row.tracker for row in rows] == [*OURS, *THEIRS]
    assert all(0 < row.idf1 <= 1 and 0 < row.hota <= 1 and row.update_ms > 0 for row in rows)


def test_ours_is_better_on_the_mean_of_made_up_streets(rows: list[Row]) -> None:
    """Not on each: on one in twenty one changed identity decides."""
    found = margins([*rows, *(row for seed in (1, 2, 3) for row in compare(make_street(STREET, seed)))])
    assert [margin.tracker for margin in found] == [DEFAULT] * 4
    assert np.mean([[margin.idf1, margin.mota, margin.hota] for margin in found], axis=0).min() > 0


def test_a_worse_tracker_is_seen_to_be(street: Sequence) -> None:
    class Forgetful(OcSort):
        def update(self, detections: Detections, pts_seconds: float) -> Tracks:
            if round(pts_seconds * 25) % 10 == 0:
                self.reset()
            return super().update(detections, pts_seconds)

    (margin,) = margins(compare(street, {DEFAULT: Forgetful}))
    assert not margin.holds


def test_margins_are_to_the_best_in_each_figure() -> None:
    first, second, third = THEIRS
    rows = [
        Row("s", DEFAULT, 0.6, 0.6, 0.6, 0, 1.0),
        Row("s", first, 0.5, 0.7, 0.1, 0, 1.0),
        Row("s", second, 0.6, 0.1, 0.1, 0, 1.0),
        Row("s", third, 0.1, 0.1, 0.5, 0, 1.0),
    ]
    (margin,) = margins(rows)
    assert (margin.idf1, margin.mota, margin.hota) == pytest.approx((0.0, -0.1, 0.1))
    assert not margin.holds


def test_perfect_detections_are_tracked_nearly_perfectly() -> None:
    """Whatever the figures measure, they reach their top where there is nothing to get wrong."""
    seconds = tuple(index / 25 for index in range(50))
    boxes = [np.array([[100.0 + 3 * i, 100, 140 + 3 * i, 200], [500.0, 100, 540, 200]]) for i in range(50)]
    truth = MotBoxes.of_rows(
        [
            (frame, person + 1, x1, y1, x2 - x1, y2 - y1, 1.0, -1)
            for frame, shown in enumerate(boxes, 1)
            for person, (x1, y1, x2, y2) in enumerate(shown.tolist())
        ]
    )
    found = tuple(
        Detections(shown.astype(np.float32), np.full(2, 0.9, np.float32), np.zeros(2, np.int32))
        for shown in boxes
    )
    row = next(r for r in compare(Sequence("perfect", seconds, found, truth)) if r.tracker == DEFAULT)
    assert (row.idf1, row.mota, row.hota) == pytest.approx((1.0, 1.0, 1.0), abs=1e-6)


def test_thinned(street: Sequence) -> None:
    half = thinned(street, 2)
    assert len(half.seconds) == len(half.detections) == 50
    assert half.seconds[1] == street.seconds[2]
    assert set(half.truth.frame.tolist()) <= set(range(1, 51))
    before = street.truth[street.truth.frame == 3]
    np.testing.assert_array_equal(half.truth[half.truth.frame == 2].xyxy, before.xyxy)


def test_rejoining_repairs_what_a_forgetful_tracker_breaks(street: Sequence) -> None:
    rows = {row.tracker: row for row in rejoining(street)}
    assert list(rows) == [*REJOINED, *THEIRS]
    broken, repaired = (rows[name] for name in list(REJOINED)[2:])
    assert repaired.switches < broken.switches
    assert repaired.idf1 > broken.idf1


@pytest.mark.system  # takes its time
@pytest.mark.evaldata
@pytest.mark.models("yolov3-tiny")
def test_at_least_equal_on_tud_campus_with_both_detectors(eval_data: Path) -> None:
    from bench.tracking import detectors, tud_campus
    from pipelines.config import load_config
    from weights.catalog import load_catalog
    from weights.store import WeightStore

    root = load_config(None).paths.weights_dir
    found = detectors(eval_data, WeightStore(root, load_catalog(root)))
    assert list(found) == ["yolox-nano", "yolov3-tiny"]
    for name, detector in found.items():
        (margin,) = margins(compare(tud_campus(eval_data, detector, name)))
        assert margin.holds, json.dumps([margin.sequence, margin.idf1, margin.mota, margin.hota])
