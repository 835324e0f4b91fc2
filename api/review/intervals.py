"""How far a share or a rate that was counted may be from the true one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CONFIDENCE: Final = 0.95
LEAST_FOR_A_SHARE: Final = 10
"""Below so many cases a percentage says more than is known: the interval alone is told."""


@dataclass(frozen=True, slots=True)
class Share:
    """A counted share and its exact 95 % interval.

    Attributes:
        count: cases that have it.
        of: all cases.
        share: `count / of`; None where there are too few to say it.
        low: lower end; 0 where nothing was counted.
        high: upper end; 1 where nothing was counted.
    """

    count: int
    of: int
    share: float | None
    low: float
    high: float


def share(count: int, of: int) -> Share:
    """A share with the interval of Clopper and Pearson, which is exact for few cases too.

    Raises:
        ValueError: more cases have it than there are.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is no share")
    from scipy.stats import beta

    tail = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, count + 1, of - count)) if count < of else 1.0
    return Share(count, of, count / of if of >= LEAST_FOR_A_SHARE else None, low, high)


@dataclass(frozen=True, slots=True)
class Rate:
    """Events counted over many occasions, per thousand of them, and the exact 95 % interval.

    Attributes:
        count: events.
        of: occasions, above 0.
        per_1000: `1000 * count / of`; None where there were too few occasions to say it.
        low: lower end.
        high: upper end.
    """

    count: int
    of: int
    per_1000: float | None
    low: float
    high: float


def rate(count: int, of: int) -> Rate:
    """A rate with the interval of Garwood (Biometrika 28, 1936), exact for events that come by themselves.

    Raises:
        ValueError: fewer events than none, or no occasion.
    """
    if count < 0 or of < 1:
        raise ValueError(f"{count} in {of} is no rate")
    from scipy.stats import chi2

    tail = (1 - CONFIDENCE) / 2
    low = float(chi2.ppf(tail, 2 * count)) / 2 if count else 0.0
    high = float(chi2.ppf(1 - tail, 2 * (count + 1))) / 2
    told = 1000 * count / of if of >= LEAST_FOR_A_SHARE else None
    return Rate(count, of, told, 1000 * low / of, 1000 * high / of)
