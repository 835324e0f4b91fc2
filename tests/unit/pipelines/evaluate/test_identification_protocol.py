"""Who is enrolled and who comes by: fixed by the seed, every person once, no picture twice."""

from __future__ import annotations

import pytest

from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.identification_protocol import draw_people, people_of

PEOPLE = {f"p{number:02d}": [f"p{number:02d}/{k}.jpg" for k in range(1 + number % 4)] for number in range(40)}
"""Forty people with one to four pictures; thirty with two or more."""


@pytest.mark.parametrize("references", [1, 2, 3])
def test_no_picture_is_reference_and_probe(references: int) -> None:
    draw = draw_people(PEOPLE, 8, references, seed=5)
    assert len(draw.subjects) == len(set(draw.subjects)) == 8
    for subject, names, probe in zip(draw.subjects, draw.references, draw.mated, strict=True):
        assert len(set(names)) == references
        assert probe not in names
        assert {name.split("/")[0] for name in (*names, probe)} == {subject}


def test_everybody_counts_once() -> None:
    draw = draw_people(PEOPLE, 12)
    assert set(draw.subjects).isdisjoint(draw.strangers)
    assert set(draw.subjects) | set(draw.strangers) == set(PEOPLE)
    assert [name.split("/")[0] for name in draw.non_mated] == list(draw.strangers)
    assert len(draw.pictures) == len(set(draw.pictures))


def test_the_seed_decides_and_nothing_else() -> None:
    backwards = {person: names[::-1] for person, names in reversed(PEOPLE.items())}
    assert draw_people(PEOPLE, 12, seed=1) == draw_people(backwards, 12, seed=1)
    assert draw_people(PEOPLE, 12, seed=1) != draw_people(PEOPLE, 12, seed=2)


def test_a_larger_gallery_contains_the_smaller_one() -> None:
    small, large = draw_people(PEOPLE, 6, seed=4), draw_people(PEOPLE, 20, seed=4)
    assert large.subjects[:6] == small.subjects
    assert large.references[:6] == small.references
    assert large.mated[:6] == small.mated


def test_with_too_few_people_all_are_enrolled() -> None:
    draw = draw_people(PEOPLE, 1000)
    assert len(draw.subjects) == 30
    assert len(draw.strangers) == 10


@pytest.mark.parametrize(
    ("size", "references", "reason"),
    [
        pytest.param(0, 1, "at least 1 person", id="empty gallery"),
        pytest.param(5, 0, "references must be", id="no reference"),
        pytest.param(5, 4, "nobody has the 5 readable pictures", id="too many references"),
    ],
)
def test_what_cannot_be_drawn_is_named(size: int, references: int, reason: str) -> None:
    with pytest.raises(EvaluationError, match=reason):
        draw_people(PEOPLE, size, references)


def test_a_picture_belongs_to_the_folder_it_lies_in() -> None:
    assert people_of(["a/1.jpg", "b/c/1.jpg", "a/2.jpg"]) == {
        "a": ("a/1.jpg", "a/2.jpg"),
        "b/c": ("b/c/1.jpg",),
    }
    with pytest.raises(EvaluationError, match="no person's folder"):
        people_of(["a/1.jpg", "stray.jpg"])
