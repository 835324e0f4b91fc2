"""From a wanted rate of false alerts to a similarity, by what was measured, and no further.

The rates come from one picture against one reference, of people who looked at a camera. A track has several
looks, and their mean is a little more like strangers; a street camera is no photographer. `docs/calibration.md`
says what is known of either, and how a site measures its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vision.errors import GalleryError
from vision.identify.false_matches import FalseMatchModel, RateEstimate

SINGLE_LOOK_STRICTNESS = 10.0
"""One look may be falsely matched this many times less often than several fused."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The thresholds one gallery is searched with, and what is known of them.

    Attributes:
        threshold: similarity several fused looks must reach.
        single_look_threshold: similarity one look alone must reach; None where the measurement
            cannot support so low a rate, and one look alone decides nothing.
        wanted_false_alerts_per_1000_faces: what was asked for.
        expected_false_alerts_per_1000_faces: what follows: the wanted rate, or a lower one where nothing
            below the threshold was measured. None where the measurement cannot support so low a rate: the
            threshold is then the strictest one it does support, and alerts are more frequent than wanted.
        calibration: name of the measurement.
        expected_interval_95: of the rate at `threshold`, supported as wanted or not, lower and upper end:
            where as many other people as were measured would show it; None where nothing is known.
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
        model: rates by similarity and size of the list.
    """

    name: str
    embedder_id: str
    model: FalseMatchModel = field(repr=False)

    @property
    def disagreement_similarity(self) -> float:
        """Below it two looks are hardly of one face: one pair of strangers in a hundred reaches it."""
        return self.model.sample.strangers_similarity

    def operating_point(
        self, *, gallery_templates: int, gallery_subjects: int, false_alerts_per_1000_faces: float
    ) -> OperatingPoint:
        """Both thresholds for a gallery of this size; the strictest supported one where need be.

        Several references of a person are counted like as many people: no more alerts than that, and by
        the measurement in `docs/calibration.md` not many fewer.

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
        threshold = self.model.threshold_for(wanted / 1000, gallery_templates)
        single = self.model.threshold_for(wanted / 1000 / SINGLE_LOOK_STRICTNESS, gallery_templates)
        in_force = self.model.strictest_threshold if threshold is None else threshold
        known = self.model.rate_at(in_force, gallery_templates)
        return OperatingPoint(
            threshold=in_force,
            single_look_threshold=single,
            wanted_false_alerts_per_1000_faces=wanted,
            expected_false_alerts_per_1000_faces=self._expected(threshold, known, wanted),
            calibration=self.name,
            expected_interval_95=(1000 * known.low, 1000 * known.high),
        )

    def _expected(self, threshold: float | None, known: RateEstimate, wanted: float) -> float | None:
        if threshold is None or not known.supported:
            return None
        at_floor = threshold <= self.model.least_threshold
        return min(wanted, 1000 * known.rate) if at_floor else wanted
