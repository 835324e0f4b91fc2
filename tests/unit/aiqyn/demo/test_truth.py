"""The ground truth file."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiqyn.demo.footage.errors import FootageError
from aiqyn.demo.footage.truth import FaceTruth, FrameTruth, GroundTruth, PersonTruth

_MARKS = ((1.0, 2.0), (3.0, 2.0), (2.0, 3.0), (1.0, 4.0), (3.0, 4.0))
_TRUTH = GroundTruth(
    1280,
    720,
    12.5,
    (PersonTruth("person-1", "sample-person-1", True), PersonTruth("person-4", None, True)),
    (
        FrameTruth(0, 0.0, ()),
        FrameTruth(1, 0.08, (FaceTruth("person-1", (100, 100, 150, 160), _MARKS, True),)),
        FrameTruth(
            2,
            0.16,
            (
                FaceTruth("person-1", (104, 100, 154, 160), _MARKS, False),
                FaceTruth("person-4", (120, 110, 170, 170), _MARKS, True),
            ),
        ),
    ),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    _TRUTH.write(path)
    assert GroundTruth.read(path) == _TRUTH


@pytest.mark.parametrize(
    ("seconds", "box", "person"),
    [
        pytest.param(0.08, (102, 98, 151, 158), "person-1", id="a detector's box"),
        pytest.param(0.09, (102, 98, 151, 158), "person-1", id="the nearest frame"),
        pytest.param(0.16, (121, 111, 171, 171), "person-4", id="the better overlap of two"),
        pytest.param(0.08, (700, 98, 751, 158), None, id="nobody there"),
        pytest.param(0.0, (100, 100, 150, 160), None, id="nobody yet"),
        pytest.param(0.08, (149, 100, 199, 160), None, id="hardly touching"),
    ],
)
def test_who_is_in_a_box(seconds: float, box: tuple[float, float, float, float], person: str | None) -> None:
    assert _TRUTH.person_at(seconds, box) == person


def test_who_is_on_the_list() -> None:
    assert _TRUTH.subject_of("person-1") == "sample-person-1"
    assert _TRUTH.subject_of("person-4") is None
    assert _TRUTH.subject_of("nobody") is None


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "other/1"}', "not json"])
def test_another_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "truth.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FootageError, match=r"truth\.json"):
        GroundTruth.read(path)
