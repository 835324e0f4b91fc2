"""Line 5 of issue 2: intervals that hold for people not measured, and thresholds that grow with the list."""

from __future__ import annotations

from collections.abc import Iterator

from bench.acceptance.lines import Figure, at_least, at_most
from bench.acceptance.programs import evaluation_data
from bench.acceptance.tests_run import tests_pass
from vision.identify.false_matches import WIDEST_INTERVAL


def measure() -> Iterator[Figure]:
    """Fifty halvings of the people of `lfw2`; the property tests."""
    from bench import calibration

    found = calibration.measure(evaluation_data() / "faces" / "lfw2" / "images")
    yield at_least("random splits of identities", found.splits, 50)
    yield at_least(
        "share of supported points whose observed rate lies in its interval", found.held_share, 0.9
    )
    yield at_least("the same for the alerts of a single list, chance included", found.alerts_held_share, 0.9)
    yield at_most("widest interval where supported, upper end by lower", found.widest_factor, WIDEST_INTERVAL)
    for point in found.points:
        name = f"list of {point['gallery_size']}, {point['wanted_per_1000_faces']:g} per 1,000 faces wanted"
        told = f"held in {point['held_share']:.0%} of {point['supported_splits']} supported splits"
        yield Figure(name, told, "reported", True)
    yield from tests_pass(
        "the threshold never falls as the list grows",
        "tests/unit/vision/identify/test_false_matches.py",
        "tests/unit/vision/identify/test_calibration.py",
    )
