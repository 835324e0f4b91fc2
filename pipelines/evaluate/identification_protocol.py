"""Who is enrolled and who is searched for: drawn once from a folder of people, by a seed.

Every person counts once: an enrolled person with one mated probe, everybody else with one non-mated probe.
Pictures of one person are alike, so that ten of them are not ten trials; rates over people need no correction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.evaluate.degrade import seed_of
from pipelines.evaluate.errors import EvaluationError

_MOST_REFERENCES = 50


@dataclass(frozen=True, slots=True)
class Draw:
    """One open-set experiment, by the names of people and pictures.

    Attributes:
        subjects: N enrolled people, the folders' names.
        references: of each subject, its K reference pictures.
        mated: of each subject, its probe: a picture that is none of its references.
        strangers: U people who are not enrolled.
        non_mated: the one picture of each.
    """

    subjects: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    mated: tuple[str, ...]
    strangers: tuple[str, ...]
    non_mated: tuple[str, ...]

    @property
    def pictures(self) -> tuple[str, ...]:
        """Every picture that takes part, each once."""
        return (*(name for names in self.references for name in names), *self.probes)

    @property
    def probes(self) -> tuple[str, ...]:
        """The mated probes, then the non-mated ones."""
        return self.mated + self.non_mated


def people_of(pictures: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The pictures of each person: a picture belongs to the folder it lies in.

    Raises:
        EvaluationError: a picture that lies in no person's folder.
    """
    people: dict[str, list[str]] = {}
    for name in pictures:
        folder, _, _ = name.rpartition("/")
        if not folder:
            raise EvaluationError(
                f"{name}: lies in no person's folder; each person needs a folder of their own"
            )
        people.setdefault(folder, []).append(name)
    return {person: tuple(names) for person, names in people.items()}


def draw_people(
    people: Mapping[str, Sequence[str]], gallery_size: int, references_each: int = 1, seed: int = 0
) -> Draw:
    """Draws who is enrolled, with which pictures, and who comes by.

    A gallery of more people contains the smaller one of the same seed. With fewer people than wanted who have
    a reference and a probe, all of those are enrolled.

    Args:
        people: the pictures of each, that can be read.
        gallery_size: people to enrol, at least 1.
        references_each: pictures enrolled of each.
        seed: of the draw.

    Raises:
        EvaluationError: numbers out of range, or nobody with enough pictures.
    """
    if gallery_size < 1:
        raise EvaluationError(f"the gallery must have at least 1 person, got {gallery_size}")
    if not 1 <= references_each <= _MOST_REFERENCES:
        raise EvaluationError(f"references must be 1 to {_MOST_REFERENCES}, got {references_each}")
    shuffled = {person: _shuffled(sorted(names), seed, person) for person, names in sorted(people.items())}
    able = [person for person, names in shuffled.items() if len(names) > references_each]
    if not able:
        raise EvaluationError(
            f"nobody has the {references_each + 1} readable pictures that {references_each} "
            f"reference{'s' if references_each > 1 else ''} and a probe need"
        )
    subjects = _shuffled(able, seed, "gallery")[:gallery_size]
    strangers = sorted(set(shuffled) - set(subjects))
    return Draw(
        subjects=tuple(subjects),
        references=tuple(tuple(shuffled[person][:references_each]) for person in subjects),
        mated=tuple(shuffled[person][references_each] for person in subjects),
        strangers=tuple(strangers),
        non_mated=tuple(shuffled[person][0] for person in strangers),
    )


def _shuffled(names: Sequence[str], seed: int, what: str) -> list[str]:
    """In an order that depends on the seed and on whose names they are, not on anybody else's."""
    order = np.random.default_rng(seed_of(seed, what)).permutation(len(names))
    return [names[row] for row in order]
