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
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vision.errors import GalleryError

CALIBRATION = "lfw2-cross-identity-pairs"
"""What the tables below were measured on: every pair of pictures of two different people in the
first two folds of LFW (deep-funneled), default face detector, central face, one picture each. The
command `aiqyn evaluate faces --images … --pairs … --thresholds --json` prints the numbers."""

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


TABLES: Mapping[str, FalseMatchTable] = MappingProxyType(
    {
        "mobilefacenet-faceplugin": FalseMatchTable(
            pairs=1_250_180,
            beyond=(
                (125_018, 0.1306),
                (37_505, 0.1942),
                (12_502, 0.2453),
                (3_751, 0.2960),
                (1_250, 0.3379),
                (375, 0.3800),
                (125, 0.4111),
                (38, 0.4445),
                (13, 0.4732),
                (10, 0.4781),
            ),
        ),
        # dlib's vectors all point much the same way: strangers average 0.83. Most of its nearest pairs of
        # strangers are two people from East Asia: one threshold is not one rate for everybody.
        "dlib-resnet": FalseMatchTable(
            pairs=1_250_180,
            beyond=(
                (125_018, 0.8832),
                (37_505, 0.8998),
                (12_502, 0.9109),
                (3_751, 0.9210),
                (1_250, 0.9287),
                (375, 0.9363),
                (125, 0.9422),
                (38, 0.9482),
                (13, 0.9531),
                (10, 0.9536),
            ),
        ),
    }
)
"""By embedder id. All 1,583 pictures, CenterFace's central face; the
mirrored copy averaged in for dlib-resnet alone, as `pipelines.build` does."""


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
    """

    threshold: float
    single_look_threshold: float | None
    wanted_false_alerts_per_1000_faces: float
    expected_false_alerts_per_1000_faces: float | None
    calibration: str

    @property
    def single_look_expected_false_alerts_per_1000_faces(self) -> float | None:
        """The rate of decisions by one look; None where one look decides nothing."""
        if self.single_look_threshold is None:
            return None
        return self.wanted_false_alerts_per_1000_faces / SINGLE_LOOK_STRICTNESS


def threshold_for(
    embedder_id: str,
    *,
    gallery_templates: int,
    false_alerts_per_1000_faces: float,
    single_look: bool,
) -> float | None:
    """The similarity from which a comparison counts.

    Args:
        embedder_id: whose similarities they are.
        gallery_templates: templates searched, at least 1.
        false_alerts_per_1000_faces: wanted rate, above 0, at most 1000.
        single_look: whether one look is to decide alone.

    Returns:
        The cosine, or None: the measurement cannot support so low a rate.

    Raises:
        GalleryError: nothing was measured for this embedder, or a number is out of range.
    """
    table = table_of(embedder_id)
    if gallery_templates < 1:
        raise GalleryError(f"a threshold needs a gallery with at least 1 template, got {gallery_templates}")
    if not 0 < false_alerts_per_1000_faces <= 1000:
        raise GalleryError(
            f"false_alerts_per_1000_faces must be above 0 and at most 1000, got {false_alerts_per_1000_faces}"
        )
    rate = false_alerts_per_1000_faces / 1000 / gallery_templates
    return table.similarity_at(rate / SINGLE_LOOK_STRICTNESS if single_look else rate)


def operating_point(
    embedder_id: str, *, gallery_templates: int, false_alerts_per_1000_faces: float
) -> OperatingPoint:
    """Both thresholds for a gallery of this size; the strictest supported one where need be.

    Raises:
        GalleryError: as `threshold_for`.
    """
    wanted = false_alerts_per_1000_faces
    threshold, single = (
        threshold_for(
            embedder_id,
            gallery_templates=gallery_templates,
            false_alerts_per_1000_faces=wanted,
            single_look=single_look,
        )
        for single_look in (False, True)
    )
    supported = threshold is not None
    return OperatingPoint(
        threshold=threshold if threshold is not None else _strictest(embedder_id),
        single_look_threshold=single,
        wanted_false_alerts_per_1000_faces=wanted,
        expected_false_alerts_per_1000_faces=wanted if supported else None,
        calibration=CALIBRATION,
    )


def disagreement_similarity(embedder_id: str) -> float:
    """Similarity below which two looks are hardly of one face: one pair of strangers in a hundred reaches it.

    Raises:
        GalleryError: nothing was measured for this embedder.
    """
    similarity = table_of(embedder_id).similarity_at(_STRANGERS_RATE)
    if similarity is None:
        raise GalleryError(f"the measurement of embedder {embedder_id!r} supports no rate at all")
    return similarity


def table_of(embedder_id: str) -> FalseMatchTable:
    """What was measured for an embedder.

    Raises:
        GalleryError: nothing was.
    """
    table = TABLES.get(embedder_id)
    if table is None:
        known = ", ".join(sorted(TABLES)) or "none"
        raise GalleryError(
            f"no false match rates were measured for embedder {embedder_id!r} (measured: {known}); "
            "without them no threshold can be given"
        )
    return table


def _strictest(embedder_id: str) -> float:
    table = table_of(embedder_id)
    similarity = table.similarity_at(table.lowest_rate)
    if similarity is None:
        raise GalleryError(f"the measurement of embedder {embedder_id!r} supports no rate at all")
    return similarity
