"""A calibration without people: pairs of strangers strewn at random, with a tail like an embedder's."""

from __future__ import annotations

import numpy as np

from vision.identify.calibration import Calibration
from vision.identify.false_matches import FalseMatchModel
from vision.identify.impostors import ImpostorSample

_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
_REACHED = (0.13, 0.245, 0.338, 0.411, 0.473, 0.53, 0.58)


def strewn_sample(
    people: int = 1600, kept_share: float = 0.005, *, pictures_each: int = 1, seed: int = 0
) -> ImpostorSample:
    """Pairs of strangers who have nothing to do with each other.

    Args:
        people: in the sample.
        kept_share: of the pairs of pictures.
        pictures_each: of each person.
        seed: which pairs they are.
    """
    rng = np.random.default_rng(seed)
    count = people * pictures_each
    pairs = (count**2 - people * pictures_each**2) // 2
    keep = max(1, round(kept_share * pairs))
    first, second = np.zeros(keep, np.int64), np.zeros(keep, np.int64)
    again = np.arange(keep)
    while len(again):  # a pair may be drawn twice
        first[again] = rng.integers(0, count, len(again))
        other = rng.integers(1, people, len(again))
        person = (first[again] // pictures_each + other) % people
        second[again] = person * pictures_each + rng.integers(0, pictures_each, len(again))
        ends = np.sort(np.stack([first, second]), axis=0)
        again = np.setdiff1d(np.arange(keep), np.unique(ends, axis=1, return_index=True)[1])
    rates = (np.arange(keep) + 0.5) / pairs
    reached = np.interp(-np.log(rates), -np.log(_RATES), _REACHED)
    return ImpostorSample(
        pictures=np.full(people, pictures_each, np.int64),
        first=first,
        second=second,
        similarity=reached.astype(np.float32),
        strangers_similarity=0.245,
    )


def strewn_calibration(embedder_id: str, people: int = 1600) -> Calibration:
    """What follows from such a sample; by default two templates support a decision by one look, fifteen do not."""
    return Calibration("made-up", embedder_id, FalseMatchModel(strewn_sample(people)))
