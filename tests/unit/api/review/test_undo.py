"""Answers taken back: what is left, until when, and that nothing rests on them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from api.review import machine
from api.review.cases import Answer, Case, State, Truth
from api.review.errors import AlreadyJudgedError, NotOpenError
from tests.unit.api.review.test_machine import (
    DIFFERENT,
    NO_SECOND,
    NOON,
    POLICY,
    SAME,
    SECOND,
    UNSURE,
    judged,
    make_case,
    said,
)

SOON = NOON + timedelta(seconds=3)


@pytest.mark.parametrize(
    ("answers", "who", "left"),
    [
        pytest.param([SAME], 0, State.OPEN, id="the only one"),
        pytest.param([SAME, SAME], 0, State.ONE_ANSWER, id="held, the first"),
        pytest.param([SAME, SAME], 1, State.ONE_ANSWER, id="held, the second"),
        pytest.param([SAME, DIFFERENT], 1, State.ONE_ANSWER, id="disagreement"),
        pytest.param([SAME, UNSURE], 1, State.ONE_ANSWER, id="doubt taken back"),
        pytest.param([SAME, UNSURE], 0, State.INCONCLUSIVE, id="doubt of the other one stays"),
        pytest.param([UNSURE], 0, State.OPEN, id="only doubt taken back"),
        pytest.param([DIFFERENT], 0, State.OPEN, id="a rejection"),
    ],
)
def test_the_case_goes_on_as_if_she_had_not_answered(answers: list[Answer], who: int, left: State) -> None:
    case = judged(make_case(), *answers)
    undone = machine.undo(case, f"judge{who}", SOON, POLICY)
    assert (undone.state, undone.hold_until) == (left, None)
    assert len(undone.judgements) == len(answers)
    assert [item.account_id for item in undone.current] == [
        f"judge{number}" for number in range(len(answers)) if number != who
    ]


def test_who_took_an_answer_back_answers_no_more() -> None:
    undone = machine.undo(judged(make_case(), SAME, SAME), "judge0", SOON, POLICY)
    with pytest.raises(AlreadyJudgedError):
        machine.record_answer(undone, said(SAME, "judge0", SOON), POLICY, NO_SECOND)


def test_an_undone_answer_confirms_nothing() -> None:
    undone = machine.undo(judged(make_case(), SAME, SAME), "judge0", SOON, POLICY)
    with pytest.raises(NotOpenError):
        machine.release(undone, NOON + timedelta(days=1))
    held = machine.record_answer(undone, said(SAME, "third", SOON), POLICY, NO_SECOND)
    assert [item.account_id for item in machine.confirming(held)] == ["judge1", "third"]


def test_undone_twice_is_once() -> None:
    undone = machine.undo(judged(make_case(), SAME, SAME), "judge0", SOON, POLICY)
    with pytest.raises(NotOpenError):
        machine.undo(undone, "judge0", SOON, POLICY)


def _confirmed() -> Case:
    return machine.release(judged(make_case(), SAME, SAME), NOON + POLICY.hold)


def _resolved() -> Case:
    return replace(judged(make_case(), SAME, DIFFERENT), state=State.REJECTED)


@pytest.mark.parametrize(
    ("case", "who"),
    [
        pytest.param(_confirmed(), "judge0", id="confirmed"),
        pytest.param(_resolved(), "judge0", id="ended by a supervisor"),
        pytest.param(judged(make_case(), SAME, SAME), "somebody", id="not hers"),
        pytest.param(replace(make_case(), state=State.EXPIRED), "judge0", id="expired"),
    ],
)
def test_what_is_not_hers_any_more_stays(case: Case, who: str) -> None:
    with pytest.raises(NotOpenError):
        machine.undo(case, who, SOON, POLICY)


@pytest.mark.parametrize("answers", [[DIFFERENT], [UNSURE], [SAME, DIFFERENT]])
def test_what_an_answer_ended_is_hers_for_one_hold(answers: list[Answer]) -> None:
    case = judged(make_case(), *answers)
    with pytest.raises(NotOpenError):
        machine.undo(case, "judge0", NOON + POLICY.hold, POLICY)


def test_of_an_earlier_round_nothing_is_undone() -> None:
    again = replace(judged(make_case(), SAME, DIFFERENT), state=State.OPEN, round=1)
    with pytest.raises(NotOpenError):
        machine.undo(again, "judge0", SOON, POLICY)


@pytest.mark.parametrize("truth", list(Truth))
def test_a_control_goes_back_to_its_queue_as_any_candidate(truth: Truth) -> None:
    case = judged(make_case(truth), SAME, UNSURE)
    assert machine.undo(case, "judge0", SOON, POLICY).state is State.ONE_ANSWER


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ([UNSURE], State.ONE_ANSWER),
        ([DIFFERENT], State.ONE_ANSWER),
        ([SAME, SAME], State.REEXAMINED_SAME),
        ([SAME, UNSURE], State.REEXAMINED_OTHER),
        ([DIFFERENT, DIFFERENT], State.REEXAMINED_OTHER),
    ],
)
def test_a_reexamination_always_gets_two_judges_and_confirms_nothing(
    answers: list[Answer], state: State
) -> None:
    case = judged(replace(make_case(), is_reexamination=True), *answers, draw=SECOND)
    assert case.state is state
    with pytest.raises(NotOpenError):
        machine.confirming(case)


def test_a_disagreement_runs_out_when_nobody_decides() -> None:
    split = judged(make_case(), SAME, DIFFERENT)
    with pytest.raises(NotOpenError):
        machine.run_out(split, NOON + POLICY.expire_after - timedelta(seconds=1), POLICY)
    assert machine.run_out(split, NOON + POLICY.expire_after, POLICY).state is State.INCONCLUSIVE
    with pytest.raises(NotOpenError):
        machine.run_out(judged(make_case(), SAME, SAME), NOON + timedelta(days=1), POLICY)
