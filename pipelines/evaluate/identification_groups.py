"""Figures by group, where whoever measures says who belongs to which. Nothing about a person is inferred here."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.identification import Searches
from pipelines.evaluate.identification_protocol import Draw
from pipelines.evaluate.intervals import Interval
from pipelines.evaluate.verification import wilson_interval
from vision.types import Bool

MIN_CELL = 30
"""Probes a rate of a group needs: with fewer its interval spans most of what is possible, and a published
figure would tell of single people."""

_MOST_GROUPS = 50
_KEYS = ("person", "image")


@dataclass(frozen=True, slots=True)
class GroupRates:
    """Misses and false alerts of one group at the thresholds of everybody; None in cells that are too small.

    Attributes:
        mated_probes: of the group.
        non_mated_probes: of the group.
        fnir_at_fpir: by everybody's FPIR, the group's own miss rate.
        fnir_at_fpir_interval_95: Wilson's.
        fpir_at_fpir: by everybody's FPIR, the group's own false alert rate.
        fpir_at_fpir_interval_95: Wilson's.
    """

    mated_probes: int
    non_mated_probes: int
    fnir_at_fpir: dict[str, float | None]
    fnir_at_fpir_interval_95: dict[str, Interval | None]
    fpir_at_fpir: dict[str, float | None]
    fpir_at_fpir_interval_95: dict[str, Interval | None]


def read_groups(path: Path) -> dict[str, str]:
    """Group by person or picture, from a CSV file with the columns person (or image) and group.

    Args:
        path: names of folders (person) or pictures (image) as they lie under the folder that is measured.

    Raises:
        EvaluationError: not readable, other columns, no rows, a row without a group, or one named twice with
            different groups.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "is not a CSV file"
        raise EvaluationError(f"{path}: {reason}") from error
    if not rows:
        raise EvaluationError(f"{path}: holds no rows")
    key = next((name for name in _KEYS if name in rows[0]), None)
    if key is None or "group" not in rows[0]:
        raise EvaluationError(f"{path}: needs the columns person,group or image,group")
    groups: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        name, group = (row[key] or "").strip().rstrip("/"), (row["group"] or "").strip()
        if not name or not group:
            raise EvaluationError(f"{path}:{number}: needs a {key} and a group")
        if groups.setdefault(name, group) != group:
            raise EvaluationError(f"{path}:{number}: {name} is in two groups")
    if len(set(groups.values())) > _MOST_GROUPS:
        raise EvaluationError(f"{path}: has more than {_MOST_GROUPS} groups; a group is many people")
    return groups


def labels_of(pictures: tuple[str, ...], groups: Mapping[str, str]) -> list[str | None]:
    """The group of each picture: its own, else its person's; None where neither is said."""
    return [groups.get(name) or groups.get(name.rpartition("/")[0]) for name in pictures]


def rates_by_group(
    draw: Draw, searches: Searches, groups: Mapping[str, str], thresholds: Mapping[str, float | None]
) -> dict[str, GroupRates]:
    """The figures of each group.

    Args:
        draw: whose probes they are.
        searches: what the probes gave.
        groups: of `read_groups`.
        thresholds: similarity by FPIR over everybody.

    Raises:
        EvaluationError: not one probe is in a group.
    """
    mated, non_mated = labels_of(draw.mated, groups), labels_of(draw.non_mated, groups)
    labels = sorted({label for label in (*mated, *non_mated) if label is not None})
    if not labels:
        raise EvaluationError("the file of groups names none of the people measured; check its paths")
    return {
        label: _rates(
            searches,
            np.array([one == label for one in mated], np.bool_),
            np.array([one == label for one in non_mated], np.bool_),
            thresholds,
        )
        for label in labels
    }


def _rates(
    searches: Searches, mated: Bool, non_mated: Bool, thresholds: Mapping[str, float | None]
) -> GroupRates:
    missed, alerts = {}, {}
    for rate, threshold in thresholds.items():
        at = np.inf if threshold is None else threshold
        hits = searches.rank_one[mated] & (searches.mated[mated] > at)
        missed[rate] = _cell(~hits, threshold)
        alerts[rate] = _cell(searches.non_mated[non_mated] > at, threshold)
    return GroupRates(
        mated_probes=int(mated.sum()),
        non_mated_probes=int(non_mated.sum()),
        fnir_at_fpir={rate: cell[0] for rate, cell in missed.items()},
        fnir_at_fpir_interval_95={rate: cell[1] for rate, cell in missed.items()},
        fpir_at_fpir={rate: cell[0] for rate, cell in alerts.items()},
        fpir_at_fpir_interval_95={rate: cell[1] for rate, cell in alerts.items()},
    )


def _cell(happened: Bool, threshold: float | None) -> tuple[float | None, Interval | None]:
    if threshold is None or len(happened) < MIN_CELL:
        return None, None
    count = int(happened.sum())
    return count / len(happened), wilson_interval(count, len(happened))
