"""A few pictures of a track, apart in pose and time, the best first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.identify.best_shots import _HARDLY_BETTER, BestShots, ShotFacts, ShotOptions


def shot(score: float, yaw: float = 0.0, pts_seconds: float = 0.0) -> ShotFacts:
    return ShotFacts(score, yaw, 0.0, pts_seconds)


def kept(*shots: ShotFacts, limit: int = 3) -> list[ShotFacts]:
    best: BestShots[ShotFacts] = BestShots(ShotOptions(limit=limit))
    for one in shots:
        best.offer(one, lambda one=one: one)  # type: ignore[misc]  # bound at once
    return list(best.pictures)


@pytest.mark.parametrize(
    ("shots", "scores"),
    [
        pytest.param([shot(0.5), shot(0.6, 2, 0.1), shot(0.4, 1, 0.2)], [0.6], id="one moment is one shot"),
        pytest.param([shot(0.5), shot(0.6, 40, 0.1)], [0.6, 0.5], id="another pose"),
        pytest.param([shot(0.5), shot(0.4, 0, 2.0)], [0.5, 0.4], id="another time"),
        pytest.param(
            [shot(0.9, 0, 0), shot(0.8, 0, 2), shot(0.3, 50, 4), shot(0.85, 0, 6)],
            [0.9, 0.85, 0.3],
            id="a profile is not pushed out by a fourth frontal picture",
        ),
        pytest.param(
            [shot(0.9, 0, 0), shot(0.8, 0, 2), shot(0.3, 50, 4), shot(0.1, 0, 6)],
            [0.9, 0.8, 0.3],
            id="nor is anything by a worse one",
        ),
    ],
)
def test_which_are_kept(shots: list[ShotFacts], scores: list[float]) -> None:
    assert [one.score for one in kept(*shots)] == scores


facts = st.builds(ShotFacts, st.floats(0, 1), st.floats(-90, 90), st.floats(-45, 45), st.floats(0, 30))


@given(st.lists(facts, min_size=1, max_size=40), st.integers(1, 6))
def test_they_are_bounded_ranked_and_hold_the_best(shots: list[ShotFacts], limit: int) -> None:
    found = kept(*shots, limit=limit)
    assert 1 <= len(found) <= limit
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    # Nothing is cut out for what is hardly better than what there is of the same moment.
    assert found[0].score * _HARDLY_BETTER >= max(one.score for one in shots)


def test_of_one_moment_the_first_stays_until_one_is_clearly_better() -> None:
    assert [one.score for one in kept(shot(0.5), shot(0.51), shot(0.525))] == [0.5]
    assert [one.score for one in kept(shot(0.5), shot(0.51), shot(0.53))] == [0.53]


def test_a_picture_is_made_only_when_it_is_kept() -> None:
    made: list[float] = []
    best: BestShots[None] = BestShots()
    for score in (0.5, 0.4, 0.6):
        best.offer(shot(score), lambda score=score: made.append(score))  # type: ignore[misc]  # bound at once
    assert made == [0.5, 0.6]
    best.forget()
    assert len(best) == 0


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ShotOptions(limit=0)
