"""Lines 1, 2, 5 and 8 of issue 2: faces compared, fused, thresholds that hold, lists enrolled."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import calibration, enrolment
from bench.acceptance.footage import MIRANDA, OBAMA, count, with_strangers, wrong
from bench.acceptance.lines import Figure, at_least, at_most, equals, holds
from bench.acceptance.programs import aiqyn, evaluation_data
from bench.acceptance.tests_run import tests_pass

LFW_ACCURACY = 0.993
WANTED_RATE = 10
HELD_SHARE = 0.9
WIDEST_FACTOR = 4.0
PEOPLE_ON_LIST = 848


def verification() -> Iterator[Figure]:
    """1, first half: two folds of LFW with the default embedder, and what each part of it contributes."""
    lfw = evaluation_data() / "faces" / "lfw2"
    found = aiqyn(
        "evaluate", "faces", "--images", lfw / "images", "--pairs", lfw / "pairs.csv", "--no-report", "--json"
    ).document()
    yield at_least("accuracy on lfw2", found["accuracy"], LFW_ACCURACY)
    yield Figure("its 95 % interval", _interval(found["interval_95"]), "reported", True)
    accepts = found["tar_at_fmr"]["0.001"]
    yield Figure(
        "true accepts at FMR 0.1 %, all cross-identity pairs", accepts, "reported", accepts is not None
    )


def hamilton() -> Iterator[Figure]:
    """2: the clip among 844 strangers at the default calibration, at two wanted rates."""
    faces = evaluation_data() / "faces"
    clip = faces / "hamilton" / "short_hamilton_clip.mp4"
    with tempfile.TemporaryDirectory() as folder:
        crowd = Path(folder) / "references"
        people = with_strangers(faces / "hamilton" / "references", faces / "lfw2" / "images", crowd)
        yield equals("people on the list", people, PEOPLE_ON_LIST)
        for rate in (1, WANTED_RATE):
            ran = aiqyn(
                "analyze", clip, "--watchlist", crowd, "--json", "--explain",
                "--false-alerts-per-1000-faces", str(rate),
            )  # fmt: skip
            yield from _among_strangers(ran.document(), rate)


def _among_strangers(found: dict[str, Any], rate: int) -> Iterator[Figure]:
    told = f"wanted rate {rate} in 1,000"
    candidates = found["candidates"]
    yield equals(f"{told}: people named wrongly", wrong(candidates), 0)
    yield equals(f"{told}: candidates for Biden", count(candidates, "joe-biden"), 0)
    yield at_least(f"{told}: candidates for Miranda", count(candidates, MIRANDA), 1)
    his = [
        track["best"][0]["similarity"]
        for track in found["tracks"]
        if track["best"] and track["best"][0]["subject_id"] == OBAMA
    ]
    yield at_least(f"{told}: tracks at whose rank 1 Obama is", len(his), 1)
    obama = count(candidates, OBAMA)
    if rate == WANTED_RATE:
        yield at_least(f"{told}: candidates for Obama", obama, 1)
    else:
        yield Figure(f"{told}: candidates for Obama", obama, "reported", True)
    yield Figure(f"{told}: Obama's highest similarity", max(his, default=None), "reported", True)


def rates() -> Iterator[Figure]:
    """5: rates of false alerts observed on people the calibration never saw."""
    verdict = calibration.measure(evaluation_data() / "faces" / "lfw2" / "images")
    yield equals("random splits of identities", verdict.splits, 50)
    yield at_least("share of observed rates inside the stated 95 % interval", verdict.held_share, HELD_SHARE)
    yield at_most("widest interval, end by end", verdict.widest_factor, WIDEST_FACTOR)
    for point in verdict.points:
        title = f"list of {point['gallery_size']}, {point['wanted_per_1000_faces']:g} in 1,000 wanted"
        words = (
            f"held {point['held_share']:.2f} of {point['supported_splits']} splits, "
            f"observed {point['median_observed_per_1000_faces']:.2g}, factor {point['median_factor']:.2f}"
        )
        yield Figure(title, words, "reported", True)
    yield from tests_pass(
        "threshold monotone in the list's size and in the rate (property tests)",
        "tests/unit/vision/identify", "-k", "monotone",
    )  # fmt: skip


def references() -> Iterator[Figure]:
    """8, first half: seeded outliers, copies and look-alikes found; a clean list passes."""
    found = enrolment.measure(evaluation_data() / "faces" / "lfw2" / "images")
    for kind, seeding in found.seeded.items():
        yield holds(
            f"{kind}: found of those seeded",
            seeding.found == seeding.seeded > 0,
            f"{seeding.found} of {seeding.seeded}",
        )
    yield Figure(
        f"entries of a clean list of {found.people} with a false finding",
        found.people_with_false_findings, "reported", True,
    )  # fmt: skip


def _interval(ends: Any) -> str:
    low, high = ends
    return f"{low:.4f} to {high:.4f}"
