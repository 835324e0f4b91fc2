"""Figures of verification against plain loops over all pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipelines.evaluate.verification import (
    PairTail,
    best_threshold,
    compare_all,
    impostor_quantiles,
    true_accept_rate,
    verify_in_folds,
    wilson_interval,
)
from vision.types import Float32, Int64


def people(persons: int, pictures: int, seed: int = 0) -> tuple[Float32, Int64]:
    """Embeddings of people who look a little alike from picture to picture."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(persons, 16)), pictures, axis=0)
    rows = centres + 0.4 * rng.normal(size=centres.shape)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit.astype(np.float32), np.repeat(np.arange(persons), pictures).astype(np.int64)


@pytest.mark.parametrize(
    ("similarity", "same", "expected"),
    [
        pytest.param([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 0.5, id="apart: the middle of the gap"),
        pytest.param([0.1, 0.9, 0.8, 0.2], [0, 1, 1, 0], 0.5, id="any order"),
        pytest.param(
            [0.1, 0.2, 0.6, 0.3, 0.9], [0, 0, 0, 1, 1], 0.75, id="one error either way: the widest gap"
        ),
        pytest.param([np.nan, 0.2, 0.8], [1, 0, 1], 0.5, id="missing ones are left out"),
        pytest.param([np.nan], [1], 0.0, id="nothing to learn from"),
    ],
)
def test_best_threshold(similarity: list[float], same: list[int], expected: float) -> None:
    assert best_threshold(np.array(similarity), np.array(same, np.bool_)) == pytest.approx(expected)


def test_best_threshold_is_the_best_there_is() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        same = rng.random(60) < 0.5
        similarity = np.round(rng.normal(same * 0.5, 0.4), 2)  # rounded, so that many are equal
        chosen = best_threshold(similarity, same)
        best = max(((similarity >= cut) == same).mean() for cut in [-9.0, *similarity, 9.0])
        assert ((similarity >= chosen) == same).mean() == best


def test_a_fold_has_no_part_in_its_own_threshold() -> None:
    # In fold 1 strangers reach 0.5, in fold 2 only 0.1: each is judged at the other's threshold.
    similarity = np.array([0.5, 0.5, 0.9, 0.9, 0.1, 0.1, 0.3, 0.3])
    same = np.array([0, 0, 1, 1, 0, 0, 1, 1], np.bool_)
    result = verify_in_folds(similarity, same, fold_rows=4)
    assert [fold.threshold for fold in result.folds] == pytest.approx([0.2, 0.7])
    assert [fold.accuracy for fold in result.folds] == [0.5, 0.5]
    assert (result.accuracy, result.threshold_from) == (0.5, "other_folds")
    assert result.standard_error == 0.0


def test_folds_are_consecutive_blocks_and_the_last_may_be_short() -> None:
    similarity, same = np.tile([0.1, 0.9], 700), np.tile([False, True], 700)
    assert [fold.pairs for fold in verify_in_folds(similarity, same).folds] == [600, 600, 200]


def test_one_fold_says_that_its_threshold_is_its_own() -> None:
    result = verify_in_folds(np.array([0.1, 0.9]), np.array([False, True]))
    assert (result.accuracy, result.threshold_from, result.standard_error) == (1.0, "same_fold", None)


@pytest.mark.parametrize("same", [True, False])
def test_a_pair_without_a_face_is_an_error_whatever_it_shows(same: bool) -> None:
    similarity = np.array([0.1, 0.2, 0.8, 0.9, np.nan])
    result = verify_in_folds(similarity, np.array([0, 0, 1, 1, same], np.bool_))
    assert result.accuracy == 0.8


def test_no_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        verify_in_folds(np.empty(0), np.empty(0, np.bool_))


@pytest.mark.parametrize(("right", "total"), [(0, 10), (5, 10), (10, 10), (1191, 1200)])
def test_wilson_interval_is_where_the_score_test_turns(right: int, total: int) -> None:
    low, high = wilson_interval(right, total)
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9:
            z = (right / total - end) / np.sqrt(end * (1 - end) / total)
            assert abs(z) == pytest.approx(1.96, abs=1e-3)
    assert 0 <= low <= right / total <= high + 1e-12 <= 1 + 1e-12


@pytest.mark.parametrize(("persons", "pictures"), [(7, 3), (1, 4), (300, 2), (40, 1)])
def test_compare_all_is_every_pair_once(persons: int, pictures: int) -> None:
    embeddings, identity = people(persons, pictures)
    pairs = list(itertools.combinations(range(len(identity)), 2))
    similar = {pair: float(embeddings[pair[0]] @ embeddings[pair[1]]) for pair in pairs}
    genuine = sorted(value for (a, b), value in similar.items() if identity[a] == identity[b])
    impostor = sorted(
        (value for (a, b), value in similar.items() if identity[a] != identity[b]), reverse=True
    )
    tail = compare_all(embeddings, identity, keep_share=1.0)
    assert tail.impostor_pairs == len(impostor)
    np.testing.assert_allclose(tail.impostor_top, impostor, atol=1e-6)
    np.testing.assert_allclose(np.sort(tail.genuine), genuine, atol=1e-6)


def test_a_kept_tail_is_the_upper_end_of_all() -> None:
    embeddings, identity = people(400, 3)  # more rows than one block
    everything = compare_all(embeddings, identity, keep_share=1.0)
    tail = compare_all(embeddings, identity, keep_share=0.01)
    assert len(tail.impostor_top) == -(-everything.impostor_pairs // 100) + 1
    np.testing.assert_allclose(
        tail.impostor_top, everything.impostor_top[: len(tail.impostor_top)], atol=1e-6
    )


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.01])
def test_no_more_than_the_rate_exceeds_the_threshold(rate: float) -> None:
    embeddings, identity = people(60, 3)
    tail = compare_all(embeddings, identity, keep_share=1.0)
    threshold = tail.threshold_at(rate)
    assert threshold is not None
    exceeding = np.mean(tail.impostor_top > threshold)
    assert exceeding <= rate
    assert exceeding > rate - 2 / tail.impostor_pairs


def test_a_rate_of_less_than_one_pair_has_no_threshold() -> None:
    tail = PairTail(900, np.linspace(0.9, 0.1, 900).astype(np.float32), np.array([0.95], np.float32))
    assert tail.threshold_at(0.001) is None
    assert true_accept_rate(tail.genuine, tail.threshold_at(0.001)) is None


def test_true_accepts_count_missing_ones_as_refused() -> None:
    assert true_accept_rate(np.array([0.9, 0.2, np.nan, 0.6]), 0.5) == 0.5
    assert true_accept_rate(np.empty(0), 0.5) is None


def test_impostor_quantiles_are_counts_from_above() -> None:
    tail = PairTail(10_000, np.linspace(1.0, 0.0, 10_000).astype(np.float32), np.empty(0, np.float32))
    table = impostor_quantiles(tail, rates=(0.1, 0.01, 1e-4, 1e-6))
    assert [row.pairs_beyond for row in table] == [1000, 100, 10, 1]
    assert [row.supported for row in table] == [True, True, True, False]
    for row in table:
        assert np.count_nonzero(tail.impostor_top >= row.similarity) == row.pairs_beyond
        assert row.false_match_rate == row.pairs_beyond / 10_000
