"""The records on PostgreSQL: the same schema, the same refusals, and a judgement from end to end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.ledger.chain import Happening, check_chain
from api.retention import KINDS
from api.review.policies import ReviewPolicy
from api.review.scopes import Right, Scope
from api.store.asking import Asking
from api.store.engine import _TRUSTED_SECONDS, Database, open_engine
from api.store.ledger import LedgerRepository
from api.store.migrate import current_revision, migrate, newest_revision
from api.store.models import Base, CandidateRecord
from api.store.open import open_database
from api.store.queue import QueueRepository
from api.store.statistics import By
from api.throttle import LoginThrottle
from pipelines.events import Alternative
from tests import chains
from tests.api_client import Clients, FakeChance, FakeClock
from tests.migrated_people import assert_old_accounts_keep_their_rights_and_log_in_again
from tests.seeds import add_control, seed
from tests.throttled import assert_many_at_once_are_counted
from tests.unit.api import test_retention as retention
from tests.unit.api.test_approvals import assert_the_database_wants_a_second_person
from tests.unit.api.test_logins import assert_one_of_two_refreshes_is_let_through
from tests.unit.api.test_rights import assert_rights_limit_the_queue
from tests.unit.api.test_withdrawal import (
    assert_claim_and_withdrawal_exclude_each_other,
    assert_listing_and_withdrawal_exclude_each_other,
)

pytestmark = pytest.mark.system

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = open_database(url)
    yield made
    made.close()


def append(database: Database, kind: str) -> None:
    with database.write() as session:
        LedgerRepository(session).append(Happening(kind, NOON, "tester", "thing:1", {"n": 1}))


def test_migrations_make_the_tables_of_the_models(database: Database) -> None:
    assert current_revision(database.engine) == newest_revision() == migrate(database.engine)
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE ledger SET kind = 'x'", "DELETE FROM ledger", "TRUNCATE ledger"]
)
def test_the_ledger_cannot_be_rewritten(database: Database, statement: str) -> None:
    append(database, "one")
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text(statement))


@pytest.fixture
def databases(url: str) -> Iterator[tuple[Database, Database]]:
    with chains.two_processes(url) as made:
        yield made


def test_entries_of_many_writers_at_once_form_one_chain(databases: tuple[Database, Database]) -> None:
    chains.assert_many_of_every_kind_form_one_chain(*databases)


def test_what_other_processes_append_is_noticed(databases: tuple[Database, Database]) -> None:
    chains.assert_what_others_append_is_noticed(*databases)


def test_what_is_undone_leaves_no_entry(database: Database) -> None:
    chains.assert_what_is_undone_leaves_nothing(database)


def test_two_judgements_confirm_a_candidate(url: str, tmp_path: Path) -> None:
    clients = Clients(seed(tmp_path, database_url=url))
    try:
        candidate_id = clients.seeded.take_in()
        for username in ("aigul", "daniyar"):
            person = clients.login(username)
            assert person.answer(person.queue()[0]["review_id"], "same_person").status_code == 201
        assert clients.seeded.services.hold_clock.run_once() == 1
        with clients.seeded.services.database.read() as session:
            assert session.get_one(CandidateRecord, candidate_id).state == "confirmed"
            assert check_chain(LedgerRepository(session).page(0, 1000))
    finally:
        clients.close()


def test_a_claim_and_a_withdrawal_at_once_exclude_each_other(url: str, tmp_path: Path) -> None:
    clients = Clients(seed(tmp_path, database_url=url))
    try:
        assert_claim_and_withdrawal_exclude_each_other(clients)
    finally:
        clients.close()


def test_held_evidence_outlasts_its_time_and_the_rest_does_not(url: str, tmp_path: Path) -> None:
    clock = FakeClock()
    seeded = seed(tmp_path, clock=clock, retention=retention.POLICY, usernames=("saule",), database_url=url)
    try:
        held, other = retention.candidate(seeded, 1), retention.candidate(seeded, 2)
        retention.hold(seeded, held)
        clock.forward(days=300)
        retention.sweep(seeded)
        assert retention.left(seeded, held) == set(KINDS)
        assert retention.left(seeded, other) == set()
    finally:
        seeded.services.close()


def test_accounts_of_before_keep_their_rights_and_log_in_again(url: str) -> None:
    engine = open_engine(url)
    assert_old_accounts_keep_their_rights_and_log_in_again(engine, FakeClock())
    engine.dispose()


def test_two_who_bring_the_same_refresh_token_end_the_login(url: str, tmp_path: Path) -> None:
    clients = Clients(seed(tmp_path, database_url=url))
    try:
        assert_one_of_two_refreshes_is_let_through(clients)
    finally:
        clients.close()


def test_attempts_at_the_same_moment_are_all_counted(database: Database) -> None:
    assert_many_at_once_are_counted(LoginThrottle(database, FakeClock()))


def test_rights_limit_the_queue(url: str, tmp_path: Path) -> None:
    clients = Clients(seed(tmp_path, database_url=url))
    try:
        assert_rights_limit_the_queue(clients)
    finally:
        clients.close()


def test_a_second_person_is_wanted_by_the_database_itself(url: str, tmp_path: Path) -> None:
    clients = Clients(seed(tmp_path, database_url=url))
    try:
        assert_the_database_wants_a_second_person(clients)
    finally:
        clients.close()


def test_a_listing_and_a_withdrawal_at_once_exclude_each_other(url: str, tmp_path: Path) -> None:
    clients = Clients(seed(tmp_path, database_url=url))
    try:
        assert_listing_and_withdrawal_exclude_each_other(clients)
    finally:
        clients.close()


@pytest.mark.parametrize("by", list(By))
def test_statistics_count_the_same(url: str, tmp_path: Path, by: By) -> None:
    clock = FakeClock()
    clients = Clients(seed(tmp_path, database_url=url, clock=clock))
    try:
        people = [clients.login(name) for name in ("aigul", "daniyar")]
        for number in range(6):
            clients.seeded.take_in(number + 1)
            for person in people:
                assert person.answer(person.queue()[0]["review_id"], "same_person").status_code == 201
        clients.seeded.services.hold_clock.run_once()
        clock.forward(seconds=1)
        total = clients.seeded.services.statistics.read("test", None, None, by).total.counts
        wanted = {"answers": 12, "pairs": 12} if by is By.OPERATOR else {"confirmed": 6, "pairs": 6}
        assert {name: total[name] for name in wanted} == wanted
    finally:
        clients.close()


def test_shifts_duty_and_controls_work_the_same(url: str, tmp_path: Path) -> None:
    clock, policy = FakeClock(), ReviewPolicy(hold=timedelta(0), control_share=1.0, second_judge_share=1.0)
    clients = Clients(seed(tmp_path, database_url=url, clock=clock, chance=FakeChance(0.0), policy=policy))
    try:
        services = clients.seeded.services
        people = [clients.login(name) for name in ("aigul", "daniyar")]
        services.duty.run_once()
        clock.forward(seconds=60)
        assert services.duty.run_once() == 1
        assert people[0].post("/shifts").status_code == people[1].post("/shifts").status_code == 201
        assert people[0].post("/shifts").status_code == 409
        assert services.duty.run_once() == 1
        other = Alternative(subject_id=clients.seeded.subject_ids[1], similarity=0.1)
        clients.seeded.take_in(1, alternatives=(other,))
        for person in people:
            assert person.answer(person.queue()[0]["review_id"], "different").status_code == 201
        assert services.control_sources.run_once() == 1
        add_control(clients.seeded)
        clients.seeded.take_in(2)
        clock.forward(seconds=1)
        assert len(people[0].queue()) == 2
        assert clients.login("saule").get("/controls/results").json()["all"]["answered"] == 0
        assert people[0].post("/shifts/current/end", {}).status_code == 200
    finally:
        clients.close()


def end_all_connections(database: Database) -> None:
    """As a restart of the server does."""
    with database.engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        connection.invalidate()


def test_a_server_that_was_restarted_meanwhile_is_no_reason_to_fail(database: Database) -> None:
    for _ in range(2):
        with (
            database.look() as one,
            database.look() as other,
            database.read() as third,
            database.write() as last,
        ):
            assert [session.scalar(text("SELECT 1")) for session in (one, other, third, last)] == [1] * 4
        end_all_connections(database)
        time.sleep(_TRUSTED_SECONDS + 0.1)


def test_a_connection_is_not_asked_before_each_use_whether_its_server_is_there(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(database.looks.dialect, "do_ping", asked.append)
    for _ in range(3):
        with database.look() as session:
            session.scalar(text("SELECT 1"))
    assert asked == []
    time.sleep(_TRUSTED_SECONDS + 0.1)
    with database.look() as session:
        session.scalar(text("SELECT 1"))
    assert len(asked) == 1


def test_the_queues_plan_is_made_once_and_not_for_every_page(database: Database) -> None:
    """The server notices that one plan is as good for any moment and any operator; fifty pages, a handful of plans."""
    asking = Asking("acc_1", "somebody", Scope((Right(),)), "device")
    with database.look() as session:
        for number in range(50):
            QueueRepository(session).open_for(asking, NOON + timedelta(seconds=number), None, 21)
        plans = session.execute(
            text(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements "
                "WHERE statement LIKE 'SELECT reviews.review_id, reviews.queued_at%'"
            )
        ).one()
    assert plans.custom_plans <= 5
    assert plans.generic_plans >= 35
