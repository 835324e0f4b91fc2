"""Operating points: stricter with the list, honest about what the sample supports."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fake_calibration import strewn_calibration
from vision.errors import GalleryError
from vision.identify.calibration import OperatingPoint

CALIBRATION = strewn_calibration("some-embedder")


def point(templates: int, rate: float = 1.0, subjects: int | None = None) -> OperatingPoint:
    return CALIBRATION.operating_point(
        gallery_templates=templates,
        gallery_subjects=templates if subjects is None else subjects,
        false_alerts_per_1000_faces=rate,
    )


def test_a_supported_point_says_its_rate_and_its_interval() -> None:
    four = point(4, 10.0)
    assert four.expected_false_alerts_per_1000_faces == 10.0
    assert four.calibration == "made-up"
    assert four.expected_interval_95 is not None
    low, high = four.expected_interval_95
    assert low < 10.0 < high <= 4 * low


def test_a_single_look_is_held_to_a_tenth_of_the_rate() -> None:
    assert point(4, 1.0).single_look_threshold == pytest.approx(point(4, 0.1).threshold)
    assert point(4, 1.0).single_look_expected_false_alerts_per_1000_faces == pytest.approx(0.1)


def test_beyond_the_sample_the_strictest_holds_the_rate_is_unknown_and_one_look_decides_nothing() -> None:
    thousand = point(1000)
    assert thousand.threshold == CALIBRATION.model.strictest_threshold
    assert thousand.expected_false_alerts_per_1000_faces is None
    assert thousand.single_look_threshold is None
    assert thousand.single_look_expected_false_alerts_per_1000_faces is None
    assert thousand.wanted_false_alerts_per_1000_faces == 1.0
    assert thousand.expected_interval_95 is not None
    assert thousand.expected_interval_95[0] > 1.0


def test_below_what_was_kept_the_expected_rate_is_lower_than_the_wanted() -> None:
    one = point(1, 1000.0)
    assert one.threshold == CALIBRATION.model.least_threshold
    assert one.expected_false_alerts_per_1000_faces is not None
    assert one.expected_false_alerts_per_1000_faces < 10.0


def test_several_references_of_a_person_count_like_several_people() -> None:
    assert point(20, subjects=4).threshold == point(20).threshold > point(4).threshold


def test_looks_of_one_face_agree_more_than_one_stranger_in_a_hundred() -> None:
    assert CALIBRATION.disagreement_similarity == 0.245


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 20_000), st.integers(1, 20_000), st.floats(0.001, 1000.0))
def test_monotone_in_the_size_of_the_list(small: int, large: int, rate: float) -> None:
    few, many = (point(size, rate) for size in sorted((small, large)))
    assert few.threshold <= many.threshold + 1e-12
    if few.single_look_threshold is not None and many.single_look_threshold is not None:
        assert few.single_look_threshold <= many.single_look_threshold + 1e-12
        assert many.single_look_threshold >= many.threshold - 1e-12


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 20_000), st.floats(0.001, 1000.0), st.floats(0.001, 1000.0))
def test_monotone_in_the_wanted_rate(size: int, one: float, other: float) -> None:
    rarely, often = (point(size, rate) for rate in sorted((one, other)))
    assert rarely.threshold >= often.threshold - 1e-12


@pytest.mark.parametrize(
    ("templates", "subjects", "rate", "message"),
    [
        pytest.param(0, 0, 1.0, "at least 1 template", id="empty list"),
        pytest.param(3, 4, 1.0, "no more subjects than templates", id="subjects without template"),
        pytest.param(1, 1, 0.0, "above 0 and at most 1000", id="never"),
        pytest.param(1, 1, 1001.0, "above 0 and at most 1000", id="more than always"),
        pytest.param(1, 1, float("nan"), "above 0 and at most 1000", id="nan"),
    ],
)
def test_refuses_what_has_no_answer(templates: int, subjects: int, rate: float, message: str) -> None:
    with pytest.raises(GalleryError, match=message):
        point(templates, rate, subjects)
