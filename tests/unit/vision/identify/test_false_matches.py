"""Rates of false alerts: against brute force, never rising with the threshold, surer with more people."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fake_calibration import strewn_sample
from tests.unit.vision.identify.test_impostors import embedded
from vision.errors import GalleryError
from vision.identify.false_matches import WIDEST_INTERVAL, FalseMatchModel
from vision.identify.impostors import ImpostorSample

MODEL = FalseMatchModel(strewn_sample(800))
RATES = st.floats(1e-6, 1.0)
SIZES = st.floats(1, 5000)


@pytest.mark.parametrize("threshold", [0.6, 0.7, 0.8])
def test_is_the_rate_that_drawing_lists_gives(threshold: float) -> None:
    """One picture of each of forty people is drawn; everybody is held against all the others."""
    rows, identity = embedded(40, 3, dimension=8)
    model = FalseMatchModel(ImpostorSample.from_embeddings(rows, identity, kept_share=1.0))
    by_person = rows[np.argsort(identity, kind="stable")].reshape(40, 3, 8)
    rng = np.random.default_rng(1)
    alerts = []
    for _ in range(3000):
        drawn = by_person[np.arange(40), rng.integers(0, 3, 40)]
        similarity = drawn @ drawn.T
        np.fill_diagonal(similarity, -1)
        alerts.append(np.mean(similarity.max(axis=1) >= threshold))
    assert model.rate_at(threshold, 39).rate == pytest.approx(np.mean(alerts), rel=0.02)


def test_a_shorter_list_is_a_random_part_of_the_others() -> None:
    rows, identity = embedded(150, 1, dimension=8)
    model = FalseMatchModel(ImpostorSample.from_embeddings(rows, identity, kept_share=1.0))
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, -1)
    hits = (similarity >= 0.7).sum(axis=1)
    for listed in (5, 40, 149):
        exact = np.mean([1 - math.comb(149 - h, listed) / math.comb(149, listed) for h in hits.tolist()])
        assert model.rate_at(0.7, listed).rate == pytest.approx(exact, rel=0.05)


def test_a_pair_with_many_pictures_does_not_dominate() -> None:
    """Two look-alikes with ninety pictures each count like two look-alikes with one."""
    rows, identity = embedded(200, 1)
    twins = np.concatenate([rows, rows[:1]])
    who = np.concatenate([identity, [999]])
    many = np.concatenate([rows, np.tile(rows[:1], (89, 1)), np.tile(rows[:1], (90, 1))])
    whose = np.concatenate([identity, np.full(89, identity[0]), np.full(90, 999)])
    one = FalseMatchModel(ImpostorSample.from_embeddings(twins, who, kept_share=1.0))
    ninety = FalseMatchModel(ImpostorSample.from_embeddings(many, whose, kept_share=1.0))
    assert ninety._rate(0.95, 10) == pytest.approx(one._rate(0.95, 10), rel=1e-6)


def test_someone_who_resembles_many_makes_the_rate_less_sure() -> None:
    strewn = strewn_sample(800)
    rng = np.random.default_rng(0)
    wolf = ImpostorSample(
        pictures=strewn.pictures,
        first=np.zeros_like(strewn.first[:700]),
        second=rng.permutation(np.arange(1, 800))[:700],
        similarity=strewn.similarity[:700],
        strangers_similarity=0.2,
        complete=True,
    )
    with pytest.raises(GalleryError, match="support no false alert rate"):
        FalseMatchModel(wolf)
    assert MODEL.rate_at(MODEL.strictest_threshold).events >= 15.9


def test_scattered_pairs_are_worth_their_number() -> None:
    estimate = MODEL.rate_at(0.42)
    beyond = int((MODEL.sample.similarity >= np.float32(0.42)).sum())
    assert beyond > 20
    assert estimate.events == pytest.approx(beyond, rel=0.2)
    assert estimate.rate == pytest.approx(beyond / MODEL.sample.picture_pairs, rel=1e-3)


def test_the_strictest_threshold_is_where_the_interval_is_still_narrow() -> None:
    at = MODEL.rate_at(MODEL.strictest_threshold)
    assert at.supported
    assert at.high / at.low <= WIDEST_INTERVAL
    beyond = MODEL.rate_at(MODEL.strictest_threshold + 0.001)
    assert not beyond.supported


def test_more_people_support_stricter_thresholds() -> None:
    few, many = FalseMatchModel(strewn_sample(400)), FalseMatchModel(strewn_sample(1600))
    assert few.strictest_threshold < MODEL.strictest_threshold < many.strictest_threshold


def test_beyond_the_people_measured_the_interval_widens() -> None:
    inside, beyond = MODEL.rate_at(0.40, 799), MODEL.rate_at(0.40, 2 * 799)
    assert beyond.rate == pytest.approx(2 * inside.rate)
    assert beyond.low == pytest.approx(inside.low)
    assert beyond.high == pytest.approx(2 * inside.high)


def test_nothing_beyond_the_most_alike_pair() -> None:
    estimate = MODEL.rate_at(0.999)
    assert (estimate.rate, estimate.supported) == (0.0, False)


@settings(deadline=None, max_examples=60)
@given(rate=RATES, small=SIZES, large=SIZES)
def test_the_threshold_never_falls_as_the_list_grows(rate: float, small: float, large: float) -> None:
    small, large = sorted((small, large))
    strictest = MODEL.strictest_threshold
    thresholds = [MODEL.threshold_for(rate, size) or strictest for size in (small, large)]
    assert thresholds[0] <= thresholds[1] + 1e-12
    if MODEL.threshold_for(rate, small) is None:
        assert MODEL.threshold_for(rate, large) is None


@settings(deadline=None, max_examples=60)
@given(often=RATES, rarely=RATES, size=SIZES)
def test_the_threshold_never_falls_as_alerts_are_to_be_rarer(
    often: float, rarely: float, size: float
) -> None:
    rarely, often = sorted((rarely, often))
    strictest = MODEL.strictest_threshold
    thresholds = [MODEL.threshold_for(rate, size) or strictest for rate in (often, rarely)]
    assert thresholds[0] <= thresholds[1] + 1e-12


@settings(deadline=None, max_examples=60)
@given(rate=RATES, size=SIZES)
def test_at_its_threshold_the_rate_is_no_higher_than_wanted(rate: float, size: float) -> None:
    threshold = MODEL.threshold_for(rate, size)
    if threshold is not None:
        assert MODEL.rate_at(min(threshold + 0.001, MODEL.strictest_threshold), size).rate <= rate * (
            1 + 1e-6
        )


@settings(deadline=None, max_examples=60)
@given(st.floats(MODEL.least_threshold, 0.6), st.floats(MODEL.least_threshold, 0.6), SIZES, SIZES)
def test_rates_rise_with_the_list_and_fall_with_the_threshold(
    lax: float, strict: float, small: float, large: float
) -> None:
    lax, strict = sorted((lax, strict))
    small, large = sorted((small, large))
    assert MODEL.rate_at(strict, small).rate <= MODEL.rate_at(lax, small).rate + 1e-12
    assert MODEL.rate_at(lax, small).rate <= MODEL.rate_at(lax, large).rate + 1e-12
    estimate = MODEL.rate_at(lax, small)
    assert estimate.low <= estimate.rate <= estimate.high or not estimate.rate


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.5, float("nan"), float("inf")])
def test_refuses_a_rate_that_is_none(rate: float) -> None:
    with pytest.raises(GalleryError, match="above 0 and at most 1"):
        MODEL.threshold_for(rate)


@pytest.mark.parametrize("size", [0, -3, float("nan"), float("inf")])
def test_refuses_a_list_of_nobody(size: float) -> None:
    with pytest.raises(GalleryError, match="at least 1 listed person"):
        MODEL.rate_at(0.4, size)


def test_refuses_to_speak_of_what_was_not_kept() -> None:
    with pytest.raises(GalleryError, match="was not kept"):
        MODEL.rate_at(MODEL.least_threshold - 0.01)
    with pytest.raises(GalleryError, match="was not kept"):
        MODEL.rate_at(float("nan"))


def test_refuses_too_few_people() -> None:
    rows, identity = embedded(4, 1)
    with pytest.raises(GalleryError, match=r"4 people with 4 pictures.*measure more people"):
        FalseMatchModel(ImpostorSample.from_embeddings(rows, identity))
