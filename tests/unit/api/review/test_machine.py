"""The judgement table, row by row and by chance."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.review import machine
from api.review.cases import Answer, Case, Judgement, Resolution, State, Truth
from api.review.errors import AlreadyJudgedError, NotOpenError
from api.review.policies import ReviewPolicy

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = ReviewPolicy()
SAME, DIFFERENT, UNSURE = Answer.SAME_PERSON, Answer.DIFFERENT, Answer.CANNOT_TELL
NO_SECOND, SECOND = 0.99, 0.0
"""Draws above and below the share of candidates that get a second judge all the same."""


def make_case(truth: Truth | None = None) -> Case:
    return Case("c1", State.OPEN, 0, (), NOON + POLICY.expire_after, truth=truth)


def said(answer: Answer, who: str, at: datetime = NOON) -> Judgement:
    return Judgement(who, f"session-{who}", 0, answer, at)


def judged(case: Case, *answers: Answer, draw: float = NO_SECOND) -> Case:
    for number, answer in enumerate(answers):
        case = machine.record_answer(case, said(answer, f"judge{number}"), POLICY, draw)
    return case


@pytest.mark.parametrize(
    ("answers", "draw", "state"),
    [
        pytest.param([SAME], NO_SECOND, State.ONE_ANSWER, id="one same waits"),
        pytest.param([SAME, SAME], NO_SECOND, State.CONFIRMED_HELD, id="same same"),
        pytest.param([SAME, DIFFERENT], NO_SECOND, State.DISAGREEMENT, id="same different"),
        pytest.param([SAME, UNSURE], NO_SECOND, State.INCONCLUSIVE, id="same, doubt"),
        pytest.param([UNSURE], NO_SECOND, State.INCONCLUSIVE, id="doubt ends at once"),
        pytest.param([UNSURE], SECOND, State.INCONCLUSIVE, id="doubt ends, whatever the draw"),
        pytest.param([DIFFERENT], NO_SECOND, State.REJECTED, id="different"),
        pytest.param([DIFFERENT], SECOND, State.ONE_ANSWER, id="different, drawn for a second"),
        pytest.param([DIFFERENT, DIFFERENT], SECOND, State.REJECTED, id="different different"),
        pytest.param([DIFFERENT, SAME], SECOND, State.DISAGREEMENT, id="different same"),
        pytest.param([DIFFERENT, UNSURE], SECOND, State.INCONCLUSIVE, id="different, doubt"),
    ],
)
def test_table(answers: list[Answer], draw: float, state: State) -> None:
    assert judged(make_case(), *answers, draw=draw).state is state


@pytest.mark.parametrize(
    ("truth", "answers", "state"),
    [
        (Truth.DIFFERENT, [DIFFERENT], State.ONE_ANSWER),
        (Truth.DIFFERENT, [UNSURE], State.ONE_ANSWER),
        (Truth.DIFFERENT, [DIFFERENT, DIFFERENT], State.CONTROL_PASSED),
        (Truth.DIFFERENT, [DIFFERENT, UNSURE], State.CONTROL_PASSED),
        (Truth.DIFFERENT, [DIFFERENT, SAME], State.CONTROL_FAILED),
        (Truth.DIFFERENT, [SAME, SAME], State.CONTROL_FAILED),
        (Truth.SAME, [SAME, SAME], State.CONTROL_PASSED),
        (Truth.SAME, [SAME, DIFFERENT], State.CONTROL_FAILED),
    ],
)
def test_controls_always_get_two_judges_and_never_confirm(
    truth: Truth, answers: list[Answer], state: State
) -> None:
    assert judged(make_case(truth), *answers).state is state


def test_the_share_of_second_judges_is_the_policys() -> None:
    share = replace(POLICY, second_judge_share=0.25)
    first = said(DIFFERENT, "a")
    assert machine.record_answer(make_case(), first, share, 0.2499).state is State.ONE_ANSWER
    assert machine.record_answer(make_case(), first, share, 0.25).state is State.REJECTED


def test_nobody_answers_twice_in_any_tab_or_session() -> None:
    case = judged(make_case(), SAME)
    with pytest.raises(AlreadyJudgedError):
        machine.record_answer(case, said(SAME, "judge0"), POLICY, NO_SECOND)
    other_session = replace(said(SAME, "judge0"), session_id="another")
    with pytest.raises(AlreadyJudgedError):
        machine.record_answer(case, other_session, POLICY, NO_SECOND)
    other_account = replace(said(SAME, "somebody"), session_id="session-judge0")
    with pytest.raises(AlreadyJudgedError):
        machine.record_answer(case, other_account, POLICY, NO_SECOND)


@pytest.mark.parametrize("ended", [state for state in State if state not in {State.OPEN, State.ONE_ANSWER}])
def test_nobody_answers_what_has_ended(ended: State) -> None:
    with pytest.raises(NotOpenError):
        machine.record_answer(replace(make_case(), state=ended), said(SAME, "a"), POLICY, NO_SECOND)


def test_an_answer_after_its_time_is_none() -> None:
    late = said(SAME, "a", NOON + POLICY.expire_after)
    with pytest.raises(NotOpenError):
        machine.record_answer(make_case(), late, POLICY, NO_SECOND)


def test_hold_ends_in_a_confirmation_and_not_before() -> None:
    held = judged(make_case(), SAME, SAME)
    assert held.hold_until == NOON + POLICY.hold
    with pytest.raises(NotOpenError):
        machine.release(held, NOON + POLICY.hold - timedelta(microseconds=1))
    confirmed = machine.release(held, NOON + POLICY.hold)
    assert confirmed.state is State.CONFIRMED
    assert [item.account_id for item in machine.confirming(confirmed)] == ["judge0", "judge1"]


def test_a_forged_hold_is_not_released() -> None:
    """Even where the state was written by something else than two answers."""
    forged = replace(judged(make_case(), SAME), state=State.CONFIRMED_HELD, hold_until=NOON)
    with pytest.raises(NotOpenError):
        machine.release(forged, NOON)
    twice = replace(forged, judgements=(forged.judgements[0], forged.judgements[0]))
    with pytest.raises(NotOpenError):
        machine.release(twice, NOON)
    control = replace(judged(make_case(), SAME, SAME), truth=Truth.SAME)
    with pytest.raises(NotOpenError):
        machine.release(control, NOON + POLICY.hold)


def test_unjudged_candidates_expire() -> None:
    for case in (make_case(), judged(make_case(), SAME)):
        with pytest.raises(NotOpenError):
            machine.expire(case, case.expires_at - timedelta(seconds=1))
        assert machine.expire(case, case.expires_at).state is State.EXPIRED
    with pytest.raises(NotOpenError):
        machine.expire(judged(make_case(), SAME, SAME), NOON + timedelta(days=1))


def test_a_supervisor_ends_a_disagreement_and_cannot_confirm() -> None:
    split = judged(make_case(), SAME, DIFFERENT)
    assert machine.resolve(split, Resolution.REJECT, NOON, POLICY).state is State.REJECTED
    assert machine.resolve(split, Resolution.INCONCLUSIVE, NOON, POLICY).state is State.INCONCLUSIVE
    assert not [action for action in Resolution if "confirm" in action.value]
    with pytest.raises(NotOpenError):
        machine.resolve(judged(make_case(), SAME), Resolution.REJECT, NOON, POLICY)


def test_fresh_judges_begin_anew_and_old_ones_stay_out() -> None:
    split = judged(make_case(), SAME, DIFFERENT)
    again = machine.resolve(split, Resolution.REJUDGE, NOON + timedelta(hours=2), POLICY)
    assert (again.state, again.round, again.current) == (State.OPEN, 1, ())
    with pytest.raises(AlreadyJudgedError):
        machine.record_answer(again, said(SAME, "judge0"), POLICY, NO_SECOND)
    one = machine.record_answer(again, said(SAME, "new0"), POLICY, NO_SECOND)
    assert one.state is State.ONE_ANSWER  # the first round's *same* is not carried over
    assert machine.record_answer(one, said(SAME, "new1"), POLICY, NO_SECOND).state is State.CONFIRMED_HELD


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("answer"), st.sampled_from("abcd"), st.sampled_from(list(Answer))),
        st.tuples(st.just("resolve"), st.sampled_from(list(Resolution)), st.none()),
        st.tuples(st.just("wait"), st.integers(0, 3_600), st.none()),
    ),
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, draws=st.floats(0, 0.999), truth=st.sampled_from([None, Truth.SAME, Truth.DIFFERENT]))
def test_no_sequence_confirms_without_two_people_who_said_the_same(
    steps: list[tuple[str, object, object]], draws: float, truth: Truth | None
) -> None:
    case, now = make_case(truth), NOON
    for what, first, second in steps:
        try:
            if what == "answer":
                case = machine.record_answer(case, said(Answer(str(second)), str(first), now), POLICY, draws)
            elif what == "resolve":
                case = machine.resolve(case, Resolution(str(first)), now, POLICY)
            else:
                now += timedelta(seconds=int(str(first)))
                case = machine.release(case, now)
        except (AlreadyJudgedError, NotOpenError):
            continue
    if case.state in {State.CONFIRMED, State.CONFIRMED_HELD}:
        assert truth is None
        assert len({item.account_id for item in case.current}) == 2
        assert {item.answer for item in case.current} == {SAME}
