"""How often somebody who is on no list resembles somebody who is, and how surely that is known.

What is promised to an operator is the false positive identification rate: the chance that the face of a
person on no list reaches the threshold with at least one of N listed people (FPIR, ISO/IEC 19795-1). It is
computed from a sample by letting each of its people stand before a list of N others, drawn at random:

    FPIR(N, t) = mean over people, over their pictures p, of  1 − Π_j (1 − N/G · q_pj(t))

with G the other people there are and q_pj the share of j's pictures that reach t with p. Each person counts
once, whatever the number of their pictures, and a person who resembles five listed people raises one alert,
not five: N times the false match rate is too high by that. More than G people are beyond the sample;
FPIR(N)/N never grows with N, so that FPIR(G) · N/G bounds it from above.

The uncertainty is that of sampling people. Pairs that share a person vary together; summing the products of
all such pairs gives the variance of a mean over pairs (Fafchamps & Gubert 2007; Aronow, Samii & Assenova
2015). Resampling people with replacement would overstate it up to threefold where matches are rare and
scattered (Owen 2007), and counting pairs as independent trials understates it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.errors import GalleryError
from vision.identify.impostors import ImpostorSample
from vision.types import Int64

WIDEST_INTERVAL = 4.0
"""A rate is supported where the ends of its interval differ by at most this factor. With scattered matches
that takes about sixteen pairs of people beyond the threshold."""

_Z_95 = 1.959964
_STEP = 1e-3
"""Similarities are told apart by a thousandth; between two steps the rate is interpolated."""


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """A rate of false alerts at one threshold, per face.

    Attributes:
        rate: 0 to 1.
        low: end of the 95 % interval for the rate that as many *other* people would show: what is not
            known of this sample's rate and what would vary in theirs.
        high: the other end.
        events: independent pairs of people the estimate is worth.
    """

    rate: float
    low: float
    high: float
    events: float

    @property
    def supported(self) -> bool:
        """Whether the interval is narrow enough for the rate to be promised."""
        return self.rate > 0 and self.high <= WIDEST_INTERVAL * self.low * (1 + 1e-9)


_NOTHING = RateEstimate(0.0, 0.0, 1.0, 0.0)


class FalseMatchModel:
    """Rates of false alerts by threshold and size of the list, as one sample of people shows them.

    Args:
        sample: what was measured.

    Raises:
        GalleryError: the sample supports no rate at all: too few people, or all pairs of one person.
    """

    __slots__ = ("_first", "_grid", "_person", "_sample", "_second", "_weight")

    def __init__(self, sample: ImpostorSample) -> None:
        self._sample = sample
        self._person = np.repeat(np.arange(sample.people), sample.pictures)
        self._weight = 1.0 / (sample.people * sample.pictures[self._person])
        # Each pair of pictures is looked at from both sides: either may be the face, or the reference.
        self._first = np.stack([sample.first, sample.second], axis=1).ravel()
        self._second = np.stack([sample.second, sample.first], axis=1).ravel()
        self._grid = self._supported_thresholds()

    @property
    def sample(self) -> ImpostorSample:
        """What was measured."""
        return self._sample

    @property
    def strictest_threshold(self) -> float:
        """The highest similarity at which the sample still supports the rate."""
        return float(self._grid[-1])

    @property
    def least_threshold(self) -> float:
        """The lowest similarity at which the sample knows every pair."""
        return float(self._grid[0])

    def rate_at(self, threshold: float, subjects: float = 1) -> RateEstimate:
        """The rate of false alerts per face at a threshold, with its interval.

        Args:
            threshold: a cosine, not below `least_threshold`.
            subjects: people listed, at least 1.

        Raises:
            GalleryError: a number out of range.
        """
        if not threshold >= self.least_threshold - 1e-9:
            raise GalleryError(
                f"below a similarity of {self.least_threshold:.4f} the sample was not kept, got {threshold:.4f}"
            )
        if not (math.isfinite(subjects) and subjects >= 1):
            raise GalleryError(f"a rate of false alerts needs at least 1 listed person, got {subjects}")
        alerts = self._alerts(threshold, subjects)
        rate = float(alerts.share.sum())
        if not rate:
            return _NOTHING
        error = _relative_error(alerts, rate, self._sample.people)
        spread = math.exp(_Z_95 * math.sqrt(2) * error)
        beyond = max(1.0, subjects / (self._sample.people - 1))
        return RateEstimate(
            rate=min(1.0, rate * beyond),
            low=min(1.0, rate / spread),
            high=min(1.0, rate * beyond * spread),
            events=1 / error**2,
        )

    def threshold_for(self, rate: float, subjects: float = 1) -> float | None:
        """The least similarity at which false alerts are no more frequent than that.

        Args:
            rate: wanted, per face, above 0, at most 1.
            subjects: people listed, at least 1.

        Returns:
            The cosine; `least_threshold` where already there the rate is lower; None where the sample is
            too small for so low a rate.

        Raises:
            GalleryError: a number out of range.
        """
        if not 0 < rate <= 1:
            raise GalleryError(f"a rate of false alerts per face must be above 0 and at most 1, got {rate}")
        if self._rate(self._grid[-1], subjects) > rate * (1 + 1e-9):
            return None
        low, high = -1, len(self._grid) - 1  # the rate at `low` is too high, the one at `high` is not
        while high - low > 1:
            middle = (low + high) // 2
            if self._rate(self._grid[middle], subjects) > rate:
                low = middle
            else:
                high = middle
        if high == 0:
            return float(self._grid[0])
        return self._between(self._grid[high - 1], self._grid[high], rate, subjects)

    def _between(self, below: float, above: float, rate: float, subjects: float) -> float:
        """Where between two steps the rate is the wanted one; its logarithm is nearly straight there."""
        upper, lower = self._rate(below, subjects), self._rate(above, subjects)
        share = math.log(upper / min(rate, upper)) / math.log(upper / lower)
        return float(below + min(1.0, share) * (above - below))

    def _rate(self, threshold: float, subjects: float) -> float:
        beyond = max(1.0, subjects / (self._sample.people - 1))
        return float(self._alerts(threshold, subjects).share.sum()) * beyond

    def _alerts(self, threshold: float, subjects: float) -> _Alerts:
        """Who raises false alerts because of whom, at a threshold, before a list of that many."""
        sample = self._sample
        kept = 2 * int(np.searchsorted(-sample.similarity, -np.float32(threshold), side="right"))
        key = self._first[:kept] * sample.people + self._person[self._second[:kept]]
        key, hits = np.unique(key, return_counts=True)
        face, listed = key // sample.people, key % sample.people
        reached = hits / sample.pictures[listed]
        chance = np.minimum(min(1.0, subjects / (sample.people - 1)) * reached, 1 - 1e-12)
        missed = np.bincount(face, np.log1p(-chance), sample.picture_count)
        together = np.bincount(face, reached, sample.picture_count)
        share = -np.expm1(missed[face]) * self._weight[face] * reached / together[face]
        return _Alerts(self._person[face], listed, share)

    def _supported_thresholds(self) -> npt.NDArray[np.float64]:
        """Steps from the sample's floor to the highest similarity up to which every rate is supported."""
        sample = self._sample
        floor = sample.floor if not sample.complete else float(sample.similarity[-1])
        # Rounded up: below its floor the sample is silent.
        first, last = math.ceil(floor / _STEP - 1e-6), math.floor(float(sample.similarity[0]) / _STEP)
        grid = np.arange(first, last + 1, dtype=np.float64) * _STEP
        supported = len(grid)
        for place in range(len(grid) - 1, -1, -1):
            alerts = self._alerts(grid[place], 1)
            rate = float(alerts.share.sum())
            error = _relative_error(alerts, rate, sample.people) if rate else math.inf
            if error > _WIDEST_ERROR:
                supported = place
            elif error <= _WIDEST_ERROR / 2:
                break  # with four times as many events, none of the steps below can fall short
        if not supported:
            raise GalleryError(
                f"{sample.people} people with {sample.picture_count} pictures support no false alert rate: "
                "measure more people"
            )
        return np.asarray(grid[:supported], np.float64)


