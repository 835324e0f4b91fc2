"""Gallery search beside the bare matrix product under it, at several sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.side_by_side import Comparison, compare
from vision.identify.gallery import Gallery
from vision.types import Float32

SIZES = (100, 1_000, 5_000, 9_999, 10_000, 50_000)
DIMENSION = 512
LIMIT = 6
"""The best and the five alternatives a candidate names."""


@dataclass(frozen=True, slots=True)
class SearchCall:
    """One size's comparison.

    Attributes:
        templates: in the gallery.
        templates_per_subject: of each subject.
        probes: searched in one call.
        figures: ours beside the product alone.
    """

    templates: int
    templates_per_subject: int
    probes: int
    figures: Comparison


def measure(rounds: int, seed: int = 0) -> Iterator[SearchCall]:
    """Random unit templates, one probe at a time and eight, one template a subject and four."""
    chance = np.random.default_rng(seed)
    for templates in SIZES:
        rows = chance.standard_normal((templates, DIMENSION), dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        for per_subject, probe_count in ((1, 1), (4, 1), (1, 8)):
            gallery = Gallery(rows, [f"subject-{i // per_subject:06d}" for i in range(templates)])
            probes = chance.standard_normal((probe_count, DIMENSION), dtype=np.float32)
            few = max(rounds // (1 + templates * probe_count // 20_000), 5)
            yield SearchCall(templates, per_subject, probe_count, _compared(gallery, probes, few))


def _compared(gallery: Gallery, probes: Float32, rounds: int) -> Comparison:
    # The very memory that is searched: a copy lies elsewhere in the caches, which is worth ± 100 µs by itself.
    rows = gallery._templates
    return compare(lambda: gallery.search(probes, LIMIT), lambda: probes @ rows.T, rounds)
