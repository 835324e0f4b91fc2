"""Issue 1, the main job end to end: its numbered lines."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.acceptance import bad_inputs
from bench.acceptance.lines import Figure, Line, at_least, at_most

DLIB_DIFFERENCE = 1e-5
DLIB_RATIO = 6.0
DLIB_FACES = 8
"""Fewer faces would say little about either figure."""


def dlib_parity() -> Iterator[Figure]:
    """3: the converted network says what dlib's own says, several times sooner."""
    from bench import dlib

    found = dlib.measure()
    yield at_least("real faces compared", found.faces, DLIB_FACES)
    yield at_most("largest difference of any number", found.max_difference, DLIB_DIFFERENCE)
    yield at_least("times faster per face, one thread, side by side", found.ratio, DLIB_RATIO)


def bad_input() -> Iterator[Figure]:
    """8: one line for each wrong input, the page's exit codes, and the rest of the run goes on."""
    with tempfile.TemporaryDirectory() as folder:
        yield from bad_inputs.measure(Path(folder))


LINES = (
    Line(3, "dlib parity on real faces, and its speed beside dlib's", dlib_parity),
    Line(8, "Bad input costs one line and nobody else anything", bad_input),
)
