"""`bench.acceptance.kills`: what its figures would catch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from bench.acceptance.kills import Account, KillPlan, figures, out_of_order

PLAN = KillPlan(worker_kills=2, intake_kills=1, service_kills=0, overflow=2)
GOOD = Account(
    spooled=set(range(1, 31)),
    refused={40, 41},
    unsure={31},
    worker_kills=2,
    intake_kills=Counter(before=1, after=1),
    lost_total=2,
    told_refusing=1,
    shown=dict.fromkeys(range(1, 32), 1),
    sent=[*range(1, 11), 9, 10, *range(11, 32)],
)


def failed(account: Account) -> list[str]:
    return [figure.name for figure in figures(PLAN, account) if not figure.passed]


def test_a_good_run_passes() -> None:
    assert failed(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"shown": dict.fromkeys(range(2, 32), 1)}, "spooled and not shown to the operator"),
        ({"shown": dict.fromkeys(range(1, 32), 1) | {7: 2}}, "shown more than once"),
        ({"shown": dict.fromkeys(range(1, 33), 1)}, "shown and never spooled"),
        ({"sent": [1, 3, 2]}, "first arrivals out of order"),
        ({"lost_total": 1}, "of them not counted by the spool"),
        ({"lost_total": 9}, "counted and not refused, by kills in between"),
        ({"refused": set(), "lost_total": 0}, "events that found no room"),
        ({"told_refusing": 0}, "times the log says that the spool began to refuse"),
        ({"worker_kills": 1}, "times the worker was killed"),
        ({"intake_kills": Counter(after=1)}, "times the service died between commit and ack"),
        ({"intake_kills": Counter(before=1)}, "times the service died right after an ack"),
        ({"service_kills": 1}, "times the service was killed at any moment"),
    ],
)
def test_each_fault_is_caught(changes: dict[str, Any], name: str) -> None:
    assert failed(replace(GOOD, **changes)) == [name]


def test_a_run_without_candidates_shows_nothing() -> None:
    assert "candidates spooled" in failed(replace(GOOD, spooled=set(), shown={}, sent=[], unsure=set()))


@pytest.mark.parametrize(
    ("sent", "late"), [([], 0), ([1, 2, 3], 0), ([1, 2, 1, 2, 3], 0), ([1, 3, 2], 1), ([3, 1, 2, 3], 2)]
)
def test_only_first_arrivals_have_an_order(sent: list[int], late: int) -> None:
    assert out_of_order(sent) == late
