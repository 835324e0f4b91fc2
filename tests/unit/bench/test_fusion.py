"""The fusion experiment on made-up people: what is counted, and that it would notice a cheat."""

from __future__ import annotations

import numpy as np
import pytest

from bench import fusion
from bench.fusion import (
    CONDITIONS,
    EVERYTHING,
    ONE_AND_ONE,
    FusionFigures,
    Photograph,
    miss_rate,
    similarities,
    summary,
    table,
)
from tests.fake_engine import CALIBRATION, face_of

NOISE = 2.2
"""So much differs from photograph to photograph that one of each is often not enough."""


def people(listed: int = 25, others: int = 60, pictures: int = 6) -> dict[str, list[Photograph]]:
    made = {}
    for person in range(listed + others):
        count = pictures if person < listed else 2
        made[f"p{person:03d}"] = [
            Photograph(face_of(person, 2 * i, NOISE), face_of(person, 2 * i + 1, NOISE), 0.5)
            for i in range(count)
        ]
    return made


def test_misses_are_counted_above_the_similarity_that_two_in_a_hundred_strangers_pass() -> None:
    non_mated = np.linspace(0, 0.99, 100)[np.newaxis]
    mated = np.array([[0.97, 0.975, 0.98, 0.5]])
    # Two of a hundred lie above 0.97: what reaches no more than that is a miss.
    assert miss_rate(mated, non_mated) == pytest.approx(0.5)


def test_a_photograph_is_a_reference_or_a_look_and_never_both() -> None:
    everybody = people()
    listed = [name for name, pictures in everybody.items() if len(pictures) > 2]
    for seed in range(20):
        draw = fusion._drawn(everybody, listed, np.random.default_rng(seed))
        for name, pictures in everybody.items():
            references, looks = draw.references.get(name, []), draw.looks[name]
            assert {id(one) for one in references}.isdisjoint(id(one) for one in looks)
            assert len(references) + len(looks) == len(pictures)
            assert looks
            assert bool(references) == (name in listed)


def test_more_looks_and_references_miss_fewer_and_the_intervals_hold_the_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fusion, "RESAMPLES", 60)
    found = similarities(people(), CALIBRATION, draws=3)
    assert {len(mated) for mated, _ in found.values()} == {3}
    figures = FusionFigures("made-up", "separately", 25, 60, 0.02, 3, 0, 270, summary(found))
    one, all_of_it = figures.of(ONE_AND_ONE), figures.of(EVERYTHING)
    assert one.fnir > 0
    assert all_of_it.fnir < 0.6 * one.fnir
    assert all_of_it.fall == pytest.approx(1 - all_of_it.fnir / one.fnir)
    for each in figures.conditions:
        assert each.interval_95[0] <= each.fnir <= each.interval_95[1]
    assert len(list(table(figures))) == 1 + len(CONDITIONS)


def test_a_probe_without_a_usable_look_is_missed_and_alerts_nobody() -> None:
    everybody = people(listed=3, others=3)
    blind = {
        name: [Photograph(one.reference, None) for one in several] for name, several in everybody.items()
    }
    for mated, non_mated in similarities(blind, CALIBRATION, draws=1).values():
        assert (mated == -2).all()
        assert (non_mated == -2).all()
        assert miss_rate(mated, non_mated) == 1.0


def test_looks_that_are_the_references_themselves_would_show() -> None:
    """The guard of the experiment: with the same photograph on both sides nobody is ever missed."""
    same = {
        name: [Photograph(several[0].reference, several[0].reference, 0.5) for _ in several]
        for name, several in people().items()
    }
    mated, non_mated = similarities(same, CALIBRATION, draws=1)[ONE_AND_ONE.name]
    assert miss_rate(mated, non_mated) == 0.0
