"""What may be published of a table of counts: small cells are hidden, and enough others that none can be computed.

A cell is small below `LEAST_CELL` and above zero: it may be a person. Whoever knows totals could subtract, so further
cells are hidden until linear arithmetic leaves every small cell a range of at least `LEAST_CELL` (an audit as
statistics offices do it, with a linear programme for either end of the range).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

LEAST_CELL: Final = 5
TOTAL: Final = ""
"""The row of a table that is the sum of all others."""

Cell: TypeAlias = tuple[str, str]
"""Row and column."""

Partition: TypeAlias = tuple[str, tuple[str, ...]]
"""A column, and the columns it is the sum of."""


@dataclass(frozen=True, slots=True)
class Table:
    """Counts by group.

    Attributes:
        columns: what is counted.
        rows: counts by group and column; the row `TOTAL` is the sum of the others.
        partitions: columns that are sums of others.
    """

    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, int]]
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """A whole and the parts it is the sum of."""

    whole: Cell
    parts: tuple[Cell, ...]


def table(
    columns: Sequence[str], rows: Mapping[str, Mapping[str, int]], partitions: Sequence[Partition]
) -> Table:
    """A table with its total; what is missing is zero."""
    full = {key: {name: row.get(name, 0) for name in columns} for key, row in sorted(rows.items())}
    for row in full.values():
        for whole, parts in partitions:
            row[whole] = sum(row[part] for part in parts)
    total = {name: sum(row[name] for row in full.values()) for name in columns}
    return Table(tuple(columns), {TOTAL: total, **full}, tuple(partitions))


def hidden_cells(counts: Table, least: int = LEAST_CELL) -> frozenset[Cell]:
    """The cells that must not be published.

    Args:
        counts: the whole table.
        least: smaller cells are hidden, but for zeros.
    """
    values = {(row, name): count for row, cells in counts.rows.items() for name, count in cells.items()}
    small = [cell for cell, count in values.items() if 0 < count < least]
    lines = list(_lines(counts))
    hidden = set(small)
    for cell in small:
        while _range_of(cell, hidden, lines, values) < least:
            more = _next_to_hide(cell, hidden, lines, values)
            if more is None:
                break
            hidden.add(more)
    return frozenset(hidden)


def _lines(counts: Table) -> Iterator[_Line]:
    groups = [row for row in counts.rows if row != TOTAL]
    for name in counts.columns:
        yield _Line((TOTAL, name), tuple((row, name) for row in groups))
    for row in counts.rows:
        for whole, parts in counts.partitions:
            yield _Line((row, whole), tuple((row, part) for part in parts))


def _range_of(cell: Cell, hidden: set[Cell], lines: Sequence[_Line], values: Mapping[Cell, int]) -> float:
    """How far apart the least and the largest value of a hidden cell lie, for somebody who knows all others."""
    from scipy.optimize import linprog

    order = sorted(hidden)
    place = {one: number for number, one in enumerate(order)}
    equations, sums = [], []
    for line in lines:
        signs = [(one, -1.0) for one in line.parts] + [(line.whole, 1.0)]
        if not any(one in hidden for one, _ in signs):
            continue
        row = np.zeros(len(order))
        known = 0.0
        for one, sign in signs:
            if one in place:
                row[place[one]] += sign
            else:
                known += sign * values[one]
        equations.append(row)
        sums.append(-known)
    aim = np.zeros(len(order))
    aim[place[cell]] = 1.0
    ends = []
    for sign in (1.0, -1.0):
        found = linprog(sign * aim, A_eq=np.array(equations), b_eq=np.array(sums), bounds=(0, None))
        if found.status == 3:  # unbounded: nothing holds the cell from above
            return float("inf")
        ends.append(float(found.x[place[cell]]))
    return ends[1] - ends[0]


def _next_to_hide(
    cell: Cell, hidden: set[Cell], lines: Sequence[_Line], values: Mapping[Cell, int]
) -> Cell | None:
    """The smallest cell that is still shown beside a hidden one, sums last; first where a small cell stands alone."""
    near: list[tuple[int, bool, int, Cell]] = []
    for line in lines:
        cells = {line.whole, *line.parts}
        beside = cells & hidden
        if not beside:
            continue
        alone = 0 if cell in beside and len(beside) == 1 else 1
        near += [
            (alone, one == line.whole, values[one] or 10**9, one) for one in cells - hidden
        ]  # a zero hides little: it comes after every other number
    return min(near)[-1] if near else None


def agreement_beyond_chance(pairs: Mapping[tuple[str, str], int]) -> float | None:
    """Cohen's kappa of two judges who are interchangeable (Scott's pi): 1 always agree, 0 as by chance.

    Args:
        pairs: how often two answers came together, in whichever order.

    Returns:
        None where there is no pair, or all answers are the same.
    """
    whole = sum(pairs.values())
    answers = {answer for pair in pairs for answer in pair}
    if not whole or len(answers) < 2:
        return None
    agreed = sum(count for (first, second), count in pairs.items() if first == second) / whole
    shares = [
        sum(count * pair.count(answer) for pair, count in pairs.items()) / (2 * whole) for answer in answers
    ]
    chance = sum(one * one for one in shares)
    return (agreed - chance) / (1 - chance)
