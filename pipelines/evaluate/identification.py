"""Open-set identification: how many of the listed are missed at a given rate of false alerts.

Terms and definitions are those of ISO/IEC 19795-1 and NIST's FRTE 1:N (NISTIR 8271). A *mated* probe shows
somebody enrolled, a *non-mated* one somebody else. At a threshold T a search raises an alert where its highest
similarity is above T.

    FPIR(T) = non-mated probes that raise an alert / non-mated probes
    FNIR(T) = mated probes whose own subject is not at rank 1, or not above T / mated probes

A probe without a face raises no alert: mated it is missed, non-mated it is no false alert. A subject of whose
references none gave a face is enrolled with nothing, and its probe is missed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.intervals import Interval, miss_rate_interval
from pipelines.evaluate.verification import wilson_interval
from vision.identify.gallery import Gallery
from vision.types import Bool, Float32

FALSE_ALERT_RATES = (0.1, 0.01, 0.003)
"""FPIR at which misses are told; NIST's reports use the lower two."""

SUPPORTING_ALERTS = 10
"""False alerts that must lie behind a threshold: with ten a rate is known to about a factor of two (Poisson)."""

NO_FACE = -1.0
"""Highest similarity of a probe in which no face was found: lower than any cosine that raises an alert."""

_BLOCK_ROWS = 512
_ROUNDING = 1e-9
_CURVE_POINTS = 80


@dataclass(frozen=True, slots=True, repr=False)
class Searches:
    """What searching the gallery with every probe gave.

    Attributes:
        mated: (M,) float32 highest similarity of each mated probe; −1 without a face.
        rank_one: (M,) whether it was that of the probe's own subject.
        mate: (M,) float32 similarity to its own subject, whatever the rank; −1 without one.
        non_mated: (U,) float32 highest similarity of each non-mated probe; −1 without a face.
        non_mated_subject: (U,) rows of the subjects it resembled most; −1 without a face.
    """

    mated: Float32
    rank_one: Bool
    mate: Float32
    non_mated: Float32
    non_mated_subject: tuple[int, ...]

    @property
    def hits(self) -> Float32:
        """Similarities of the mated probes whose own subject came first."""
        return self.mated[self.rank_one]

    def miss_rate(self, threshold: float) -> float:
        """FNIR at a threshold."""
        return (len(self.mated) - int(np.count_nonzero(self.hits > threshold))) / len(self.mated)

    def false_alert_rate(self, threshold: float) -> float | None:
        """FPIR at a threshold; None without non-mated probes."""
        return float(np.mean(self.non_mated > threshold)) if len(self.non_mated) else None


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Misses at one rate of false alerts; all None where the sample cannot support the rate.

    Attributes:
        fnir: false negative identification rate.
        interval_95: of it, the threshold's own uncertainty included.
        threshold: similarity above which an alert is raised.
    """

    fnir: float | None = None
    interval_95: Interval | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One point of the DET curve.

    Attributes:
        fpir: share of the non-mated probes that raise an alert.
        fnir: share of the mated probes that are missed.
        threshold: at which both hold.
        supported: enough false alerts lie behind it for the rate to mean something.
    """

    fpir: float
    fnir: float
    threshold: float
    supported: bool


def search(gallery: tuple[Float32, tuple[int, ...]], mated: Float32, non_mated: Float32) -> Searches:
    """Searches the gallery with every probe.

    Args:
        gallery: templates (T, D) of unit length, and whose each is, a row of the subjects.
        mated: (M, D) float32; row m shows subject m. NaN where there is no face.
        non_mated: (U, D) float32; NaN where there is no face.

    Raises:
        EvaluationError: not one reference gave a face.
    """
    templates, owners = gallery
    if not len(templates):
        raise EvaluationError("no face was found in any reference picture")
    listed = Gallery(templates, [f"{owner:09d}" for owner in owners])
    mated_top, mated_subject = _best(listed, mated)
    non_mated_top, non_mated_subject = _best(listed, non_mated)
    return Searches(
        mated=mated_top,
        rank_one=np.array([subject == row for row, subject in enumerate(mated_subject)], np.bool_),
        mate=_mate(templates, owners, mated),
        non_mated=non_mated_top,
        non_mated_subject=non_mated_subject,
    )


def _best(listed: Gallery, probes: Float32) -> tuple[Float32, tuple[int, ...]]:
    top, subjects = np.full(len(probes), NO_FACE, np.float32), np.full(len(probes), -1)
    found = np.flatnonzero(~np.isnan(probes).any(axis=1))
    for start in range(0, len(found), _BLOCK_ROWS):
        rows = found[start : start + _BLOCK_ROWS]
        answers = listed.search(probes[rows], limit=1)
        top[rows] = [answer.similarities[0] for answer in answers]
        subjects[rows] = [int(answer.subject_ids[0]) for answer in answers]
    return top, tuple(subjects.tolist())


def _mate(templates: Float32, owners: tuple[int, ...], mated: Float32) -> Float32:
    similarity = np.full(len(mated), NO_FACE, np.float32)
    own = np.asarray(owners)
    each = np.einsum("td,td->t", templates, np.nan_to_num(mated[own]))
    known = ~np.isnan(mated[own]).any(axis=1)
    np.maximum.at(similarity, own[known], each[known])
    return similarity


def threshold_at(non_mated: Float32, false_alert_rate: float) -> float | None:
    """The similarity that at most this share of the non-mated probes exceeds.

    Args:
        non_mated: (U,) highest similarity of each.
        false_alert_rate: FPIR.

    Returns:
        The cosine; None with fewer than 10 / FPIR probes: fewer than ten alerts would lie behind it.
    """
    if len(non_mated) < SUPPORTING_ALERTS / false_alert_rate - _ROUNDING:
        return None
    allowed = math.floor(false_alert_rate * len(non_mated) + _ROUNDING)
    if allowed >= len(non_mated):
        return NO_FACE
    return float(-np.partition(-non_mated, allowed)[allowed])


def operating_point(searches: Searches, false_alert_rate: float, seed: int = 0) -> OperatingPoint:
    """Misses at one rate of false alerts, with their interval."""
    threshold = threshold_at(searches.non_mated, false_alert_rate)
    if threshold is None:
        return OperatingPoint()
    interval = miss_rate_interval(
        searches.hits, len(searches.mated), searches.non_mated, false_alert_rate, seed
    )
    return OperatingPoint(searches.miss_rate(threshold), interval, threshold)


def rank_one_rate(searches: Searches) -> tuple[float, Interval]:
    """Share of the mated probes whose own subject comes first, without a threshold, and Wilson's interval."""
    right, total = int(searches.rank_one.sum()), len(searches.rank_one)
    return right / total, wilson_interval(right, total)


def det_curve(searches: Searches) -> tuple[CurvePoint, ...]:
    """Misses against false alerts at every threshold worth telling apart, by falling threshold.

    Detection error trade-off as in ISO/IEC 19795-1; at most 80 points, evenly spread over the logarithm of
    the false alert rate, from one alert in all up.
    """
    probes = len(searches.non_mated)
    if not probes:
        return ()
    falling = -np.sort(-searches.non_mated)
    counts = np.unique(np.round(np.geomspace(1, probes, _CURVE_POINTS)).astype(int))
    points = []
    for count in counts.tolist():
        threshold = float(falling[count]) if count < probes else NO_FACE
        alerts = int(np.count_nonzero(searches.non_mated > threshold))
        if alerts:
            points.append(
                CurvePoint(
                    alerts / probes, searches.miss_rate(threshold), threshold, alerts >= SUPPORTING_ALERTS
                )
            )
    return tuple(points)
