"""Blindness as an experiment, in short: over real HTTP a client learns nothing, and leaky builds are caught.

All four kinds of leaks, and 400 reviews: `make accept ISSUE=4`, line 3.
"""

from __future__ import annotations

import pytest

from bench.acceptance.blindness import guesses, play
from bench.blindness.leaks import Leak

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

REVIEWS = 80
SEED = 7
SURELY = 0.002
"""Chance does as well in fewer than one run in five hundred: a test must not fail by chance."""


def test_a_client_can_tell_nothing_before_her_own_answer() -> None:
    found = list(guesses(play(REVIEWS, Leak.NONE, SEED), SEED))
    assert [one.target for one in found] == ["slot", "control", "list", "the other answer"]
    assert [one for one in found if one.p_value < SURELY] == []
    assert min(one.cases for one in found) >= REVIEWS // 8


@pytest.mark.parametrize("leak", [Leak.TIMING, Leak.ORDER])
def test_a_build_that_leaks_is_caught(leak: Leak) -> None:
    """The other answer is there to be guessed in a third of the reviews: too few, where both cores are busy."""
    found = list(guesses(play(REVIEWS, leak, SEED), SEED))
    assert [one.target for one in found] == ["slot", "control", "list", "the other answer"]
    assert {one.target for one in found if one.at_chance} <= {"the other answer"}
