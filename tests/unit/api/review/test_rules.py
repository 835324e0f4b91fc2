"""Entries, deployments, policies and controls: what is let through."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.review.controls import queue_moment, wants_control
from api.review.deployments import DeploymentTerms, check_deployment
from api.review.errors import RecordError
from api.review.policies import ReviewPolicy
from api.review.watchlists import EntryTerms, check_entry, check_size

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ENTRY = EntryTerms("a. officer", "b. judge", "Art. 12", "case-7", "family", NOON + 30 * DAY)
DEPLOYMENT = DeploymentTerms(
    "d1", "missing", frozenset({"gate"}), "find them", "a. officer", "b. judge", NOON, NOON + DAY
)


def test_a_lawful_entry_and_deployment_pass() -> None:
    check_entry(ENTRY, NOON)
    check_deployment(DEPLOYMENT)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"authorised_by": " A. Officer "}, id="authorised by who requested"),
        pytest.param({"requested_by": ""}, id="requested by nobody"),
        pytest.param({"legal_basis": " "}, id="no legal basis"),
        pytest.param({"case_reference": ""}, id="no case"),
        pytest.param({"image_source": ""}, id="no source"),
        pytest.param({"expires_at": NOON}, id="expired"),
        pytest.param({"expires_at": NOON + 367 * DAY}, id="for ever"),
    ],
)
def test_an_entry_says_who_why_and_until_when(wrong: dict[str, object]) -> None:
    with pytest.raises(RecordError):
        check_entry(replace(ENTRY, **wrong), NOON)  # type: ignore[arg-type]  # the table mixes types


@pytest.mark.parametrize(
    "wrong",
    [
        {"camera_ids": frozenset()},
        {"purpose": ""},
        {"authorised_by": "A. OFFICER"},
        {"ends_at": NOON},
        {"ends_at": NOON + 367 * DAY},
    ],
)
def test_a_deployment_says_where_when_and_what_for(wrong: dict[str, object]) -> None:
    with pytest.raises(RecordError):
        check_deployment(replace(DEPLOYMENT, **wrong))  # type: ignore[arg-type]  # the table mixes types


@pytest.mark.parametrize(
    ("camera", "at", "covered"),
    [
        ("gate", NOON, True),
        ("gate", NOON - timedelta(seconds=1), False),
        ("gate", NOON + DAY, False),
        ("yard", NOON, False),
    ],
)
def test_outside_a_deployment_nothing_is_covered(camera: str, at: datetime, covered: bool) -> None:
    assert DEPLOYMENT.covers(camera, at) is covered


def test_a_list_has_a_cap() -> None:
    check_size(9, 1, 10)
    with pytest.raises(RecordError):
        check_size(10, 1, 10)


@pytest.mark.parametrize(
    "wrong",
    [
        {"second_judge_share": 1.1},
        {"control_share": -0.1},
        {"hold": timedelta(seconds=-1)},
        {"act_for": timedelta(0)},
        {"expire_after": timedelta(0)},
    ],
)
def test_a_policy_keeps_to_its_ranges(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ReviewPolicy(**wrong)  # type: ignore[arg-type]  # the table mixes types


def test_the_number_of_judges_is_no_setting() -> None:
    assert not [name for name in ReviewPolicy.__dataclass_fields__ if "judges" in name]


def test_controls_make_up_the_wanted_share_of_the_queue() -> None:
    policy = ReviewPolicy(control_share=0.2)
    draws = [number / 1000 for number in range(1000)]
    controls = sum(wants_control(policy, queued_before=5, draw=draw) for draw in draws)
    assert controls / (controls + len(draws)) == pytest.approx(0.2, abs=0.001)


def test_the_first_candidate_brings_a_control_where_that_is_wanted() -> None:
    never = ReviewPolicy(control_share=0.0)
    first = replace(never, control_first=True)
    assert not wants_control(never, queued_before=0, draw=0.0)
    assert wants_control(first, queued_before=0, draw=0.99)
    assert not wants_control(first, queued_before=1, draw=0.0)


def test_a_control_enters_the_queue_at_a_moment_drawn_by_chance() -> None:
    spread = ReviewPolicy(control_spread=timedelta(seconds=20))
    assert queue_moment(spread, NOON, 0.5) == NOON + timedelta(seconds=10)
