"""`bench.acceptance.judgement`: what its figures would catch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from bench.acceptance.judgement import kill_figures, storm_figures
from bench.live.judging_audit import Audit
from bench.live.judging_kills import MOMENTS, Told
from bench.live.judging_storm import StormPlan, StormSeen

AUDIT = Audit(receipts=3, retractions=1)
PLAN = StormPlan(clients=4)
STATUSES: Counter[tuple[str, int]] = Counter({("answer", 201): 9, ("undo", 200): 1, ("forbidden", 403): 2})
SEEN = StormSeen(STATUSES, audit=AUDIT)
TOLD = Told(kills=Counter(dict.fromkeys(MOMENTS, 2)), undone={("c", "a")}, audit=AUDIT)


def failed_storm(seen: StormSeen) -> list[str]:
    return [figure.name for figure in storm_figures("SQLite", PLAN, seen) if not figure.passed]


def failed_kills(told: Told) -> list[str]:
    return [figure.name for figure in kill_figures("SQLite", 10, told) if not figure.passed]


def test_good_runs_pass() -> None:
    assert failed_storm(SEEN) == []
    assert failed_kills(TOLD) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"hurried": 1}, "SQLite: answers that came before a look"),
        ({"statuses": STATUSES + Counter({("queue", 500): 1})}, "SQLite: replies of a broken service"),
        (
            {"statuses": STATUSES + Counter({("forbidden", 200): 1})},
            "SQLite: forbidden acts that were not refused",
        ),
        ({"statuses": Counter({("undo", 200): 1})}, "SQLite: answers taken"),
    ],
)
def test_what_goes_wrong_among_clients_is_told(changes: dict[str, Any], name: str) -> None:
    assert failed_storm(replace(SEEN, **changes)) == [name]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"forgotten": 1}, "SQLite: answers that were taken and forgotten"),
        ({"unconfirmed": 1}, "SQLite: two answers that confirmed nothing"),
        ({"confirmed_undone": 1}, "SQLite: confirmed although an answer was taken back"),
        ({"unretracted": 1}, "SQLite: retractions that were promised and forgotten"),
        ({"kills": Counter(dict.fromkeys(MOMENTS[1:], 2))}, "SQLite: kills around judgement"),
    ],
)
def test_what_a_kill_costs_is_told(changes: dict[str, Any], name: str) -> None:
    assert failed_kills(replace(TOLD, **changes)) == [name]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"unfounded": 1}, "confirmed without two people apart"),
        ({"lost": 1}, "confirmed and without a receipt"),
        ({"unsent": 1}, "receipts and retractions not in the stream"),
        ({"unknown": 1}, "entries of the stream that no record knows"),
        ({"unverified": 1}, "entries that do not verify"),
        ({"twice": 1}, "candidates confirmed twice"),
        ({"early": 1}, "retractions before their receipt"),
        ({"chain": "ledger entry 7 is missing"}, "what is wrong with the ledger"),
    ],
)
def test_what_records_and_stream_do_not_agree_on_is_told(changes: dict[str, Any], name: str) -> None:
    audit = replace(AUDIT, **changes)
    assert failed_storm(replace(SEEN, audit=audit)) == [f"SQLite: {name}"]
    assert failed_kills(replace(TOLD, audit=audit)) == [f"SQLite: {name}"]
