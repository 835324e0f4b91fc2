"""Pairing and direction."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vision.track.association import assign, direction_consistency, directions

AT_ORIGIN = np.array([[-1.0, -1.0, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("score", "allowed", "pairs"),
    [
        pytest.param([[0.9, 0.0], [0.0, 0.8]], [[1, 0], [0, 1]], {(0, 0), (1, 1)}, id="nothing competes"),
        pytest.param(
            [[0.9, 0.8], [0.85, 0.1]], [[1, 1], [1, 1]], {(0, 1), (1, 0)}, id="best sum, not best pair"
        ),
        pytest.param([[0.9, 0.8]], [[0, 0]], set(), id="nothing allowed"),
        pytest.param([[0.4, 5.0], [0.4, 0.3]], [[1, 0], [1, 0]], {(0, 0)}, id="forbidden is never paired"),
        pytest.param([[0.5], [0.6]], [[1], [1]], {(1, 0)}, id="one column"),
        pytest.param(np.empty((0, 3)), np.empty((0, 3)), set(), id="no rows"),
        pytest.param(np.empty((3, 0)), np.empty((3, 0)), set(), id="no columns"),
    ],
)
def test_assign(score: list[list[float]], allowed: list[list[int]], pairs: set[tuple[int, int]]) -> None:
    rows, columns = assign(np.array(score), np.array(allowed, np.bool_))
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == pairs


def test_a_forbidden_pair_pushes_no_allowed_one_aside() -> None:
    # Maximising first and filtering afterwards would take (0, 1) and (1, 0), and keep only one.
    score = np.array([[0.5, 0.9], [0.9, 0.4]])
    rows, columns = assign(score, np.array([[True, False], [True, True]]))
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) in ({(0, 0), (1, 1)}, {(1, 0)})
    assert score[rows, columns].sum() == pytest.approx(0.9)


def test_assign_equals_brute_force() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        allowed = rng.random((4, 5)) < 0.6
        score = np.where(allowed, rng.uniform(0.1, 1.0, (4, 5)), 0.0)
        best = max(
            sum(score[row, column] for row, column in enumerate(p))
            for p in itertools.permutations(range(5), 4)
        )
        rows, columns = assign(score, allowed)
        assert allowed[rows, columns].all()
        assert score[rows, columns].sum() == pytest.approx(best)


def test_directions() -> None:
    right = directions(AT_ORIGIN, AT_ORIGIN + np.array([3.0, 0.0, 3.0, 0.0]))
    np.testing.assert_allclose(right, [[1.0, 0.0]])
    np.testing.assert_array_equal(directions(AT_ORIGIN, AT_ORIGIN), [[0.0, 0.0]])


@pytest.mark.parametrize(
    ("moved", "onward", "expected"),
    [
        pytest.param([1.0, 0.0], [5.0, 0.0], 0.5, id="same direction"),
        pytest.param([1.0, 0.0], [-5.0, 0.0], -0.5, id="opposite"),
        pytest.param([1.0, 0.0], [0.0, 2.0], 0.0, id="square"),
        pytest.param([0.0, 0.0], [5.0, 0.0], 0.0, id="no direction yet"),
        pytest.param([1.0, 0.0], [0.0, 0.0], 0.0, id="did not move on"),
    ],
)
def test_direction_consistency(moved: list[float], onward: list[float], expected: float) -> None:
    target = AT_ORIGIN + np.array(onward * 2)
    assert direction_consistency(np.array([moved]), AT_ORIGIN, target) == pytest.approx(expected)
