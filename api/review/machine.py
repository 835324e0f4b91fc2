"""The judgement machine: what each answer, and the passing of time, does to a candidate.

Pure: time and chance are arguments. The table it implements is in `docs/judgement.md`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import combinations

from api.review.cases import (
    JUDGEABLE,
    JUDGES_NEEDED,
    Answer,
    Case,
    Judgement,
    Resolution,
    State,
    Truth,
    shared_means,
)
from api.review.errors import AlreadyJudgedError, NotOpenError
from api.review.policies import ReviewPolicy

_CONTRADICTS = {Truth.SAME: Answer.DIFFERENT, Truth.DIFFERENT: Answer.SAME_PERSON}


def record_answer(case: Case, judgement: Judgement, policy: ReviewPolicy, draw: float) -> Case:
    """The case after one more answer.

    Args:
        case: before the answer.
        judgement: the answer; its round is set here.
        policy: times and shares.
        draw: a number from [0, 1), drawn afresh for this answer; below the policy's share, a
            candidate whose first answer is *different* still gets a second judge.

    Returns:
        The case with the answer recorded and its new state.

    Raises:
        AlreadyJudgedError: the account, session, passkey or browser has answered before, in any round.
        NotOpenError: no answer is awaited.
    """
    if has_judged(case, judgement):
        raise AlreadyJudgedError("this account has already judged this candidate")
    if case.state not in JUDGEABLE or judgement.answered_at >= case.expires_at:
        raise NotOpenError("this candidate is not waiting for an answer any more")
    answered = replace(case, judgements=(*case.judgements, replace(judgement, round=case.round)))
    state = _after(answered, policy, draw)
    hold_until = judgement.answered_at + policy.hold if state is State.CONFIRMED_HELD else None
    return replace(answered, state=state, hold_until=hold_until)


def has_judged(case: Case, judgement: Judgement) -> bool:
    """Whether account, session, passkey or browser behind `judgement` have answered this case before."""
    return any(
        judgement.account_id == earlier.account_id
        or judgement.session_id == earlier.session_id
        or shared_means(judgement, earlier) is not None
        for earlier in case.judgements
    )


def _after(case: Case, policy: ReviewPolicy, draw: float) -> State:
    answers = [item.answer for item in case.current]
    if case.truth is not None:
        return _after_control(answers, case.truth)
    if case.is_reexamination:
        return _after_reexamination(answers)
    if Answer.CANNOT_TELL in answers:
        return State.INCONCLUSIVE
    if len(answers) < JUDGES_NEEDED:
        wants_second = answers[0] is Answer.SAME_PERSON or draw < policy.second_judge_share
        return State.ONE_ANSWER if wants_second else State.REJECTED
    if len(set(answers)) > 1:
        return State.DISAGREEMENT
    return State.CONFIRMED_HELD if answers[0] is Answer.SAME_PERSON else State.REJECTED


def _after_control(answers: list[Answer], truth: Truth) -> State:
    """Two judges always; failed when either contradicts what is known. Doubt contradicts nothing."""
    if len(answers) < JUDGES_NEEDED:
        return State.ONE_ANSWER
    return State.CONTROL_FAILED if _CONTRADICTS[truth] in answers else State.CONTROL_PASSED


def _after_reexamination(answers: list[Answer]) -> State:
    """Two judges always; anything but twice *same person* says that the first two may have erred."""
    if len(answers) < JUDGES_NEEDED:
        return State.ONE_ANSWER
    return State.REEXAMINED_SAME if set(answers) == {Answer.SAME_PERSON} else State.REEXAMINED_OTHER


def undo(case: Case, account_id: str, now: datetime, policy: ReviewPolicy) -> Case:
    """The case as if the account had not answered; she stays one who has, and answers it no more.

    Args:
        case: while her answer is hers to take back: another one is awaited, the confirmation is held, or her
            answer, or the other one, has ended it less than a hold ago.
        account_id: whose answer of the round now at work it is.
        now: aware, UTC.
        policy: gives the hold.

    Raises:
        NotOpenError: there is no such answer, or something rests on it by now.
    """
    given = next((item for item in case.current if item.account_id == account_id), None)
    if given is None or not _may_be_undone(case, now, policy):
        raise NotOpenError("it is too late to take this answer back")
    judgements = tuple(replace(item, withdrawn_at=now) if item is given else item for item in case.judgements)
    left = replace(case, judgements=judgements, hold_until=None)
    return replace(left, state=_left_with(left))


def _may_be_undone(case: Case, now: datetime, policy: ReviewPolicy) -> bool:
    if case.state in {State.ONE_ANSWER, State.CONFIRMED_HELD}:
        return True
    # Ended by its answers, and not, say, by a supervisor in the meantime.
    ended_by_answers = case.state is _after(case, policy, 1.0)
    return ended_by_answers and now < case.current[-1].answered_at + policy.hold


def _left_with(case: Case) -> State:
    answers = [item.answer for item in case.current]
    if not answers:
        return State.OPEN
    always_two = case.is_control or case.is_reexamination
    return State.INCONCLUSIVE if Answer.CANNOT_TELL in answers and not always_two else State.ONE_ANSWER


def confirming(case: Case) -> tuple[Judgement, Judgement]:
    """The two judgements a confirmation rests on, checked once more at the last moment.

    Raises:
        NotOpenError: they are not two people's *same person* in the round now at work, or the
            candidate is a control or a re-examination.
    """
    current = case.current
    people = {item.account_id for item in current}
    sessions = {item.session_id for item in current}
    agreed = all(item.answer is Answer.SAME_PERSON for item in current)
    apart = len(people) == len(sessions) == len(current) == JUDGES_NEEDED
    shared = any(shared_means(one, other) is not None for one, other in combinations(current, 2))
    if case.is_control or case.is_reexamination or shared or not (agreed and apart):
        raise NotOpenError("a confirmation needs two people who both said *same person*")
    return current[0], current[1]


def release(case: Case, now: datetime) -> Case:
    """The case confirmed, once its hold is over.

    Raises:
        NotOpenError: it is not held, the hold is not over, or two judgements do not carry it.
    """
    if case.state is not State.CONFIRMED_HELD or case.hold_until is None or now < case.hold_until:
        raise NotOpenError("only a held candidate whose hold is over is confirmed")
    confirming(case)
    return replace(case, state=State.CONFIRMED, hold_until=None)


def lapse(case: Case) -> Case:
    """The held case ended without a receipt, because its entry left the list in the meantime.

    Raises:
        NotOpenError: it is not held.
    """
    if case.state is not State.CONFIRMED_HELD:
        raise NotOpenError("only a held candidate can lapse")
    return replace(case, state=State.EXPIRED, hold_until=None)


def expire(case: Case, now: datetime) -> Case:
    """The case as *not judged*, once its time is over.

    Raises:
        NotOpenError: an answer is no longer awaited, or there is still time.
    """
    if case.state not in JUDGEABLE or now < case.expires_at:
        raise NotOpenError("only a candidate that waited its whole time expires")
    return replace(case, state=State.EXPIRED)


def run_out(case: Case, now: datetime, policy: ReviewPolicy) -> Case:
    """The case as inconclusive, once a disagreement waited for a supervisor as long as a candidate for judges.

    Raises:
        NotOpenError: the judges do not disagree, or there is still time.
    """
    if case.state is not State.DISAGREEMENT or now < case.current[-1].answered_at + policy.expire_after:
        raise NotOpenError("only a disagreement that waited its whole time runs out")
    return replace(case, state=State.INCONCLUSIVE)


def withdraw(case: Case) -> Case:
    """The case taken back by the worker that made it, before anybody judged.

    Raises:
        NotOpenError: somebody has answered, or no answer is awaited any more.
    """
    if case.state is not State.OPEN or case.judgements or case.is_control or case.is_reexamination:
        raise NotOpenError("only a candidate nobody has judged is withdrawn")
    return replace(case, state=State.WITHDRAWN)


def restore(case: Case, expires_at: datetime) -> Case:
    """A withdrawn case back in the queue, because still later looks bear it out.

    Raises:
        NotOpenError: it was not withdrawn.
    """
    if case.state is not State.WITHDRAWN:
        raise NotOpenError("only a withdrawn candidate is restored")
    return replace(case, state=State.OPEN, expires_at=expires_at)


def resolve(case: Case, action: Resolution, now: datetime, policy: ReviewPolicy) -> Case:
    """The case after a supervisor dealt with a disagreement.

    Args:
        case: in `disagreement`.
        action: end it as rejected or inconclusive, or order two fresh blind judges.
        now: aware, UTC.
        policy: gives the fresh judges their time.

    Raises:
        NotOpenError: the judges do not disagree.
    """
    if case.state is not State.DISAGREEMENT:
        raise NotOpenError("only a disagreement is resolved")
    if action is Resolution.REJUDGE:
        return replace(case, state=State.OPEN, round=case.round + 1, expires_at=now + policy.expire_after)
    ended = State.REJECTED if action is Resolution.REJECT else State.INCONCLUSIVE
    return replace(case, state=ended)
