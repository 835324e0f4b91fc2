"""Any sequence of answers, retries, withdrawals, rulings and clock jumps on the judgement machine.

The sequences keep their own account of who said what and who took it back, and hold the machine against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from api.review import machine
from api.review.cases import Answer, Case, Judgement, Resolution, State, Truth
from api.review.errors import ReviewError
from api.review.policies import ReviewPolicy
from tests.unit.api.review.test_machine import NOON, POLICY, make_case

PEOPLE = st.sampled_from("abcde")
SESSIONS = st.sampled_from(["own", "own", "own", "shared"])
ANSWERS = st.sampled_from([Answer.SAME_PERSON, Answer.SAME_PERSON, *Answer])
DRAWS = st.sampled_from([0.0, 0.99])
QUICK = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SEARCH = settings(QUICK, max_examples=1500, stateful_step_count=12, phases=[Phase.generate], derandomize=True)
"""Enough to find a broken guard; what it found needs no shortening."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that was taken, as the sequence remembers it."""

    who: str
    session: str
    answer: Answer
    round: int
    at: datetime


class Sequences(RuleBasedStateMachine):
    """Calls in any order, each of which the machine may refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.round = 0
        self.standing: list[Said] = []
        self.everyone: set[str] = set()

    @initialize(
        truth=st.sampled_from([None, None, None, Truth.SAME, Truth.DIFFERENT]),
        again=st.sampled_from([False, False, True]),
    )
    def begin(self, truth: Truth | None, again: bool) -> None:
        self.case = replace(make_case(truth), is_reexamination=again and truth is None)

    @rule(who=PEOPLE, session=SESSIONS, answer=ANSWERS, draw=DRAWS, twice=st.booleans())
    def answer(self, who: str, session: str, answer: Answer, draw: float, twice: bool) -> None:
        login = session if session == "shared" else f"{who}-{session}"
        said = Said(who, login, answer, self.round, self.now)
        for _ in range(1 + twice):
            if self._takes(machine.record_answer, Judgement(who, login, 0, answer, self.now), POLICY, draw):
                assert who not in self.everyone, "an answer by somebody who had answered"
                self.everyone.add(who)
                self.standing.append(said)

    @rule(who=PEOPLE, answer=ANSWERS)
    def answer_plainly(self, who: str, answer: Answer) -> None:
        self.answer(who, "own", answer, 0.0, False)

    @rule(who=PEOPLE)
    def take_back(self, who: str) -> None:
        if self._takes(machine.undo, who, self.now, POLICY):
            self.standing = [said for said in self.standing if (said.who, said.round) != (who, self.round)]

    @rule(action=st.sampled_from(list(Resolution)))
    def rule_on_it(self, action: Resolution) -> None:
        if self._takes(machine.resolve, action, self.now, POLICY) and action is Resolution.REJUDGE:
            self.round += 1

    @rule(seconds=st.sampled_from([-7200, -11, -1, 1, 9, 10, 11, 1800, 7200]))
    def jump(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def release(self) -> None:
        if self._takes(machine.release, self.now):
            last = max(said.at for said in self.standing if said.round == self.round)
            assert self.now >= last + POLICY.hold, "confirmed before its hold was over"

    @rule()
    def expire(self) -> None:
        self._takes(machine.expire, self.now)

    @rule()
    def run_out(self) -> None:
        self._takes(machine.run_out, self.now, POLICY)

    @rule()
    def lapse(self) -> None:
        self._takes(machine.lapse)

    @rule()
    def withdraw(self) -> None:
        self._takes(machine.withdraw)

    @rule()
    def restore(self) -> None:
        self._takes(machine.restore, self.now + POLICY.expire_after)

    @invariant()
    def two_people_apart_said_the_same_and_stand_by_it(self) -> None:
        if not hasattr(self, "case") or self.case.state not in {State.CONFIRMED, State.CONFIRMED_HELD}:
            return
        assert self.case.truth is None, "a control was confirmed"
        assert not self.case.is_reexamination, "a re-examination was confirmed"
        current = [said for said in self.standing if said.round == self.round]
        assert {said.answer for said in current} == {Answer.SAME_PERSON}
        assert len({said.who for said in current}) == len({said.session for said in current}) == 2
        assert len(current) == 2

    def _takes(self, step: Callable[..., Case], *arguments: Any) -> bool:
        try:
            self.case = step(self.case, *arguments)
        except ReviewError:
            return False
        return True


def test_no_sequence_confirms_without_two_people_apart_who_said_the_same() -> None:
    run_state_machine_as_test(Sequences, settings=QUICK)


def _one_judge(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine, "JUDGES_NEEDED", 1)


def _same_person_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine, "has_judged", lambda _case, _judgement: False)


def _undo_forgets(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine, "undo", lambda case, _who, _now, _policy: case)


def _undo_after_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine, "_may_be_undone", lambda _case, _now, _policy: True)
    patch.setattr(machine, "_left_with", lambda case: case.state)


def _supervisor_confirms(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        machine, "resolve", lambda case, _action, _now, _policy: replace(case, state=State.CONFIRMED)
    )


def _any_two_answers(patch: pytest.MonkeyPatch) -> None:
    def after(case: Case, _policy: ReviewPolicy, _draw: float) -> State:
        return State.CONFIRMED_HELD if len(case.current) == 2 else State.ONE_ANSWER

    patch.setattr(machine, "_after", after)


def _controls_confirm(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine, "_after_control", lambda _answers, _truth: State.CONFIRMED_HELD)


def _reexaminations_confirm(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine, "_after_reexamination", lambda _answers: State.CONFIRMED_HELD)


def _no_hold(patch: pytest.MonkeyPatch) -> None:
    def release(case: Case, _now: datetime) -> Case:
        machine.confirming(case)
        return replace(case, state=State.CONFIRMED)

    patch.setattr(machine, "release", release)


@pytest.mark.system  # takes its time
@pytest.mark.parametrize(
    "broken",
    [
        _one_judge,
        _same_person_again,
        _undo_forgets,
        _undo_after_the_end,
        _supervisor_confirms,
        _any_two_answers,
        _controls_confirm,
        _reexaminations_confirm,
        _no_hold,
    ],
)
def test_a_build_without_a_guard_is_caught(
    broken: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Sequences, settings=SEARCH)
