"""Requests, decisions and imports on PostgreSQL: the same tests as on SQLite, over the same routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.galleries import GalleryService
from tests.api_client import Clients, FakeClock
from tests.enrolment_bench import Shelf
from tests.lists_bench import clients_with_reader
from tests.seeds import seed
from tests.unit.aiqyn.roster import test_run as imports
from tests.unit.api import test_list_deployments as deployments
from tests.unit.api import test_list_entries as entries
from tests.unit.api import test_list_requests as requests

pytestmark = pytest.mark.system


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def clients(url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Clients]:
    made = clients_with_reader(seed(tmp_path, clock=clock, database_url=url))
    yield made
    made.close()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def galleries(clients: Clients, shelf: Shelf, clock: FakeClock) -> GalleryService:
    services = clients.seeded.services
    return GalleryService(services.database, services.records, services.keys, clock, shelf)


@pytest.mark.parametrize(
    "the_same",
    [
        requests.test_nobody_decides_her_own_request_whatever_role_she_gets,
        requests.test_whoever_approves_has_seen_what_was_found,
        requests.test_a_refusal_destroys_what_was_sealed,
        entries.test_a_full_list_counts_what_is_asked_for,
        entries.test_lists_and_entries_are_shown_to_whoever_answers_for_them,
        requests.test_the_same_request_twice_is_one,
        requests.test_the_database_itself_takes_nothing_without_two_people,
        deployments.test_pages_of_deployments_and_requests,
    ],
)
def test_requests(clients: Clients, the_same: Callable[[Clients], None]) -> None:
    the_same(clients)


def test_what_is_approved_is_searched(clients: Clients, galleries: GalleryService, shelf: Shelf) -> None:
    requests.test_what_a_second_person_approves_is_searched_and_nothing_before(clients, galleries, shelf)


def test_minors(clients: Clients, galleries: GalleryService, shelf: Shelf, clock: FakeClock) -> None:
    entries.test_a_minor_is_listed_for_a_shorter_time_and_searched_where_the_list_allows_it(
        clients, galleries, shelf, clock
    )


def test_renewals(clients: Clients, clock: FakeClock) -> None:
    entries.test_whoever_renewed_an_entry_never_judges_it(clients, clock)


def test_deployments(clients: Clients, galleries: GalleryService, shelf: Shelf, clock: FakeClock) -> None:
    deployments.test_nothing_is_searched_before_somebody_else_approves(clients, galleries, shelf, clock)


def test_imports(clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imports.test_what_fails_half_way_leaves_nothing(imports.Bench(clients, tmp_path), monkeypatch)
    monkeypatch.undo()


def test_an_import_from_end_to_end(clients: Clients, tmp_path: Path) -> None:
    imports.test_a_sound_table_becomes_requests_that_whoever_it_names_decides(
        imports.Bench(clients, tmp_path)
    )
