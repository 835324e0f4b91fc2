"""Lines 1, 2, 5 and 8 of issue 2: faces compared, fused, thresholds that hold, lists enrolled."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import calibration, enrolment, fusion
from bench.acceptance import tracks
from bench.acceptance.footage import MIRANDA, OBAMA, count, with_strangers, wrong
from bench.acceptance.lines import Figure, at_least, at_most, equals
from bench.acceptance.programs import aiqyn, evaluation_data
from bench.acceptance.tests_run import tests_pass
from pipelines.build import PerceptionOptions, build_embedder, build_face_detector, build_perception
from pipelines.config import load_config
from pipelines.evaluate.faces import embed_images, read_pairs, score_faces
from vision.face.embed import EmbedderOptions
from weights.catalog import load_catalog
from weights.store import WeightStore

EMBEDDER_ID = PerceptionOptions().embedder
LFW_ACCURACY = 0.993
LEAST_FALL = 0.4
LISTED, NOT_LISTED = 154, 690
WANTED_RATE = 10
HELD_SHARE = 0.9
WIDEST_FACTOR = 4.0
PEOPLE_ON_LIST = 848
OUTLIERS_FOUND = 0.99


def verification() -> Iterator[Figure]:
    """1, first half: two folds of LFW with the default embedder, and what each part of it contributes."""
    lfw = evaluation_data() / "faces" / "lfw2"
    found = aiqyn(
        "evaluate", "faces", "--images", lfw / "images", "--pairs", lfw / "pairs.csv", "--no-report", "--json"
    ).document()
    yield at_least("accuracy on lfw2", found["accuracy"], LFW_ACCURACY)
    yield Figure("its 95 % interval", _interval(found["interval_95"]), "reported", True)
    accepts, ends = found["tar_at_fmr"]["0.001"], found["tar_at_fmr_interval_95"]["0.001"]
    words = f"{accepts:.4f} ({_interval(ends)})"
    yield Figure("true accepts at FMR 0.1 %, all cross-identity pairs", words, "reported", True)
    yield from _without_mirroring(lfw)
    yield from _fusion(lfw / "images")


def _without_mirroring(lfw: Path) -> Iterator[Figure]:
    """What the averaged mirrored face contributes: the same pictures without it."""
    store = _store()
    pairs = read_pairs(lfw / "pairs.csv")
    embedder = build_embedder(store, EMBEDDER_ID, options=EmbedderOptions(mirrored=False))
    detector = build_face_detector(store, "centerface")
    plain = score_faces(pairs, embed_images(lfw / "images", pairs.images, detector, embedder))
    accepts = plain.tar_at_fmr["0.001"] or 0.0
    words = f"accuracy {plain.verification.accuracy:.4f}, true accepts at FMR 0.1 % {accepts:.4f}"
    yield Figure("the same without the mirrored face", words, "reported", True)


def _fusion(images: Path) -> Iterator[Figure]:
    """1, second half: several looks like CCTV against several references."""
    engines = build_perception(_store(), PerceptionOptions(detector=None)).engines()
    found = fusion.measure(images, engines, "separately")
    yield equals("people listed", found.people_listed, LISTED)
    yield equals("people not listed", found.people_not_listed, NOT_LISTED)
    for one in found.conditions:
        words = f"{one.fnir:.4f} ({_interval(one.interval_95)})"
        yield Figure(f"FNIR at FPIR 2 %, {one.condition}", words, "reported", True)
    everything = found.of(fusion.EVERYTHING)
    yield at_least("fall of FNIR, all looks and references against one", everything.fall, LEAST_FALL)
    yield Figure("its 95 % interval", _interval(everything.fall_interval_95), "reported", True)


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
        # By its definition one stranger in a hundred passes for the listed person at the outliers' limit.
        least = OUTLIERS_FOUND if kind == "outlier" else 1.0
        name = f"{kind}: share found of {seeding.seeded} seeded ({seeding.found})"
        yield at_least(name, seeding.found / seeding.seeded if seeding.seeded else 0.0, least)
    yield Figure(
        f"entries of a clean list of {found.people} with a false finding",
        found.people_with_false_findings, "reported", True,
    )  # fmt: skip
    yield from tracks.rejoining()


def _store() -> WeightStore:
    root = load_config(None).paths.weights_dir
    return WeightStore(root, load_catalog(root))


def _interval(ends: Any) -> str:
    low, high = ends
    return f"{low:.4f} to {high:.4f}"
