"""Proofs of judgements on PostgreSQL: every refusal, and what the database refuses where the code does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from api.review.policies import ReviewPolicy
from api.store.engine import open_engine
from tests import unproved
from tests.api_client import Clients, FakeChance, FakeClock
from tests.e2e import test_passkey_guards as guards
from tests.e2e.test_judgement_guards import assert_unconfirmed
from tests.seeds import seed
from tests.unit.api import test_proofs as proofs
from tests.unit.api.store.test_migration_of_proofs import assert_old_judgements_stay

pytestmark = pytest.mark.system


@pytest.fixture
def clients(url: str, tmp_path: Path) -> Iterator[Clients]:
    """A service over that database."""
    policy = ReviewPolicy(hold=timedelta(0), control_share=0.0)
    made = Clients(seed(tmp_path, policy=policy, clock=FakeClock(), chance=FakeChance(), database_url=url))
    yield made
    made.close()


@pytest.mark.parametrize(("attempt", "status", "code"), proofs.REFUSED)
def test_what_proves_nothing_is_refused(
    clients: Clients, attempt: Callable[[proofs.Try], tuple[int, str]], status: int, code: str
) -> None:
    proofs.assert_refused(clients, attempt, status, code)


@pytest.mark.parametrize(
    ("attempt", "break_guard"),
    [
        (guards.a_password_alone, unproved.nothing_is_asked_for),
        (guards.two_people_in_one_browser, unproved.one_browser_is_enough),
    ],
)
def test_the_database_holds_where_the_code_does_not(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, attempt: guards.Attempt, break_guard: guards.BreakGuard
) -> None:
    break_guard(monkeypatch)
    attempt(clients)
    assert_unconfirmed(clients)


def test_the_database_takes_no_receipt_of_one_browser(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    guards.assert_no_receipt_of_one_browser(clients, monkeypatch)


@pytest.mark.parametrize("column", proofs.PROOF_COLUMNS)
def test_the_database_takes_no_judgement_without_its_proof(clients: Clients, column: str) -> None:
    proofs.assert_no_judgement_without(clients, column)


def test_old_judgements_stay(url: str) -> None:
    engine = open_engine(url)
    assert_old_judgements_stay(engine)
    engine.dispose()
