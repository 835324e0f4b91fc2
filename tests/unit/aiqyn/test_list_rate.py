"""A list's own wanted rate: set at enrolment, carried to the workers, logged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aiqyn.enrolment import ListTerms, enrol_list
from api.review.errors import RecordError
from api.services import Services
from api.store.ledger import LedgerRepository
from tests.api_client import FakeClock
from tests.enrolment_bench import PERCEPTION, Shelf, shelved


def published_rates(services: Services, clock: FakeClock) -> list[float]:
    shelf = Shelf()
    shelved(services, shelf, clock).run_once()
    return [package.false_alerts_per_1000_faces for package in shelf.published]


def test_a_list_without_a_rate_has_the_settings(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    enrol_list(services, PERCEPTION, folder, terms)
    assert published_rates(services, clock) == [1.0]


def test_a_lists_own_rate_reaches_the_worker_and_stays(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    first = enrol_list(services, PERCEPTION, folder, replace(terms, false_alerts_per_1000_faces=0.25))
    assert published_rates(services, clock) == [0.25]
    again = enrol_list(services, PERCEPTION, folder, terms)
    assert again.gallery_version == first.gallery_version
    assert published_rates(services, clock) == [0.25]


def test_a_new_rate_is_a_new_version_for_every_deployment_and_is_logged(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    first = enrol_list(services, PERCEPTION, folder, terms)
    services.records.want_rate(first.watchlist_id, 5.0)
    services.records.want_rate(first.watchlist_id, 5.0)
    assert published_rates(services, clock) == [5.0]
    with services.database.read() as session:
        kinds = [entry.kind for entry in LedgerRepository(session).page(0, 100)]
    assert kinds.count("watchlist_rate_wanted") == 1


@pytest.mark.parametrize("rate", [0.0, -1.0, 1000.5, float("nan")])
def test_refuses_a_rate_that_is_none(services: Services, folder: Path, terms: ListTerms, rate: float) -> None:
    done = enrol_list(services, PERCEPTION, folder, terms)
    with pytest.raises(RecordError, match="above 0 and at most 1000"):
        services.records.want_rate(done.watchlist_id, rate)


def test_refuses_a_list_there_is_not(services: Services) -> None:
    with pytest.raises(RecordError, match="no watchlist missing"):
        services.records.want_rate("missing", 1.0)
