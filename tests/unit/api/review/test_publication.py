"""No small count can be read from what is published, nor computed from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from api.review.publication import (
    LEAST_CELL,
    TOTAL,
    Cell,
    Table,
    agreement_beyond_chance,
    hidden_cells,
    table,
)

PARTS = ("candidates", ("confirmed", "rejected", "not_judged"))
COLUMNS = (PARTS[0], *PARTS[1], "retracted")
ROW = st.fixed_dictionaries({name: st.integers(0, 30) for name in (*PARTS[1], "retracted")})
TABLES = st.dictionaries(st.sampled_from("abcdef"), ROW, min_size=1).map(
    lambda rows: table(COLUMNS, rows, [PARTS])
)


def small(counts: Table) -> list[Cell]:
    return [
        (row, name)
        for row, cells in counts.rows.items()
        for name, count in cells.items()
        if 0 < count < LEAST_CELL
    ]


def could_be(cell: Cell, counts: Table, hidden: frozenset[Cell]) -> float:
    """How far apart the values lie that a hidden cell may have, by all sums a reader knows."""
    order = sorted(hidden)
    equations, sums = [], []

    def add(whole: Cell, parts: list[Cell]) -> None:
        row, known = np.zeros(len(order)), 0.0
        for one, sign in [(whole, -1.0), *((part, 1.0) for part in parts)]:
            if one in hidden:
                row[order.index(one)] += sign
            else:
                known += sign * counts.rows[one[0]][one[1]]
        equations.append(row)
        sums.append(-known)

    groups = [row for row in counts.rows if row != TOTAL]
    for name in counts.columns:
        add((TOTAL, name), [(row, name) for row in groups])
    for row in counts.rows:
        for whole, parts in counts.partitions:
            add((row, whole), [(row, part) for part in parts])
    ends = []
    for sign in (1.0, -1.0):
        aim = np.zeros(len(order))
        aim[order.index(cell)] = sign
        found = linprog(aim, A_eq=np.array(equations), b_eq=np.array(sums), bounds=(0, 10_000))
        ends.append(found.x[order.index(cell)])
    return float(ends[1] - ends[0])


def assert_nothing_small_can_be_computed(hide: Callable[[Table], frozenset[Cell]], counts: Table) -> None:
    hidden = hide(counts)
    for cell in small(counts):
        assert cell in hidden
        assert could_be(cell, counts, hidden) >= LEAST_CELL - 1e-6


@settings(max_examples=60, deadline=None)
@given(TABLES)
def test_no_small_count_is_shown_or_can_be_computed(counts: Table) -> None:
    assert_nothing_small_can_be_computed(hidden_cells, counts)


def test_hiding_the_small_ones_alone_is_caught() -> None:
    counts = table(COLUMNS, {"a": {"confirmed": 2, "rejected": 20}, "b": {"confirmed": 9}}, [PARTS])
    with pytest.raises(AssertionError):
        assert_nothing_small_can_be_computed(lambda counts: frozenset(small(counts)), counts)


def test_large_counts_and_zeros_stay() -> None:
    counts = table(COLUMNS, {"a": {"confirmed": 50, "rejected": 20}, "b": {"confirmed": 9}}, [PARTS])
    assert hidden_cells(counts) == frozenset()


def test_no_more_is_hidden_than_a_row_and_a_column_ask_for() -> None:
    rows = {key: {"confirmed": 40, "rejected": 60, "not_judged": 20, "retracted": 8} for key in "abc"}
    rows["a"]["confirmed"] = 3
    hidden = hidden_cells(table(COLUMNS, rows, [PARTS]))
    assert ("a", "confirmed") in hidden
    assert len(hidden) <= 6
    assert (TOTAL, "candidates") not in hidden


def test_agreement_beyond_chance_is_the_textbooks() -> None:
    # Scott's pi by hand: 20 of 25 agree; shares 0.62 and 0.38; chance 0.5288.
    pairs = {("no", "no"): 7, ("no", "yes"): 5, ("yes", "yes"): 13}
    assert agreement_beyond_chance(pairs) == pytest.approx((0.8 - 0.5288) / (1 - 0.5288))
    assert agreement_beyond_chance({("yes", "yes"): 4}) is None
    assert agreement_beyond_chance({}) is None
