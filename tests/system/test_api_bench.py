"""`aiqyn bench api` in small: real stores, services, clients and bus; its figures are looked at, not its speed."""

from __future__ import annotations

import pytest

from bench import api
from bench.acceptance import api_speed

pytestmark = pytest.mark.system

SMALL = api.ApiPlan(candidates=2_000, queue=400, operators=6, seconds=6, rounds=1, ingest=60)


def test_both_databases_are_measured_over_both_stores() -> None:
    figures = {figure.name: figure for figure in api_speed.measure(SMALL)}
    for database in api.DATABASES:
        assert figures[f"{database}: candidates stored"].value == SMALL.candidates
        for store in ("full", "empty"):
            assert figures[f"{database}, {store}: pages and reviews refused"].passed
            assert figures[f"{database}, {store}: judgements refused"].passed
            assert figures[f"{database}, {store}: queue pages measured"].value not in (0, None)
            assert figures[f"{database}, {store}: judgements measured"].value not in (0, None)
        assert figures[f"{database}: candidates taken in a second"].value
