"""From a wanted rate of false alerts to a similarity, by what was measured, and no further.

A face that is on no list is compared with every template of the gallery, so at a false match
rate f per comparison and N templates it raises a false alert with a chance of about f·N
(NISTIR 8271, FPIR = 1 − (1 − FMR)^N for small rates). The wanted rate divided by N is therefore
the false match rate one comparison may have, and the measured table gives the similarity for it.

The tables come from one look against one reference on photographs of people who looked at a
camera. A track has several looks, each of which may tip it over, and their mean is a little more
like strangers too: means of three pictures reach the 1-in-10,000 similarity of single ones about
twice as often. A street camera is no photographer either. So these are stand-ins with a known
origin until a calibration on a site's own footage replaces them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vision.errors import GalleryError

SINGLE_LOOK_STRICTNESS = 10.0
"""One look may be falsely matched this many times less often than several fused."""

_LEAST_PAIRS = 10
"""A rate is read off the sample only where at least so many pairs lie beyond it: with ten, the
rate is known to within about a factor of two (Poisson, 95 %); with fewer it is a guess."""

_STRANGERS_RATE = 0.01
"""Looks of one face that are less alike than one pair of strangers in a hundred disagree."""

_ROUNDING = 1e-9
"""Relative error a rate may have gathered on its way here."""


@dataclass(frozen=True, slots=True)
class FalseMatchTable:
    """Similarities that strangers reached in a measurement.

    Attributes:
        pairs: pairs of pictures of different people that were compared.
        beyond: (number of those pairs, similarity that so many reached), by falling number.
    """

    pairs: int
    beyond: tuple[tuple[int, float], ...]

    @property
    def lowest_rate(self) -> float:
        """The lowest false match rate the sample can support."""
        return _LEAST_PAIRS / self.pairs

    def similarity_at(self, false_match_rate: float) -> float | None:
        """The similarity strangers reach at this rate; None where the sample is too small for it.

        Between measured points the similarity is interpolated over the logarithm of the rate,
        along which the tail is nearly straight; above the highest rate the first point holds.
        """
        if false_match_rate < self.lowest_rate * (1 - _ROUNDING):
            return None
        wanted = false_match_rate * self.pairs
        upper = self.beyond[0]
        for lower in self.beyond:
            if lower[0] <= wanted:
                return _between(upper, lower, wanted)
            upper = lower
        return self.beyond[-1][1]


def _between(upper: tuple[int, float], lower: tuple[int, float], wanted: float) -> float:
    if wanted >= upper[0]:
        return upper[1]
    share = math.log(upper[0] / wanted) / math.log(upper[0] / lower[0])
    return upper[1] + share * (lower[1] - upper[1])


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The thresholds one gallery is searched with, and what is known of them.

    Attributes:
        threshold: similarity several fused looks must reach.
        single_look_threshold: similarity one look alone must reach; None where the measurement
            cannot support so low a rate, and one look alone decides nothing.
        wanted_false_alerts_per_1000_faces: what was asked for.
        expected_false_alerts_per_1000_faces: the same where the measurement supports it, else
            None: the threshold is then the strictest one the measurement supports, and the rate
            is higher than the one asked for by an amount nobody has measured.
        calibration: name of the measurement.
        expected_interval_95: of the expected rate, lower and upper end; None where nothing is known of it.
    """

    threshold: float
    single_look_threshold: float | None
    wanted_false_alerts_per_1000_faces: float
    expected_false_alerts_per_1000_faces: float | None
    calibration: str
    expected_interval_95: tuple[float, float] | None = None

    @property
    def single_look_expected_false_alerts_per_1000_faces(self) -> float | None:
        """The rate of decisions by one look; None where one look decides nothing."""
        if self.single_look_threshold is None:
            return None
        return self.wanted_false_alerts_per_1000_faces / SINGLE_LOOK_STRICTNESS


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is known of how alike strangers look to one embedder, and the thresholds that follow.

    Attributes:
        name: of the measurement; travels with every candidate.
        embedder_id: whose similarities they are.
        table: similarities that strangers reached.
    """

    name: str
    embedder_id: str
    table: FalseMatchTable

    def similarity_at(self, false_match_rate: float) -> float | None:
        """The similarity strangers reach at this rate; None where the sample is too small for it."""
        return self.table.similarity_at(false_match_rate)

    @property
    def disagreement_similarity(self) -> float:
        """Below it two looks are hardly of one face: one pair of strangers in a hundred reaches it.

        Raises:
            GalleryError: the sample supports not even this rate.
        """
        similarity = self.similarity_at(_STRANGERS_RATE)
        if similarity is None:
            raise GalleryError(f"calibration {self.name!r}: the sample supports no rate at all")
        return similarity

    def operating_point(
        self, *, gallery_templates: int, gallery_subjects: int, false_alerts_per_1000_faces: float
    ) -> OperatingPoint:
        """Both thresholds for a gallery of this size; the strictest supported one where need be.

        Args:
            gallery_templates: templates searched, at least 1.
            gallery_subjects: people they are of, at least 1, at most as many.
            false_alerts_per_1000_faces: wanted rate, above 0, at most 1000.

        Raises:
            GalleryError: a number out of range.
        """
        wanted = false_alerts_per_1000_faces
        if not 1 <= gallery_subjects <= gallery_templates:
            raise GalleryError(
                "a threshold needs a gallery with at least 1 template, and no more subjects than templates; "
                f"got {gallery_templates} templates of {gallery_subjects} subjects"
            )
        if not 0 < wanted <= 1000:
            raise GalleryError(f"false_alerts_per_1000_faces must be above 0 and at most 1000, got {wanted}")
        rate = wanted / 1000 / gallery_templates
        threshold = self.similarity_at(rate)
        return OperatingPoint(
            threshold=self.table.beyond[-1][1] if threshold is None else threshold,
            single_look_threshold=self.similarity_at(rate / SINGLE_LOOK_STRICTNESS),
            wanted_false_alerts_per_1000_faces=wanted,
            expected_false_alerts_per_1000_faces=None if threshold is None else wanted,
            calibration=self.name,
        )
