"""FNIR, FPIR, rank 1 and the rule of ten, on similarities put there by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.identification import (
    FALSE_ALERT_RATES,
    NO_FACE,
    Searches,
    det_curve,
    operating_point,
    rank_one_rate,
    search,
    threshold_at,
)
from vision.types import Float32

NOBODY = np.full(3, np.nan, np.float32)


def unit(*values: float) -> Float32:
    row = np.array(values, np.float32)
    return np.asarray(row / np.linalg.norm(row), np.float32)


def spread(mated: list[float], non_mated: list[float], rank_one: list[bool] | None = None) -> Searches:
    """Searches with these highest similarities."""
    tops = np.array(mated, np.float32)
    first = np.array([True] * len(mated) if rank_one is None else rank_one, np.bool_)
    return Searches(tops, first, tops, np.array(non_mated, np.float32), (0,) * len(non_mated))


def test_a_search_by_hand() -> None:
    templates = np.stack([unit(1, 0, 0), unit(0, 1, 0), unit(1, 1, 0)])
    mated = np.stack([unit(1, 0.1, 0), unit(0.2, 1, 0), unit(1, 0, 0.1)])  # the third looks like the first
    found = search((templates, (0, 1, 2)), mated, np.stack([unit(0, 0, 1), NOBODY, unit(0, 1, 1)]))
    assert found.rank_one.tolist() == [True, True, False]
    np.testing.assert_allclose(found.mate, [mated[row] @ templates[row] for row in range(3)], atol=1e-6)
    assert found.mate[2] < found.mated[2]
    np.testing.assert_allclose(found.non_mated, [0, NO_FACE, math.sqrt(0.5)], atol=1e-6)
    assert found.non_mated_subject[1:] == (-1, 1)


def test_the_best_of_several_references_counts() -> None:
    templates = np.stack([unit(1, 0, 0), unit(0, 0, 1), unit(0, 1, 0)])
    found = search(
        (templates, (0, 0, 1)), np.stack([unit(0, 0.1, 1), unit(0, 1, 0)]), np.empty((0, 3), np.float32)
    )
    assert found.rank_one.all()
    assert found.mate[0] > 0.99


def test_who_was_never_enrolled_is_missed() -> None:
    found = search(
        (np.stack([unit(1, 0, 0)]), (0,)),
        np.stack([unit(1, 0, 0), unit(0, 1, 0)]),
        np.empty((0, 3), np.float32),
    )
    assert found.mate[1] == NO_FACE
    assert found.miss_rate(NO_FACE) == 0.5
    with pytest.raises(EvaluationError, match="no face was found in any reference"):
        search((np.empty((0, 3), np.float32), ()), found.mated[:, None], found.mated[:, None])


@pytest.mark.parametrize("rate", FALSE_ALERT_RATES)
def test_at_most_the_wanted_share_raises_an_alert(rate: float) -> None:
    tops = np.random.default_rng(1).normal(size=4000).astype(np.float32)
    at = threshold_at(tops, rate)
    assert at is not None
    alerts = int((tops > at).sum())
    assert alerts == math.floor(rate * 4000 + 1e-9)
    assert int((tops >= at).sum()) == alerts + 1, "the next stranger would be one too many"


@pytest.mark.parametrize("rate", FALSE_ALERT_RATES)
def test_fewer_than_ten_alerts_support_no_rate(rate: float) -> None:
    needed = math.ceil(10 / rate)
    tops = np.linspace(0, 1, needed).astype(np.float32)
    assert threshold_at(tops, rate) is not None
    assert threshold_at(tops[1:], rate) is None
    point = operating_point(spread([0.5] * 10, tops[1:].tolist()), rate)
    assert (point.fnir, point.interval_95, point.threshold) == (None, None, None)


def test_equal_similarities_do_not_break_the_rate() -> None:
    tops = np.full(1000, 0.4, np.float32)
    at = threshold_at(tops, 0.1)
    assert at is not None
    assert (tops > at).sum() == 0


def test_strangers_without_a_face_raise_no_alert_and_are_counted() -> None:
    tops = np.array([NO_FACE] * 950 + [0.3] * 50, np.float32)
    assert threshold_at(tops, 0.1) == NO_FACE, "all fifty may raise one"
    assert spread([0.5], tops.tolist()).false_alert_rate(NO_FACE) == 0.05


def test_a_miss_is_below_the_threshold_or_not_first() -> None:
    strangers = np.linspace(0, 0.5, 101).tolist()
    searches = spread([0.9, 0.8, 0.3, NO_FACE], strangers, [True, False, True, False])
    point = operating_point(searches, 0.1)
    assert point.threshold == pytest.approx(0.45)
    assert point.fnir == 0.75
    assert point.interval_95 is not None
    assert point.interval_95[0] < 0.75 < point.interval_95[1]
    assert rank_one_rate(searches)[0] == 0.5


def test_the_curve_falls_and_says_what_it_rests_on() -> None:
    rng = np.random.default_rng(2)
    searches = spread(rng.normal(0.4, 0.15, 500).tolist(), rng.normal(0.1, 0.15, 2000).tolist())
    curve = det_curve(searches)
    assert len(curve) <= 80
    assert [point.fpir for point in curve] == sorted({point.fpir for point in curve})
    assert [point.fnir for point in curve] == sorted((point.fnir for point in curve), reverse=True)
    assert [point.supported for point in curve] == [point.fpir * 2000 >= 10 for point in curve]
    near = min(curve, key=lambda point: abs(point.fpir - 0.1))
    at = operating_point(searches, 0.1)
    assert at.fnir is not None
    assert near.fnir == pytest.approx(at.fnir, abs=0.02)
    assert det_curve(spread([0.5], [])) == ()
