"""Figures of face verification: accuracy over folds, true accepts at a false match rate.

The protocol is that of Labeled Faces in the Wild (Huang et al. 2007, "view 2"): the threshold of a
fold comes from the other folds. Rates over all pairs of strangers are as in ISO/IEC 19795-1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vision.types import Bool, Float32, Int64

Float64: TypeAlias = npt.NDArray[np.float64]

FOLD_ROWS = 600
_BLOCK_ROWS = 512
_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Fold:
    """One block of pairs, judged at a threshold it had no part in.

    Attributes:
        pairs: in it.
        threshold: similarity from which a pair was called the same person.
        accuracy: share of its pairs judged rightly.
    """

    pairs: int
    threshold: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Verification:
    """Accuracy over all folds.

    Attributes:
        accuracy: share of all pairs judged rightly; a pair without a similarity is judged wrongly.
        standard_error: of the mean over the folds; None with one fold.
        interval_95: Wilson's score interval of the accuracy, each pair counted as one trial.
        folds: in order.
        threshold_from: `other_folds`; `same_fold` where there is one only, so that its threshold is
            chosen on the very pairs it is measured on and the accuracy is a little too good.
    """

    accuracy: float
    standard_error: float | None
    interval_95: tuple[float, float]
    folds: tuple[Fold, ...]
    threshold_from: str


@dataclass(frozen=True, slots=True, repr=False)
class PairTail:
    """What comparing every picture with every other gave.

    Attributes:
        impostor_pairs: pairs of pictures of different people.
        impostor_top: (K,) float32, the highest similarities among them, falling.
        genuine: (G,) float32, similarities of all pairs of pictures of one person.
    """

    impostor_pairs: int
    impostor_top: Float32
    genuine: Float32

    def threshold_at(self, false_match_rate: float) -> float | None:
        """The similarity that at most this share of the impostor pairs exceeds.

        Returns:
            The cosine; None where the rate is less than one pair, or more than was kept.
        """
        allowed = math.floor(false_match_rate * self.impostor_pairs + 1e-9)
        return float(self.impostor_top[allowed]) if 1 <= allowed < len(self.impostor_top) else None


def verify_in_folds(similarity: Float64, same: Bool, fold_rows: int = FOLD_ROWS) -> Verification:
    """Accuracy with each fold's threshold taken from the others.

    Args:
        similarity: (N,) of the pairs in their order; NaN where a picture gave no face.
        same: (N,) whether a pair shows one person.
        fold_rows: rows of a fold; the last one may be shorter.

    Returns:
        The figures.

    Raises:
        ValueError: no pairs.
    """
    if not len(similarity):
        raise ValueError("no pairs to verify")
    blocks = [slice(start, start + fold_rows) for start in range(0, len(similarity), fold_rows)]
    folds, right = [], 0
    for block in blocks:
        others = np.ones(len(similarity), np.bool_)
        others[block] = len(blocks) == 1
        threshold = best_threshold(similarity[others], same[others])
        judged = _judged_rightly(similarity[block], same[block], threshold)
        folds.append(Fold(len(judged), threshold, float(judged.mean())))
        right += int(judged.sum())
    spread = [fold.accuracy for fold in folds]
    return Verification(
        accuracy=right / len(similarity),
        standard_error=float(np.std(spread, ddof=1) / math.sqrt(len(spread))) if len(spread) > 1 else None,
        interval_95=wilson_interval(right, len(similarity)),
        folds=tuple(folds),
        threshold_from="other_folds" if len(folds) > 1 else "same_fold",
    )


def best_threshold(similarity: Float64, same: Bool) -> float:
    """The similarity at which most pairs are judged rightly.

    Args:
        similarity: (N,); NaN rows are left out.
        same: (N,).

    Returns:
        A value half way between two neighbouring similarities; of several equally good ones the one with
        the widest gap around it, which the least change would upset. 0 where there is nothing to learn from.
    """
    known = ~np.isnan(similarity)
    if not known.any():
        return 0.0
    order = np.argsort(similarity[known], kind="stable")
    values, labels = similarity[known][order], same[known][order]
    # Cut k calls the first k pairs different and the rest the same.
    different, alike = np.cumsum(~labels), np.cumsum(labels)
    rightly = np.concatenate([[0], different]) + labels.sum() - np.concatenate([[0], alike])
    edges = np.concatenate([[values[0] - 1e-6], (values[:-1] + values[1:]) / 2, [values[-1] + 1e-6]])
    gaps = np.concatenate([[1e-6], np.diff(values), [1e-6]])
    best = np.flatnonzero((gaps > 0) & (rightly == rightly[gaps > 0].max()))
    return float(edges[best[np.argmax(gaps[best])]])


def _judged_rightly(similarity: Float64, same: Bool, threshold: float) -> Bool:
    rightly: Bool = ~np.isnan(similarity) & ((similarity >= threshold) == same)
    return rightly


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share.

    >>> [round(end, 4) for end in wilson_interval(99, 100)]
    [0.9455, 0.9982]
    """
    share, z2 = right / total, _Z_95**2
    centre = share + z2 / (2 * total)
    half = _Z_95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return max(0.0, (centre - half) / (1 + z2 / total)), min(1.0, (centre + half) / (1 + z2 / total))


