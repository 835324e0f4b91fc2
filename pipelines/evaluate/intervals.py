"""How far a measured rate may be from the true one: 95 % intervals that know what was drawn at random.

What they cover: other people, pictures and probes of the same kind. What no interval covers: another kind of
picture than the one measured (docs/limits.md).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vision.types import Float32, Int64

Interval: TypeAlias = tuple[float, float]
Float64: TypeAlias = npt.NDArray[np.float64]

DRAWS = 4000
_TAILS = (2.5, 97.5)
_JEFFREYS = 0.5


def miss_rate_interval(
    hit_similarity: Float32 | Float64,
    mated_probes: int,
    alert_similarity: Float32 | Float64,
    false_alert_rate: float,
    seed: int = 0,
) -> Interval:
    """The 95 % interval of FNIR at a false alert rate whose threshold was itself estimated.

    At the threshold that truly has the rate, the number of the measured non-mated probes above it is binomial.
    Drawing that number draws the threshold; the misses at it, one person each, draw the miss rate from its
    Jeffreys posterior (Brown, Cai and DasGupta 2001), which stays honest where there is no miss at all.

    Args:
        hit_similarity: (H,) of the mated probes whose own subject came first; any order.
        mated_probes: all of them, those that cannot hit included.
        alert_similarity: (U,) highest similarity of each non-mated probe; −1 of one without a face.
        false_alert_rate: FPIR, between 0 and 1.
        seed: of the draws.

    Returns:
        Lower and upper end, 0 to 1.
    """
    rng = np.random.default_rng(seed)
    falling = -np.sort(-np.asarray(alert_similarity, np.float64))
    above = rng.binomial(len(falling), false_alert_rate, DRAWS)
    thresholds = np.append(falling, -1.0)[above]
    hits = np.sort(np.asarray(hit_similarity, np.float64))
    accepted = len(hits) - np.searchsorted(hits, thresholds, side="right")
    rates = rng.beta(mated_probes - accepted + _JEFFREYS, accepted + _JEFFREYS)
    return _ends(rates)


def clustered_share_interval(
    right: npt.NDArray[np.integer] | Float64,
    total: npt.NDArray[np.integer] | Float64,
    seed: int = 0,
    *,
    is_share: bool = True,
) -> Interval | None:
    """The 95 % interval of Σ right / Σ total where what lies in one cluster goes together.

    Pictures of one person, or boxes of one picture, are alike: whole clusters are drawn again (bootstrap,
    percentile ends). Where every cluster says the same, that is no certainty: the ends then come from the
    Jeffreys posterior with one trial per cluster.

    Args:
        right: (C,) counts, per cluster.
        total: (C,) likewise.
        seed: of the draws.
        is_share: whether `right` is part of `total`; else the ratio may exceed 1.

    Returns:
        Lower and upper end; None where there is nothing to divide by.
    """
    right, total = np.asarray(right, np.float64), np.asarray(total, np.float64)
    counted = total > 0
    if not counted.any():
        return None
    if (right[counted] == 0).all() or (is_share and (right == total).all()):
        return _one_sided(int(counted.sum()), all_right=bool(right[counted].any()))
    rng = np.random.default_rng(seed)
    ratios = np.empty(DRAWS)
    for draw in range(DRAWS):
        rows: Int64 = rng.integers(0, len(total), len(total))
        whole = total[rows].sum()
        ratios[draw] = right[rows].sum() / whole if whole else np.nan
    return _ends(ratios[~np.isnan(ratios)])


def _one_sided(clusters: int, *, all_right: bool) -> Interval:
    """The Jeffreys interval of a share of 0 or 1 among so many independent trials."""
    from scipy.stats import beta

    if all_right:
        return float(beta.ppf(0.025, clusters + _JEFFREYS, _JEFFREYS)), 1.0
    return 0.0, float(beta.ppf(0.975, _JEFFREYS, clusters + _JEFFREYS))


def _ends(values: Float64) -> Interval:
    low, high = np.percentile(values, _TAILS)
    return float(low), float(high)
