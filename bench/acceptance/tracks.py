"""Lines 4 and 8 of issue 2: our trackers beside those of the package `trackers`, and lost tracks joined again."""

from __future__ import annotations

from collections.abc import Iterator

from bench import tracking
from bench.acceptance.lines import Figure
from bench.acceptance.programs import evaluation_data
from bench.crowds import Sequence
from pipelines.config import load_config
from weights.catalog import load_catalog
from weights.store import WeightStore


def beside_theirs() -> Iterator[Figure]:
    """4: the same detections for everybody; ours at least the best of theirs in each figure."""
    for sequence in _tud_campus():
        rows = tracking.compare(sequence)
        for row in rows:
            yield Figure(f"{row.sequence}, {row.tracker}", _words(row), "reported", True)
        (margin,) = tracking.margins(rows)
        words = f"IDF1 {margin.idf1:+.3f}, MOTA {margin.mota:+.3f}, HOTA {margin.hota:+.3f}"
        title = f"{margin.sequence}: {margin.tracker} less the best of theirs in each"
        yield Figure(title, words, "none below 0", margin.holds)


def rejoining() -> Iterator[Figure]:
    """8, second half: the detections of a fifth of the frames removed."""
    for sequence in _tud_campus():
        for row in tracking.rejoining(sequence):
            yield Figure(f"{row.sequence}, {row.tracker}", _words(row), "reported", True)


def _tud_campus() -> Iterator[Sequence]:
    root = load_config(None).paths.weights_dir
    data = evaluation_data()
    for name, detector in tracking.detectors(data, WeightStore(root, load_catalog(root))).items():
        yield tracking.tud_campus(data, detector, name)


def _words(row: tracking.Row) -> str:
    return f"IDF1 {row.idf1:.3f}, MOTA {row.mota:.3f}, HOTA {row.hota:.3f}, switches {row.switches:g}"