def compare_all(embeddings: Float32, identity: Int64, keep_share: float) -> PairTail:
    """Compares every picture with every other, block by block.

    Args:
        embeddings: (N, D) float32, rows of unit length.
        identity: (N,) int64, who is in each picture.
        keep_share: of the impostor pairs, how many of the highest similarities to keep, 0 to 1.

    Returns:
        All genuine similarities and the impostors' upper tail.
    """
    counts = np.unique(identity, return_counts=True)[1].astype(np.int64)
    total, mates = len(identity) * (len(identity) - 1) // 2, int((counts * (counts - 1) // 2).sum())
    keep = min(total - mates, math.ceil(keep_share * (total - mates)) + 1)
    genuine: list[Float32] = []
    tail = np.empty(0, np.float32)
    for start in range(0, len(identity), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        similarity = embeddings[rows] @ embeddings[start:].T
        later = np.triu(np.ones(similarity.shape, np.bool_), 1)
        same = identity[rows, np.newaxis] == identity[np.newaxis, start:]
        genuine.append(similarity[later & same])
        tail = _highest(np.concatenate([tail, similarity[later & ~same]]), keep)
    return PairTail(total - mates, -np.sort(-tail), np.concatenate([*genuine, np.empty(0, np.float32)]))


def _highest(values: Float32, count: int) -> Float32:
    if len(values) <= count:
        return values
    return np.partition(values, len(values) - count)[len(values) - count :]


def true_accept_rate(genuine: Float32 | Float64, threshold: float | None) -> float | None:
    """Share of genuine similarities above a threshold; one that is NaN is not accepted.

    Returns:
        0 to 1; None without a threshold or without genuine pairs.
    """
    if threshold is None or not len(genuine):
        return None
    return float(np.mean(genuine > threshold))


@dataclass(frozen=True, slots=True)
class ImpostorQuantile:
    """The similarity strangers reach at one false match rate.

    Attributes:
        false_match_rate: share of the impostor pairs.
        pairs_beyond: that share, a count.
        similarity: the lowest of so many highest ones.
        supported: at least ten pairs lie beyond it, so that the rate is known to about a factor of two.
    """

    false_match_rate: float
    pairs_beyond: int
    similarity: float
    supported: bool


QUANTILE_RATES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 1e-6)
_SUPPORTING_PAIRS = 10


def impostor_quantiles(tail: PairTail, rates: Sequence[float] = QUANTILE_RATES) -> list[ImpostorQuantile]:
    """Similarity by false match rate, every pair of pictures counting alike.

    Args:
        tail: of `compare_all`, with at least the highest rate kept.
        rates: wanted; those of less than one pair are left out. The lowest rate the sample supports,
            ten pairs, is always among the answers where there are so many.

    Returns:
        By falling rate.
    """
    counts = {max(0, round(rate * tail.impostor_pairs)) for rate in rates} | {_SUPPORTING_PAIRS}
    return [
        ImpostorQuantile(
            false_match_rate=count / tail.impostor_pairs,
            pairs_beyond=count,
            similarity=float(tail.impostor_top[count - 1]),
            supported=count >= _SUPPORTING_PAIRS,
        )
        for count in sorted(counts, reverse=True)
        if 1 <= count <= len(tail.impostor_top)
    ]
