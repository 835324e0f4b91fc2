"""Classifiers that guess what an operator must not know, and the test whether they do better than chance.

**Forward chaining.** Reviews are cut into blocks in the order in which she saw them. A classifier learns from all blocks before
one and guesses that one, as somebody would who is told the truth afterwards. What is learnt never depends on the labels
guessed, so under the null hypothesis (labels independent of all that is seen) the labels of a block may be exchanged
among each other.

**The test.** The statistic is the area under the curve (AUC) of each block's guesses, averaged by the number of pairs, and of it
the largest over all classifiers. Labels are exchanged at random within blocks, of lists subject by subject, and the same
is computed: so many looks at the same data are corrected for exactly. Four targets are corrected for by Bonferroni.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from bench.blindness.features import Float64

BLOCKS: Final = 6
FEW: Final = 120
FEWER_BLOCKS: Final = 3
"""Of fewer reviews than that, so that there is something to learn from and something to exchange."""

EXCHANGES: Final = 4000
TARGETS: Final = 4
LEVEL: Final = 0.05
_FEWEST: Final = 4
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Guessed:
    """How well a secret was guessed.

    Attributes:
        target: the secret.
        auc: of the best classifier: 0.5 by chance, 1 always right; NaN where there was too little to learn from.
        classifier: which that is.
        low: the AUC that chance stays above in 97.5 % of exchanges, after correction for the number of targets.
        high: the AUC that chance stays below, likewise.
        p_value: how often chance does as well, corrected for classifiers and targets.
        cases: reviews guessed; 0 where there was too little to learn from, which proves nothing.
        clue: the feature that goes with the secret most.
    """

    target: str
    auc: float
    classifier: str
    low: float
    high: float
    p_value: float
    cases: int
    clue: str

    @property
    def at_chance(self) -> bool:
        """Whether the AUC lies within what chance gives in 95 %, all four targets taken together."""
        return self.p_value > LEVEL


@dataclass(frozen=True, slots=True)
class _Block:
    """A block that was guessed: scores by classifier, labels, and what is exchanged together."""

    scores: Float64
    labels: Bools
    units: Ints


def guess(
    target: str,
    features: Float64,
    names: Sequence[str],
    labels: Sequence[bool],
    groups: Sequence[str] | None,
    seed: int,
) -> Guessed:
    """How well a secret can be guessed.

    Args:
        target: its name.
        features: (N, F), in the order in which reviews were seen.
        names: (F,) of the features.
        labels: (N,) the secret.
        groups: (N,) whom each review shows, where that must not be learnt by heart; None: in order of time.
        seed: of classifiers and exchanges.
    """
    truth = np.array(labels, bool)
    blocks = list(_guessed(features, truth, groups, seed))
    if not blocks:
        return Guessed(target, math.nan, "none", math.nan, math.nan, 1.0, 0, "none")
    found = _aucs(blocks, [block.labels for block in blocks])
    rng = np.random.default_rng(seed)
    chance = np.array(
        [_aucs(blocks, [_exchanged(block, rng) for block in blocks]).max() for _ in range(EXCHANGES)]
    )
    best = int(found.argmax())
    as_well = (1 + int((chance >= found[best] - 1e-12).sum())) / (1 + EXCHANGES)
    tail = LEVEL / TARGETS / 2
    return Guessed(
        target=target,
        auc=float(found[best]),
        classifier=list(_classifiers(seed))[best],
        low=float(np.quantile(chance, tail)),
        high=float(np.quantile(chance, 1 - tail)),
        p_value=min(1.0, as_well * TARGETS),
        cases=sum(len(block.labels) for block in blocks),
        clue=_clue(features, names, truth),
    )


def _classifiers(seed: int) -> dict[str, Callable[[], Any]]:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    return {
        "logistic regression": lambda: make_pipeline(
            StandardScaler(), LogisticRegression(C=0.3, max_iter=2000)
        ),
        "extra trees": lambda: ExtraTreesClassifier(300, min_samples_leaf=3, random_state=seed, n_jobs=1),
        "one question": lambda: DecisionTreeClassifier(max_depth=1, random_state=seed),
        "two questions": lambda: DecisionTreeClassifier(max_depth=2, random_state=seed),
    }


def _guessed(features: Float64, truth: Bools, groups: Sequence[str] | None, seed: int) -> Iterator[_Block]:
    for before, block in _chain(len(truth), groups, seed):
        if min(truth[before].sum(), (~truth[before]).sum()) < _FEWEST or len(set(truth[block])) == 1:
            continue
        scores = []
        for make in _classifiers(seed).values():
            model = make()
            model.fit(features[before], truth[before])
            scores.append(model.predict_proba(features[block])[:, 1])
        units = (
            np.arange(len(block))
            if groups is None
            else np.unique([groups[one] for one in block], return_inverse=True)[1]
        )
        yield _Block(np.array(scores), truth[block], units.astype(np.int64))


def _chain(count: int, groups: Sequence[str] | None, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """What is learnt from, and what is guessed: blocks in order of time, or of whole groups."""
    blocks = BLOCKS if count >= FEW else FEWER_BLOCKS
    if groups is None:
        parts = np.array_split(np.arange(count), blocks)
    else:
        order = np.random.default_rng(seed).permutation(sorted(set(groups)))
        parts = [
            np.flatnonzero(np.isin(np.array(groups), chosen)) for chosen in np.array_split(order, blocks)
        ]
    for number in range(1, blocks):
        yield np.concatenate(parts[:number]), parts[number]


def _aucs(blocks: Sequence[_Block], labels: Sequence[Bools]) -> Float64:
    """(C,) of each classifier, blocks weighed by their pairs of one label and the other."""
    won, pairs = np.zeros(len(blocks[0].scores)), 0.0
    for block, given in zip(blocks, labels, strict=True):
        ones = int(given.sum())
        ranks = rankdata(block.scores, axis=1)
        won += ranks[:, given].sum(axis=1) - ones * (ones + 1) / 2
        pairs += ones * (len(given) - ones)
    return won / pairs


def _exchanged(block: _Block, rng: np.random.Generator) -> Bools:
    """The labels of a block in another order; of lists, those of whole subjects."""
    count = int(block.units.max()) + 1
    if count == len(block.units):
        return rng.permutation(block.labels)
    by_unit = np.zeros(count, bool)
    by_unit[block.units] = block.labels
    return np.asarray(rng.permutation(by_unit)[block.units], bool)


def _clue(features: Float64, names: Sequence[str], truth: Bools) -> str:
    ranks = rankdata(features, axis=0)
    ones = int(truth.sum())
    aucs = (ranks[truth].sum(axis=0) - ones * (ones + 1) / 2) / (ones * (len(truth) - ones))
    best = int(np.abs(aucs - 0.5).argmax())
    return f"{names[best]}, AUC {aucs[best]:.3f}"
