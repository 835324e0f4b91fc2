"""The experiment's own arithmetic: chance is called chance, a leak a leak, and what is learnt by heart is no leak."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.blindness.client import Answered
from bench.blindness.features import Codes, _header_lines, _segments
from bench.blindness.guess import Guessed, guess
from bench.blindness.leaks import Secrets, _reordered, _telling
from vision.images import encode_jpeg

NAMES = [f"feature {number}" for number in range(12)]


def guessed(leak: float, *, seed: int, cases: int = 160, groups: bool = False) -> Guessed:
    """A secret of chance beside twelve features, one of which goes with it to some degree."""
    rng = np.random.default_rng(seed)
    subjects = rng.integers(0, 60, cases)
    secret = rng.random(cases) < 0.5 if not groups else (rng.random(60) < 0.5)[subjects]
    features = rng.normal(size=(cases, len(NAMES)))
    features[:, 3] += leak * secret
    return guess(
        "secret", features, NAMES, list(secret), [f"s{one}" for one in subjects] if groups else None, seed
    )


@pytest.mark.system  # takes its time
def test_chance_is_called_chance() -> None:
    found = [guessed(0.0, seed=seed) for seed in range(6)]
    assert sum(one.at_chance for one in found) >= 5
    assert all(one.low < 0.5 < one.high for one in found)


@pytest.mark.system  # takes its time
@pytest.mark.parametrize("groups", [False, True])
def test_a_leak_is_called_a_leak(groups: bool) -> None:
    found = guessed(3.0, seed=1, groups=groups)
    assert not found.at_chance
    assert found.auc > found.high
    assert found.clue.startswith("feature 3")


def test_few_reviews_are_enough_for_a_plain_leak() -> None:
    assert not guessed(6.0, seed=2, cases=36).at_chance


def test_too_few_reviews_prove_nothing_and_are_told_as_none_guessed() -> None:
    found = guessed(6.0, seed=2, cases=7)
    assert (found.cases, found.at_chance) == (0, True)
    assert math.isnan(found.auc)


@pytest.mark.system  # takes its time
def test_what_is_learnt_by_heart_of_one_person_is_no_leak() -> None:
    """Each subject has a face of its own, which says on which list it is to whoever knows that already."""
    rng = np.random.default_rng(4)
    subjects = rng.integers(0, 40, 240)
    secret = (np.arange(40) % 2 == 0)[subjects]
    faces = rng.normal(size=(40, 6)) * 5
    features = faces[subjects] + rng.normal(size=(240, 6)) * 0.01
    names = NAMES[:6]
    by_heart = guess("list", features, names, list(secret), None, 4)
    assert not by_heart.at_chance, "in order of time, faces come again and are recognised"
    assert guess("list", features, names, list(secret), [str(one) for one in subjects], 4).at_chance


def test_words_become_numbers() -> None:
    codes = Codes(["a", "b", "a", "a"])
    assert (codes.of("a"), codes.of("b")) == ((0.75, 0.0), (0.25, 1.0))


def test_each_header_line_is_a_feature_of_its_own() -> None:
    def got(*headers: tuple[str, str]) -> Answered:
        return Answered(200, (("date", "now"), *headers), b"", 0.1)

    shown = [got(("x", "hit"), ("same", "1")), got(("x", "hit"), ("same", "1")), got(("same", "1")), None]
    lines, told = _header_lines([*shown, got(("same", "1"))])
    assert told == ["same: 1", "x: hit"]
    assert lines.tolist() == [[1, 1], [1, 1], [1, 0], [0, 0], [1, 0]]


def test_how_a_jpeg_was_made_does_not_depend_on_what_it_shows() -> None:
    rng = np.random.default_rng(0)
    one, other = (encode_jpeg(rng.integers(0, 255, (h, 64, 3), dtype=np.uint8)) for h in (64, 80))
    assert _segments(one) == _segments(other)
    assert _segments(one) != _segments(one.replace(b"\xff\xdb", b"\xff\xfe", 1))


def test_leaky_builds_leak_what_they_say() -> None:
    told, not_told = Secrets(True, True, False, True), Secrets(False, False, True, False)
    assert [value for _, value in _telling(told)] == [b"hit", b"hit", b"miss", b"hit"]
    assert [value for _, value in _telling(not_told)] == [b"miss", b"miss", b"hit", b"miss"]
    body = b'{"review_id":"r","frame":{"width":1,"height":2}}'
    assert _reordered(body, not_told) == body
    assert _reordered(body, told) == b'{"frame":{"height":2,"width":1},"review_id":"r"}'
