"""The demo's verdict: a run that showed everything passes, and each thing left out is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aiqyn.demo.footage.truth import GroundTruth, PersonTruth
from aiqyn.demo.operators import Given
from aiqyn.demo.verdict import Confirmed, Outcome, missing, outcome_of

TRUTH = GroundTruth(
    width=1280,
    height=720,
    fps=12.5,
    persons=(
        PersonTruth("person-1", "listed-and-there", appears=True),
        PersonTruth("person-2", "listed-and-absent", appears=False),
        PersonTruth("person-3", None, appears=True),
    ),
    frames=(),
)
REAL = Outcome("c1", "listed-and-there", "confirmed", False, ("same_person", "same_person"))
CONTROL = Outcome("c2", "listed-and-absent", "control_passed", True, ("different", "different"))
STREAM = Confirmed("c1", "a.b.c", ("judge-1", "judge-2"))
GIVEN = Given("r1", "operator-1", "same_person", {})


def test_a_run_that_showed_everything_passes() -> None:
    assert missing(TRUTH, [REAL, CONTROL], [STREAM], [GIVEN]) == []


@pytest.mark.parametrize(
    ("outcomes", "confirmed", "answers", "told"),
    [
        pytest.param([CONTROL], [], [], "was not confirmed", id="the listed person was not found"),
        pytest.param(
            [REAL, replace(REAL, candidate_id="c3", name="listed-and-absent"), CONTROL],
            [STREAM, replace(STREAM, candidate_id="c3")],
            [],
            "never appears and was confirmed",
            id="somebody absent was confirmed",
        ),
        pytest.param(
            [REAL, CONTROL], [], [], "1 candidates were confirmed and 0 published", id="unpublished"
        ),
        pytest.param(
            [REAL, CONTROL],
            [STREAM, replace(STREAM, candidate_id="c2")],
            [],
            "a control reached the confirmed stream",
            id="published control",
        ),
        pytest.param(
            [REAL, CONTROL],
            [replace(STREAM, judges=("judge-1", "judge-1"))],
            [],
            "does not rest on two people",
            id="one judge twice",
        ),
        pytest.param([REAL], [STREAM], [], "no control was mixed in", id="no control"),
        pytest.param(
            [REAL, replace(CONTROL, answers=("different", "same_person"))],
            [STREAM],
            [],
            "a control was not rejected by both",
            id="a failed control",
        ),
        pytest.param(
            [REAL, replace(CONTROL, answers=("different",))],
            [STREAM],
            [],
            "a control was not rejected by both",
            id="a control judged once",
        ),
        pytest.param([REAL, CONTROL], [STREAM], [GIVEN, GIVEN], "asked twice", id="asked twice"),
    ],
)
def test_what_is_missing_is_named(
    outcomes: list[Outcome], confirmed: list[Confirmed], answers: list[Given], told: str
) -> None:
    assert any(told in problem for problem in missing(TRUTH, outcomes, confirmed, answers))


def test_an_outcome_is_read_off_the_supervisors_screen() -> None:
    row = {
        "candidate_id": "c2",
        "name": "listed-and-absent",
        "state": "control_passed",
        "is_control": True,
        "judgements": [{"answer": "different"}, {"answer": "different"}],
    }
    assert outcome_of(row) == CONTROL
    assert (CONTROL.judged, REAL.judged) == ("rejected", "confirmed")
