"""Thresholds come from measured pairs of strangers, get stricter with the list, and stop where the sample does."""

from __future__ import annotations

import pytest

from vision.errors import GalleryError
from vision.identify.thresholds import (
    CALIBRATION,
    TABLES,
    FalseMatchTable,
    OperatingPoint,
    disagreement_similarity,
    operating_point,
    threshold_for,
)

DEFAULT = "mobilefacenet-faceplugin"


def threshold(templates: int, rate: float = 1.0, *, single_look: bool = False) -> float | None:
    return threshold_for(
        DEFAULT, gallery_templates=templates, false_alerts_per_1000_faces=rate, single_look=single_look
    )


def point(templates: int, rate: float = 1.0) -> OperatingPoint:
    return operating_point(DEFAULT, gallery_templates=templates, false_alerts_per_1000_faces=rate)


@pytest.mark.parametrize("embedder_id", TABLES)
def test_tables_fall_in_number_and_rise_in_similarity(embedder_id: str) -> None:
    counts, similarities = zip(*TABLES[embedder_id].beyond, strict=True)
    assert list(counts) == sorted(counts, reverse=True)
    assert list(similarities) == sorted(similarities)
    assert counts[-1] == 10


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        pytest.param(1e-3, 0.339, id="a measured point"),
        pytest.param(3.16e-4, 0.3789, id="near a measured point"),
        pytest.param(0.5, 0.1306, id="above the highest: the first point"),
        pytest.param(8e-6, 0.4781, id="the lowest the sample supports"),
    ],
)
def test_reads_the_table(rate: float, expected: float) -> None:
    assert TABLES[DEFAULT].similarity_at(rate) == pytest.approx(expected, abs=2e-3)


def test_interpolates_over_the_logarithm_of_the_rate() -> None:
    table = FalseMatchTable(pairs=100_000, beyond=((1000, 0.2), (10, 0.4)))
    assert table.similarity_at(1e-3) == pytest.approx(0.3)


def test_a_larger_list_a_rarer_alert_and_a_single_look_are_stricter() -> None:
    base = threshold(10)
    assert base is not None
    for stricter in (threshold(20), threshold(10, 0.5), threshold(10, single_look=True)):
        assert stricter is not None
        assert stricter > base


def test_a_single_look_is_held_to_a_tenth_of_the_rate() -> None:
    assert threshold(4, 1.0, single_look=True) == threshold(4, 0.1) == threshold(40, 1.0)


def test_a_rate_with_fewer_than_ten_pairs_behind_it_is_not_given() -> None:
    largest = int(1e-3 / TABLES[DEFAULT].lowest_rate)
    assert threshold(largest) is not None
    assert threshold(largest + 1) is None
    assert threshold(largest // 10 + 1, single_look=True) is None


def test_a_supported_point_says_its_rate() -> None:
    four = point(4)
    assert four.threshold == threshold(4)
    assert four.single_look_threshold == threshold(4, single_look=True)
    assert four.expected_false_alerts_per_1000_faces == 1.0
    assert four.single_look_expected_false_alerts_per_1000_faces == pytest.approx(0.1)
    assert four.calibration == CALIBRATION


def test_beyond_the_sample_the_strictest_holds_the_rate_is_unknown_and_one_look_decides_nothing() -> None:
    thousand = point(1000)
    assert thousand.threshold == TABLES[DEFAULT].beyond[-1][1]
    assert thousand.expected_false_alerts_per_1000_faces is None
    assert thousand.single_look_threshold is None
    assert thousand.single_look_expected_false_alerts_per_1000_faces is None
    assert thousand.wanted_false_alerts_per_1000_faces == 1.0


def test_looks_of_one_face_agree_more_than_one_stranger_in_a_hundred() -> None:
    assert disagreement_similarity(DEFAULT) == pytest.approx(0.2453, abs=1e-3)


@pytest.mark.parametrize(
    ("embedder_id", "templates", "rate", "message"),
    [
        pytest.param("unheard-of", 1, 1.0, "measured for embedder 'unheard-of'", id="unknown embedder"),
        pytest.param(DEFAULT, 0, 1.0, "at least 1 template", id="empty list"),
        pytest.param(DEFAULT, 1, 0.0, "above 0 and at most 1000", id="never"),
        pytest.param(DEFAULT, 1, 1001.0, "above 0 and at most 1000", id="more than always"),
        pytest.param(DEFAULT, 1, float("nan"), "above 0 and at most 1000", id="nan"),
    ],
)
def test_refuses_what_has_no_answer(embedder_id: str, templates: int, rate: float, message: str) -> None:
    with pytest.raises(GalleryError, match=message):
        operating_point(embedder_id, gallery_templates=templates, false_alerts_per_1000_faces=rate)
