"""Who may judge which candidate."""

from __future__ import annotations

import pytest

from api.review.cases import Answer, Case, Involvement, Judge, Judgement, Role, State
from api.review.errors import AlreadyJudgedError, NotEntitledError
from api.review.guards import check_may_judge
from tests.unit.api.review.test_machine import NOON

CASE = Case("c1", State.ONE_ANSWER, 1, (Judgement("first", "s1", 0, Answer.SAME_PERSON, NOON),), NOON)


def test_an_uninvolved_operator_may_judge() -> None:
    check_may_judge(CASE, Judge("second", "s2", Role.OPERATOR), Involvement(frozenset({"first"})))


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.AUDITOR, Role.ADMINISTRATOR])
def test_no_other_role_may(role: Role) -> None:
    with pytest.raises(NotEntitledError) as refusal:
        check_may_judge(CASE, Judge("second", "s2", role), Involvement())
    assert refusal.value.code == "role"


@pytest.mark.parametrize(
    ("involvement", "code"),
    [
        (Involvement(disclosed_to=frozenset({"second"})), "disclosed"),
        (Involvement(responsible=frozenset({"second"})), "responsible"),
    ],
)
def test_nobody_who_was_told_or_had_a_part_may(involvement: Involvement, code: str) -> None:
    with pytest.raises(NotEntitledError) as refusal:
        check_may_judge(CASE, Judge("second", "s2", Role.OPERATOR), involvement)
    assert refusal.value.code == code


@pytest.mark.parametrize("judge", [Judge("first", "s9", Role.OPERATOR), Judge("other", "s1", Role.OPERATOR)])
def test_nobody_judges_twice_in_any_round_or_session(judge: Judge) -> None:
    with pytest.raises(AlreadyJudgedError):
        check_may_judge(CASE, judge, Involvement())
