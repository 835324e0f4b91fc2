"""The short versions of lines 1 and 6 of issue 4: many clients at once, the service killed, sequences on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from aiqyn.embedded.redis_server import RedisServer
from api.review.cases import Role
from bench.acceptance.judgement import clients, killed, on_postgres
from bench.acceptance.lines import Figure
from bench.live.judging_storm import StormPlan
from tests.api_client import Clients
from tests.desk_sequences import LONG, SETTINGS, bench, sequences
from tests.redis_server import find_kind
from tests.seeds import add_account, seed
from tests.unit.api import test_complaints as complaints
from tests.unit.api import test_outcomes as outcomes
from tests.unit.api.test_clockwork import judged_same

pytestmark = pytest.mark.system

JUDGED_AGAIN = """
    INSERT INTO judgements (judgement_id, candidate_id, account_id, session_id, round, answer, answered_at,
        authenticator, device_id, statement, statement_sha256, assertion)
    SELECT 'j', x.candidate_id, j.account_id, j.session_id, 0, 'same_person', x.ordered_at,
        j.authenticator, j.device_id, j.statement, 'another', j.assertion
    FROM reexaminations x JOIN judgements j ON j.candidate_id = x.original_id
"""
PLAN = StormPlan(clients=40, operators=6, candidates=20, seconds=5.0)


def failed(figures: Iterable[Figure]) -> list[str]:
    return [f"{one.name}: {one.value} ({one.target})" for one in figures if not one.passed]


def redis() -> RedisServer:
    server = find_kind("7")
    assert isinstance(server, RedisServer), server
    return server


def test_many_clients_at_once_on_sqlite() -> None:
    assert failed(clients("SQLite", {}, PLAN, redis())) == []


def test_many_clients_at_once_on_postgresql(url: str) -> None:
    assert failed(clients("PostgreSQL", on_postgres(url), PLAN, redis())) == []


def test_what_the_service_said_it_did_it_did_however_often_it_is_killed() -> None:
    assert failed(killed("SQLite", {}, 10, redis())) == []


def test_and_on_postgresql(url: str) -> None:
    assert failed(killed("PostgreSQL", on_postgres(url), 5, redis())) == []


def test_no_long_sequence_on_sqlite_confirms_without_two_people_apart(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        run_state_machine_as_test(sequences(made), settings=LONG)


def test_no_sequence_on_postgresql_confirms_without_two_people_apart(tmp_path: Path, url: str) -> None:
    with bench(tmp_path, database_url=url) as made:
        run_state_machine_as_test(sequences(made), settings=SETTINGS)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM judgement_withdrawals", "append-only"),
        ("UPDATE retractions SET reason = 'x'", "append-only"),
        ("TRUNCATE contact_outcomes", "append-only"),
        ("DELETE FROM complaints", "append-only"),
        ("UPDATE complaints SET answer = 'x'", "answered complaint"),
        (
            "INSERT INTO judgement_withdrawals SELECT judgement_id, account_id, NULL, answered_at FROM judgements",
            "before there is a receipt",
        ),
        (
            "INSERT INTO receipts SELECT 'r', candidate_id, 'jws', ordered_at, ordered_at FROM reexaminations",
            "two people",
        ),
        (
            JUDGED_AGAIN,
            "have not judged it before",
        ),
    ],
)
def test_what_comes_after_a_match_on_postgresql(url: str, tmp_path: Path, statement: str, words: str) -> None:
    """A confirmed match, a complaint two fresh judges bear out, and what the database itself refuses."""
    seeded = seed(tmp_path, database_url=url, policy=complaints.POLICY)
    services = seeded.services
    seeded.one_time_passwords["zarina"] = add_account(services, "zarina", Role.OPERATOR)
    clients = Clients(seeded)
    try:
        candidate_id = judged_same(clients)
        assert services.hold_clock.run_once() == 1
        saule = clients.login("saule")
        complaint = complaints.filed(saule, candidate_id=candidate_id)
        complaints.looked_at_again(clients, "same_person", "different")
        assert complaints.answered(saule, complaint, "upheld").status_code == 200
        assert outcomes.report(saule, candidate_id, "false_alert").status_code == 201
        assert saule.get(f"/candidates/{candidate_id}/retraction").status_code == 200
        _undone(clients)
        with pytest.raises(DBAPIError, match=words), services.database.write() as session:
            session.execute(text(statement))
    finally:
        clients.close()


def _undone(clients: Clients) -> None:
    """An answer to another candidate, taken back."""
    clients.seeded.take_in(2)
    person = clients.login("aigul")
    review_id = person.queue()[0]["review_id"]
    assert person.answer(review_id, "same_person").status_code == 201
    assert person.post(f"/reviews/{review_id}/undo", {}).json()["result"] == "undone"
