"""Lines whose proof is a set of tests: they are run, counted, and a skip counts as a failure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.acceptance.lines import Figure

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 1800

_COUNT = re.compile(r"(\d+) (passed|failed|skipped|error|errors|deselected)")


def tests_pass(name: str, *arguments: str) -> Iterator[Figure]:
    """One figure: how many tests passed, and that none failed or was skipped.

    Args:
        name: what they show.
        arguments: files, nodes and options of pytest.
    """
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "AIQYN_SKIPS_FAIL": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-200:]
    counts = {word: int(number) for number, word in _COUNT.findall(last)}
    passed = done.returncode == 0 and counts.get("passed", 0) > 0
    value = f"{counts.get('passed', 0)} tests passed" if passed else last
    yield Figure(name, value, "all pass, none skipped", passed)
