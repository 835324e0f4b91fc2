"""Groups as the caller supplies them: read, matched to people, hidden where they are small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.identification import Searches
from pipelines.evaluate.identification_groups import MIN_CELL, labels_of, rates_by_group, read_groups
from pipelines.evaluate.identification_protocol import Draw


def csv(folder: Path, text: str) -> Path:
    path = folder / "groups.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_groups_by_person_and_by_picture(tmp_path: Path) -> None:
    by_person = read_groups(csv(tmp_path, "person,group\nанна,қыз\nb/,ұл\n"))
    assert labels_of(("анна/1.jpg", "b/2.jpg", "c/1.jpg"), by_person) == ["қыз", "ұл", None]
    by_image = read_groups(csv(tmp_path, "\ufeffimage,group\nb/2.jpg,dusk\n"))
    assert labels_of(("b/1.jpg", "b/2.jpg"), by_image) == [None, "dusk"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("person,group\n", "holds no rows", id="no rows"),
        pytest.param("name,label\na,b\n", "needs the columns", id="other columns"),
        pytest.param("person,group\na,\n", r"groups\.csv:2: needs a person and a group", id="no group"),
        pytest.param("person,group\na,x\na,y\n", r"groups\.csv:3: a is in two groups", id="two groups"),
        pytest.param(
            "person,group\n" + "".join(f"p{n},g{n}\n" for n in range(60)),
            "more than 50 groups",
            id="too many",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(EvaluationError, match=reason):
        read_groups(csv(tmp_path, text))


def experiment(large: int, small: int) -> tuple[Draw, Searches, dict[str, str]]:
    """A large group that is found and a small one that is missed; every tenth stranger raises an alert."""
    count = large + small
    subjects = tuple(f"s{n}" for n in range(count))
    strangers = tuple(f"u{n}" for n in range(count))
    pictures = tuple(f"{name}/1.jpg" for name in subjects)
    draw = Draw(
        subjects,
        tuple((name,) for name in pictures),
        pictures,
        strangers,
        tuple(f"{n}/1.jpg" for n in strangers),
    )
    mated = np.array([0.9] * large + [0.1] * small, np.float32)
    non_mated = np.array([0.6 if n % 10 == 0 else 0.2 for n in range(count)], np.float32)
    searches = Searches(mated, np.ones(count, np.bool_), mated, non_mated, (0,) * count)
    groups = {f"{kind}{n}": "large" if n < large else "small" for n in range(count) for kind in "su"}
    return draw, searches, groups


def test_each_group_is_held_against_everybodys_threshold() -> None:
    rates = rates_by_group(*experiment(100, 50), thresholds={"0.1": 0.5, "0.01": None})
    assert rates["large"].fnir_at_fpir == {"0.1": 0.0, "0.01": None}
    assert rates["small"].fnir_at_fpir == {"0.1": 1.0, "0.01": None}
    assert rates["large"].fpir_at_fpir["0.1"] == 0.1
    interval = rates["small"].fnir_at_fpir_interval_95["0.1"]
    assert interval is not None
    assert 0.9 < interval[0] < interval[1] <= 1.0
    assert (rates["large"].mated_probes, rates["small"].non_mated_probes) == (100, 50)


@pytest.mark.parametrize(("size", "shown"), [(MIN_CELL, True), (MIN_CELL - 1, False)])
def test_a_small_cell_is_not_shown(size: int, shown: bool) -> None:
    rates = rates_by_group(*experiment(100, size), thresholds={"0.1": 0.5})["small"]
    assert (rates.fnir_at_fpir["0.1"] is not None) is shown
    assert (rates.fpir_at_fpir_interval_95["0.1"] is not None) is shown


def test_groups_of_other_people_are_named() -> None:
    draw, searches, _ = experiment(3, 3)
    with pytest.raises(EvaluationError, match="names none of the people"):
        rates_by_group(draw, searches, {"somebody": "x"}, {"0.1": 0.5})
