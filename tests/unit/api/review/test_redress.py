"""What an answer to a complaint may say, given what two fresh judges found."""

from __future__ import annotations

import pytest

from api.review.cases import State
from api.review.errors import RedressError
from api.review.redress import ComplaintOutcome, Examined, Finding, finding_of, to_retract

UPHELD, NOT_UPHELD, NOTHING = ComplaintOutcome
SAME, OTHER = Examined(Finding.SAME, in_force=True), Examined(Finding.NOT_SAME, in_force=True)
GONE = Examined(Finding.IMPOSSIBLE, in_force=True)
RETRACTED = Examined(Finding.NOT_SAME, in_force=False)


@pytest.mark.parametrize(
    ("outcome", "examined", "chosen", "retracted"),
    [
        pytest.param(UPHELD, {"a": OTHER}, set(), {"a"}, id="doubt retracts"),
        pytest.param(UPHELD, {"a": SAME}, set(), {"a"}, id="the only one, upheld all the same"),
        pytest.param(UPHELD, {"a": SAME, "b": OTHER}, set(), {"b"}, id="of two the doubtful one"),
        pytest.param(UPHELD, {"a": SAME, "b": SAME}, {"a"}, {"a"}, id="the chosen one"),
        pytest.param(UPHELD, {"a": RETRACTED}, {"a"}, set(), id="retracted before"),
        pytest.param(UPHELD, {"a": GONE}, set(), {"a"}, id="pictures gone, upheld"),
        pytest.param(NOT_UPHELD, {"a": SAME}, set(), set(), id="both said the same"),
        pytest.param(NOT_UPHELD, {"a": RETRACTED}, set(), set(), id="nothing in force"),
        pytest.param(NOT_UPHELD, {"a": GONE}, set(), set(), id="pictures gone, not upheld"),
        pytest.param(NOTHING, {}, set(), set(), id="nothing there and then"),
        pytest.param(UPHELD, {}, set(), set(), id="nothing there and then, upheld: the sign was missing"),
    ],
)
def test_what_is_retracted(
    outcome: ComplaintOutcome, examined: dict[str, Examined], chosen: set[str], retracted: set[str]
) -> None:
    assert to_retract(outcome, examined, frozenset(chosen)) == retracted


@pytest.mark.parametrize(
    ("outcome", "examined", "chosen", "code"),
    [
        pytest.param(
            UPHELD, {"a": Examined(Finding.AWAITED, in_force=True)}, set(), "not_reexamined", id="too soon"
        ),
        pytest.param(NOT_UPHELD, {"a": OTHER}, set(), "must_be_upheld", id="against the finding"),
        pytest.param(NOTHING, {"a": OTHER}, set(), "must_be_upheld", id="nothing, against the finding"),
        pytest.param(NOT_UPHELD, {"a": SAME}, {"a"}, "must_be_upheld", id="retract and not uphold"),
        pytest.param(NOTHING, {"a": SAME}, set(), "something_found", id="nothing found, and there is"),
        pytest.param(UPHELD, {"a": SAME}, {"b"}, "not_of_this_complaint", id="somebody else's"),
    ],
)
def test_what_an_answer_may_not_say(
    outcome: ComplaintOutcome, examined: dict[str, Examined], chosen: set[str], code: str
) -> None:
    with pytest.raises(RedressError) as refusal:
        to_retract(outcome, examined, frozenset(chosen))
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("copy", "possible", "finding"),
    [
        (None, True, Finding.AWAITED),
        (None, False, Finding.IMPOSSIBLE),
        (State.OPEN, True, Finding.AWAITED),
        (State.EXPIRED, True, Finding.AWAITED),
        (State.EXPIRED, False, Finding.IMPOSSIBLE),
        (State.REEXAMINED_SAME, False, Finding.SAME),
        (State.REEXAMINED_OTHER, True, Finding.NOT_SAME),
    ],
)
def test_what_a_reexamination_came_to(copy: State | None, possible: bool, finding: Finding) -> None:
    assert finding_of(copy, possible=possible) is finding
