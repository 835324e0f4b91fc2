"""Lines 3 to 7 of issue 3 that rest on a benchmark or on tests of their own."""

from __future__ import annotations

from collections.abc import Iterator

from bench import gate as gate_bench
from bench import pipeline as pipeline_bench
from bench import streams as streams_bench
from bench.acceptance import kills, worker_kills
from bench.acceptance.lines import Figure, at_least, at_most, equals, holds
from bench.acceptance.programs import evaluation_data
from bench.acceptance.tests_run import tests_pass

MIN_NOT_INFERRED = 0.9
MAX_PRESENCE_SECONDS = 1.0
SOAK_SECONDS = 1800.0
MAX_PIPELINE_RATIO = 1.15
MIN_SPEEDUP = 1.7


def killed() -> Iterator[Figure]:
    """Line 2: the bus with everything killed around it, then whole workers."""
    yield from kills.measure()
    yield from worker_kills.measure()


def gate() -> Iterator[Figure]:
    """Line 3: what the gate saves on one person at a time, and on a night made from it."""
    found = gate_bench.measure(evaluation_data() / "videos" / "one-by-one-person-detection.mp4")
    yield at_least("person-free frames not inferred", found.person_free_not_inferred, MIN_NOT_INFERRED)
    yield Figure(
        "frames between tracks not inferred, people who enter and leave among them",
        found.between_tracks_not_inferred,
        "reported",
        True,
    )
    yield equals("presence intervals, gated", found.presence_intervals_gated, found.presence_intervals)
    yield at_most(
        "largest difference of their ends, s",
        _seconds(found.presence_difference_seconds),
        MAX_PRESENCE_SECONDS,
    )
    yield Figure("inference ratio", found.inference_ratio, "reported", True)
    yield equals(
        "an hour of night: visits in whose time somebody was tracked",
        found.night_visits_seen,
        found.night_visits,
    )
    yield Figure("an hour of night: inference ratio", found.night_inference_ratio, "reported", True)
    yield Figure(
        "an hour of night: person-free frames not inferred",
        found.night_person_free_not_inferred,
        "reported",
        True,
    )
    yield Figure(
        "an hour of night: largest difference of presence from the truth, s",
        found.night_presence_difference_seconds,
        "reported",
        True,
    )


def streams() -> Iterator[Figure]:
    """Line 4: half an hour of eight cameras."""
    yield from streams_bench.measure(SOAK_SECONDS)


def pipeline() -> Iterator[Figure]:
    """Line 5: what `analyze` adds to decoding and models, and what a second core brings."""
    data = evaluation_data()
    found = pipeline_bench.measure(
        data / "videos" / "people-walking.mp4", data / "faces" / "hamilton" / "references", lambda _: None
    )
    yield at_most("one core: whole run by decoding and models", found.ratio, MAX_PIPELINE_RATIO)
    yield at_least("two cores: times as fast", found.speedup or 0.0, MIN_SPEEDUP)
    yield holds("every run said the same", found.identical)


def revoked() -> Iterator[Figure]:
    """Line 6: from a revocation to the memory of the matching process that comes next."""
    yield from tests_pass(
        "no match later than 2 s after; memory, cores, swap and shared memory scanned",
        "-m",
        "system",
        "tests/e2e/test_revocation.py",
    )
    yield from tests_pass(
        "templates in locked memory, overwritten when left", "tests/unit/vision/test_memory.py"
    )


def _seconds(found: float | None) -> float:
    """NaN, which no bound holds, where there are not as many intervals."""
    return float("nan") if found is None else found
