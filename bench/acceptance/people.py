"""Line 2 of issue 4: what the contract says is what happens, and every role gets what the docs say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from bench.acceptance.lines import Figure, at_least, equals
from bench.acceptance.tests_run import ROOT, tests_pass

EXAMPLES = int(os.environ.get("AIQYN_FUZZ_EXAMPLES", "10"))
"""Made-up requests of each route, role and kind of id, besides those that break one thing at a time."""

MIN_REQUESTS = 5000


def measure() -> Iterator[Figure]:
    """Both halves of the line."""
    yield from _contract()
    yield from tests_pass("every route × role equals the table in the docs", "tests/unit/api/test_matrix.py")
    yield from tests_pass("second person, rights, logins, waits, limits", *_PEOPLE)
    yield from tests_pass("logins through a real identity provider", "tests/unit/api/test_oidc.py")
    yield from tests_pass("a proxy's word", "tests/unit/api/test_proxy_login.py")


_PEOPLE = tuple(
    f"tests/unit/api/test_{name}.py"
    for name in ("approvals", "rights", "logins", "throttle", "rates", "people_guards")
)


def _contract() -> Iterator[Figure]:
    # In a process of its own: what ships imports no tests.
    command = [sys.executable, "-m", "tests.fuzzing", str(EXAMPLES), "coverage,fuzzing", "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for one in found:
        failures = "; ".join(one["failures"]) or "nothing"
        yield equals(f"{one['who']}: what the contract does not say", failures, "nothing")
    answers = [(int(status), count) for one in found for status, count in one["statuses"].items()]
    yield equals("answers of 500 and above", sum(count for status, count in answers if status >= 500), 0)
    yield at_least("made-up requests", sum(count for _, count in answers), MIN_REQUESTS)