_WIDEST_ERROR = math.log(WIDEST_INTERVAL) / (2 * _Z_95 * math.sqrt(2))


@dataclass(frozen=True, slots=True)
class _Alerts:
    """Alerts by who caused them.

    Attributes:
        person: (K,) whose face it is.
        listed: (K,) who is taken for it.
        share: (K,) of all faces; the sum is the rate.
    """

    person: Int64
    listed: Int64
    share: npt.NDArray[np.float64]


def _relative_error(alerts: _Alerts, rate: float, people: int) -> float:
    """Standard error of the rate, as a share of it, over samples of as many people.

    A pair of people counts whichever of the two is listed. Pairs that share a person are summed before they
    are squared; each pair's own square, which that counts twice, is taken off once.
    """
    low, high = np.minimum(alerts.person, alerts.listed), np.maximum(alerts.person, alerts.listed)
    key, place = np.unique(low * people + high, return_inverse=True)
    pairs = np.bincount(place, alerts.share)
    of_person = np.bincount(key // people, pairs, people) + np.bincount(key % people, pairs, people)
    alone = float((pairs**2).sum()) - rate**2 / (people * (people - 1) / 2)
    shared = float((of_person**2).sum()) - 4 * rate**2 / people - alone
    # Never less than if no two pairs had a person in common, or than so few people can tell of anything.
    return max(math.sqrt(max(shared, alone, 0.0)) / rate, 1 / math.sqrt(people))
