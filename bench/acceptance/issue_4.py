"""Issue 4, judgements, people, lists and store: its numbered lines."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.acceptance import api_speed, blindness, judgement, lists, passkeys, people
from bench.acceptance.lines import Figure, Line


def _imported() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="aiqyn-") as folder:
        yield from lists.measure(Path(folder))


LINES = (
    Line(1, "No confirmation without two: sequences, and 200 clients", judgement.measure),
    Line(2, "The contract fuzzed; every route and role", people.measure),
    Line(3, "Blindness as an experiment", blindness.measure),
    Line(4, "A judgement is signed, or refused", passkeys.measure),
    Line(5, "Speed with a million candidates", api_speed.measure),
    Line(6, "Killed around judgement, hold, outbox and retraction", judgement.measure_kills),
    Line(7, "An import of 5,000 rows", _imported),
)
