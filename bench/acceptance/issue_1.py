"""Issue 1, the main job end to end: its numbered lines."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.acceptance import bad_inputs, evaluation, footage, fresh
from bench.acceptance.lines import Figure, Line, at_least, at_most, holds
from bench.acceptance.tests_run import ROOT, tests_pass

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


def guards() -> Iterator[Figure]:
    """6: every way to a confirmed match without two blind judgements, tried."""
    path = "tests/e2e/test_judgement_guards.py"
    yield from tests_pass("attempts at a judgement, builds without each guard caught", path)
    yield from tests_pass(
        "a worker's or integrator's Redis credentials, a hand-made stream entry",
        "tests/e2e/test_redis_credentials.py",
        "tests/unit/api/test_intake.py",
        "tests/unit/api/ledger/test_receipts.py",
    )


def nobody_else() -> Iterator[Figure]:
    """7: an un-enrolled person's template is nowhere after a run."""
    yield from tests_pass(
        "every file, stream, page and log scanned; leaky runs caught",
        "tests/e2e/test_nobody_else.py",
        "tests/e2e/test_demo.py",
        "tests/unit/test_template_scan.py",
    )


def bad_input() -> Iterator[Figure]:
    """8: one line for each wrong input, the page's exit codes, and the rest of the run goes on."""
    with tempfile.TemporaryDirectory() as folder:
        yield from bad_inputs.measure(Path(folder))


def screenshots() -> Iterator[Figure]:
    """9: the page in headless Chromium, before and after an answer."""
    yield from tests_pass(
        "the page in Chromium, screenshots taken", "-m", "system", "tests/system/test_console.py"
    )
    for name in ("before", "after"):
        found = sorted((ROOT / "out" / "console").glob(f"*{name}*.png"))
        yield holds(f"screenshot {name} an answer", bool(found), "none in out/console")


LINES = (
    Line(1, "A fresh clone: demo and tests, without root", fresh.measure),
    Line(2, "The Hamilton clip", footage.measure),
    Line(3, "dlib parity on real faces, and its speed beside dlib's", dlib_parity),
    Line(4, "Face verification on lfw2", evaluation.faces),
    Line(5, "Detection and tracking figures", evaluation.detection_and_tracking),
    Line(6, "No confirmed match without two blind judgements", guards),
    Line(7, "Nobody else's template anywhere", nobody_else),
    Line(8, "Bad input costs one line and nobody else anything", bad_input),
    Line(9, "The page, looked at", screenshots),
)
