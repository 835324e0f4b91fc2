"""When somebody was there, and how far two runs are apart."""

from __future__ import annotations

import pytest

from pipelines.findings import ObjectSeen
from pipelines.presence import Presence, PresenceLog, largest_difference_seconds


def seen(track_id: int, label: str = "person") -> ObjectSeen:
    return ObjectSeen((0.0, 0.0, 10.0, 20.0), 0.9, label, track_id)


def log_of(*sights: tuple[float, int]) -> PresenceLog:
    log = PresenceLog()
    for pts_seconds, track_id in sights:
        log.see([seen(track_id)], pts_seconds)
    return log


@pytest.mark.parametrize(
    ("sights", "intervals"),
    [
        ((), ()),
        (((1.0, 1), (2.0, 1)), ((1.0, 2.0),)),
        (((1.0, 1), (60.0, 1)), ((1.0, 60.0),)),  # one track, held meanwhile
        (((1.0, 1), (2.0, 1), (2.9, 2), (4.0, 2)), ((1.0, 4.0),)),  # a shorter absence is none
        (((1.0, 1), (2.0, 1), (3.1, 2), (4.0, 2)), ((1.0, 2.0), (3.1, 4.0))),
        (((1.0, 1), (1.0, 2), (9.0, 1), (3.0, 2)), ((1.0, 9.0),)),  # one within another
    ],
    ids=["nobody", "one", "held", "bridged", "two", "nested"],
)
def test_tracks_become_intervals(
    sights: tuple[tuple[float, int], ...], intervals: tuple[tuple[float, float], ...]
) -> None:
    assert log_of(*sights).intervals() == tuple(Presence(*ends) for ends in intervals)


def test_cars_are_nobody() -> None:
    log = PresenceLog()
    log.see([seen(1, "car")], 1.0)
    assert log.intervals() == ()


def test_runs_are_compared_by_the_ends_of_their_intervals() -> None:
    one = (Presence(1.0, 2.0), Presence(5.0, 9.0))
    assert largest_difference_seconds(one, one) == 0
    assert largest_difference_seconds(one, (Presence(1.0, 2.4), Presence(4.2, 9.0))) == pytest.approx(0.8)
    assert largest_difference_seconds(one, one[:1]) is None
    assert largest_difference_seconds((), ()) == 0


def test_a_margin_widens_an_interval() -> None:
    assert Presence(1.0, 2.0).holds(2.0)
    assert not Presence(1.0, 2.0).holds(2.5)
    assert Presence(1.0, 2.0).holds(2.5, 0.5)
