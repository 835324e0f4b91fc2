"""Issue 1, the main job end to end: its numbered lines."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.acceptance import bad_inputs
from bench.acceptance.lines import Figure, Line


def bad_input() -> Iterator[Figure]:
    """8: one line for each wrong input, the page's exit codes, and the rest of the run goes on."""
    with tempfile.TemporaryDirectory() as folder:
        yield from bad_inputs.measure(Path(folder))


LINES = (Line(8, "Bad input costs one line and nobody else anything", bad_input),)
