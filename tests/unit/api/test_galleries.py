"""`api.galleries`: what is revoked is on its way at once, without looking at everything all the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiqyn.enrolment import ListTerms, enrol_list
from api.galleries import ROUND_SECONDS, GalleryService
from api.ledger.chain import Happening
from api.service_parts import GALLERY_CHECK_SECONDS
from api.services import Services
from api.store.ledger import LedgerRepository
from api.store.models import Deployment, Subject
from tests.api_client import FakeClock
from tests.enrolment_bench import PERCEPTION, Shelf, shelved
from tests.unit.aiqyn.conftest import folder, services, terms
from tests.waiting import wait_until

__all__ = ["folder", "services", "terms"]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def galleries(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock, shelf: Shelf
) -> GalleryService:
    enrol_list(services, PERCEPTION, folder, terms)
    made = shelved(services, shelf, clock)
    assert made.watch_once() == 1
    return made


def end_deployment(services: Services, clock: FakeClock) -> None:
    """As whatever ends one does: in one transaction with its entry in the ledger."""
    with services.database.write() as session:
        session.get_one(Deployment, "d1").ends_at = clock()
        happening = Happening("deployment_ended", clock(), "tests", "deployment:d1", {})
        LedgerRepository(session).append(happening)


def test_an_ended_deployment_is_withdrawn_at_the_next_look(
    services: Services, galleries: GalleryService, shelf: Shelf, clock: FakeClock
) -> None:
    end_deployment(services, clock)
    assert galleries.watch_once() == 1
    assert shelf.withdrawn == [("d1", "w1")]
    assert galleries.watch_once() == 0
    assert GALLERY_CHECK_SECONDS <= 0.3


def test_one_that_ended_while_the_service_was_away_is_withdrawn_too(
    services: Services, galleries: GalleryService, clock: FakeClock
) -> None:
    end_deployment(services, clock)
    after_restart = Shelf()
    assert shelved(services, after_restart, clock).watch_once() == 0
    assert after_restart.withdrawn == [("d1", "w1")]


def test_a_deployment_that_runs_is_never_withdrawn(galleries: GalleryService, shelf: Shelf) -> None:
    for _ in range(3):
        galleries.run_once()
    assert shelf.withdrawn == []


def test_where_nothing_happened_nothing_is_looked_at(
    services: Services,
    galleries: GalleryService,
    shelf: Shelf,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rounds: list[int] = []
    real = galleries.run_once

    def counted() -> int:
        rounds.append(1)
        return real()

    monkeypatch.setattr(galleries, "run_once", counted)
    galleries.watch_once()  # publishing was no happening, making the version was one
    before = len(rounds)
    galleries.watch_once()
    with services.database.write() as session:
        LedgerRepository(session).append(Happening("judged", clock(), "tests", "review:x", {}))
    galleries.watch_once()  # judges at work are no news for a list
    assert len(rounds) == before
    with services.database.write() as session:
        session.query(Subject).first().removed_at = clock()  # type: ignore[union-attr]
        LedgerRepository(session).append(Happening("entry_removed", clock(), "tests", "subject:x", {}))
    assert galleries.watch_once() == 1
    assert shelf.published[-1].version == 2


def test_what_changed_by_the_clock_alone_is_seen_within_a_second(
    services: Services, galleries: GalleryService, shelf: Shelf, clock: FakeClock
) -> None:
    galleries.watch_once()  # what the fixture did is seen
    with services.database.write() as session:
        session.query(Subject).first().removed_at = clock()  # type: ignore[union-attr]
    wait_until(lambda: galleries.watch_once() == 1, seconds=2 * ROUND_SECONDS + 3)
    assert shelf.published[-1].version == 2
