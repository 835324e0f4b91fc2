"""Intervals that hold the truth as often as they say, on data whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from pipelines.evaluate.intervals import clustered_share_interval, miss_rate_interval

FPIR = 0.05
MATED, NON_MATED = 150, 400
APART = 3.0
"""How many standard deviations the two samples lie apart."""


def true_miss_rate() -> float:
    """FNIR at the threshold that truly has the wanted FPIR."""
    return float(norm.cdf(norm.isf(FPIR) - APART))


def intervals(count: int, *, threshold_known: bool = False) -> list[tuple[float, float]]:
    """Of so many experiments, each with new probes."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(count):
        non_mated = np.full(NON_MATED, norm.isf(FPIR)) if threshold_known else rng.normal(0, 1, NON_MATED)
        found.append(miss_rate_interval(rng.normal(APART, 1, MATED), MATED, non_mated, FPIR))
    return found


def coverage(found: list[tuple[float, float]]) -> float:
    return float(np.mean([low <= true_miss_rate() <= high for low, high in found]))


def test_the_truth_lies_in_95_of_100_intervals() -> None:
    assert 0.92 <= coverage(intervals(300)) <= 0.99


def test_the_thresholds_own_uncertainty_is_in_it() -> None:
    """An interval at a threshold taken for certain is narrower: leaving the draw out would be seen."""
    with_draw = np.diff(intervals(40)).mean()
    without = np.diff(intervals(40, threshold_known=True)).mean()
    assert with_draw > 1.1 * without


def test_no_miss_is_no_certainty() -> None:
    low, high = miss_rate_interval(np.full(100, 0.9), 100, np.zeros(1000), 0.01)
    assert low < 0.001
    assert 0.01 < high < 0.05


def test_probes_that_cannot_hit_are_misses() -> None:
    low, high = miss_rate_interval(np.full(50, 0.9), 100, np.zeros(1000), 0.01)
    assert low < 0.5 < high


def test_the_same_seed_gives_the_same_ends() -> None:
    sample = np.linspace(0, 1, 50)
    assert miss_rate_interval(sample, 60, sample, 0.1, 7) == miss_rate_interval(sample, 60, sample, 0.1, 7)


def test_clusters_that_go_together_widen_the_interval() -> None:
    alone = clustered_share_interval(np.repeat([0, 1], 100), np.ones(200))
    together = clustered_share_interval(np.repeat([0, 10], 10), np.full(20, 10))
    assert alone is not None
    assert together is not None
    assert alone[0] < 0.5 < alone[1]
    assert together[1] - together[0] > 2.5 * (alone[1] - alone[0])


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [
        pytest.param([0, 0, 0, 0], [3, 3, 3, 3], 0.0, 0.445, id="never"),
        pytest.param([3, 3, 3, 3], [3, 3, 3, 3], 0.555, 1.0, id="always"),
    ],
)
def test_clusters_that_all_say_the_same(right: list[int], total: list[int], low: float, high: float) -> None:
    ends = clustered_share_interval(np.array(right), np.array(total))
    assert ends == pytest.approx((low, high), abs=0.001)


def test_clusters_of_any_size_that_agree_leave_no_doubt_about_the_ratio() -> None:
    """Half of each, large or small: a draw divides by what it drew, not by what there was."""
    assert clustered_share_interval(np.array([1, 5, 50]), np.array([2, 10, 100])) == (0.5, 0.5)


def test_nothing_to_divide_by_and_ratios_above_one() -> None:
    assert clustered_share_interval(np.zeros(3), np.zeros(3)) is None
    ends = clustered_share_interval(np.array([1, 3, 1, 3]), np.ones(4), is_share=False)
    assert ends is not None
    assert 1.0 <= ends[0] < 2.0 < ends[1] <= 3.0
