"""Line 5 of issue 4: fifty operators over a million candidates, on both databases, beside an empty store."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench import api
from bench.acceptance.lines import Figure, at_least, at_most, equals

MAX_QUEUE_MS = 30.0
MAX_JUDGEMENT_MS = 50.0
MAX_RATIO = 2.0
MIN_INGEST = 500.0
SHARE_ASKED = 0.9
"""Of what fifty clients come to which ask for something every second."""

SHARE_MEASURED = 0.7
"""Of a third of that, of pages and of judgements each: who finds that two others have opened a review asks for another
page, and has nothing to answer that time."""


def measure(plan: api.ApiPlan | None = None) -> Iterator[Figure]:
    """The figures of the line; clients, service and database share the cores of this machine.

    Args:
        plan: what is done; what the issue asks for where None.
    """
    plan = plan or api.ApiPlan()
    yield Figure("processors shared by clients, service and database", api.cores(), "told", passed=True)
    for found in api.measure(_say, plan):
        yield from _of_database(found, plan)


def _of_database(found: api.DatabaseFigures, plan: api.ApiPlan) -> Iterator[Figure]:
    name, full, empty = found.database, found.full, found.empty
    yield at_least(f"{name}: candidates stored", full.candidates, plan.candidates)
    yield at_most(f"{name}: queue page p95, ms", full.queue_p95_ms, MAX_QUEUE_MS)
    yield at_most(f"{name}: times that of an empty store", round(found.queue_ratio, 2), MAX_RATIO)
    yield at_most(f"{name}: judgement p95, ms", full.judgement_p95_ms, MAX_JUDGEMENT_MS)
    yield at_most(f"{name}: times that of an empty store ", round(found.judgement_ratio, 2), MAX_RATIO)
    for words, store in (("full", full), ("empty", empty)):
        yield equals(f"{name}, {words}: pages and reviews refused", sum(store.refused.values()), 0)
        yield equals(f"{name}, {words}: judgements refused", sum(store.not_taken.values()), 0)
        seconds = plan.operators * plan.seconds * plan.rounds
        yield at_least(f"{name}, {words}: asked and answered", store.asked, round(SHARE_ASKED * seconds))
        wanted = SHARE_MEASURED * seconds / 3
        yield at_least(f"{name}, {words}: queue pages measured", store.pages, round(wanted))
        yield at_least(f"{name}, {words}: judgements measured", store.judgements, round(wanted))
    yield at_least(f"{name}: candidates taken in a second", full.ingest_per_second, MIN_INGEST)


def _say(text: str) -> None:
    sys.stderr.write(f"{text} …\n")
