"""No confirmed match without two people who judged apart: one test per guard, and each guard missed once.

Every attempt is made through HTTP and ends with `assert_unconfirmed`. For each there is a build that lacks
the guard, to show that the same attempt, checked by the same assertion, is then caught.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi import Request
from sqlalchemy import func, select, text

from api.review import guards, machine
from api.review.cases import Case, Judge, Judgement, State
from api.review.errors import AlreadyJudgedError
from api.store import candidates as candidate_store
from api.store.models import Account, CandidateRecord, OutboxEvent, Receipt
from tests import unproved
from tests.api_client import Clients, FakeClock

SAME = "same_person"

OF_NOBODY = (
    "passkey_id",
    "session_id",
    "account_id",
    "camera_group_id",
    "subject_id",
    "reference_id",
    "watchlist_id",
    "deployment_id",
    "request_id",
    "import_id",
)
"""Parameters the walk makes up: what ends a list, a deployment or a judge would leave nothing to walk around."""


def assert_unconfirmed(clients: Clients) -> None:
    """Nothing is confirmed, held to be confirmed, receipted or on its way out; not after the hold either."""
    services = clients.seeded.services
    assert _states(clients) & {"confirmed", "confirmed_held"} == set()
    clock = services.desk._clock
    assert isinstance(clock, FakeClock)
    clock.forward(seconds=services.settings.policy.hold.total_seconds() + 1)
    assert services.hold_clock.run_once() == 0
    assert _states(clients) & {"confirmed", "confirmed_held"} == set()
    with services.database.read() as session:
        for table in (OutboxEvent, Receipt):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def _states(clients: Clients) -> set[str]:
    with clients.seeded.services.database.read() as session:
        return set(session.scalars(select(CandidateRecord.state)))


def take_a_candidate(clients: Clients) -> str:
    clients.seeded.take_in()
    return str(clients.login("marat").queue()[0]["review_id"])


# The attempts.


def one_operator_alone(clients: Clients) -> None:
    clients.login("aigul").answer(take_a_candidate(clients), SAME)


def the_same_operator_twice(clients: Clients) -> None:
    review_id = take_a_candidate(clients)
    person = clients.login("aigul")
    for _ in range(3):
        person.answer(review_id, SAME)


def two_sessions_of_one_operator(clients: Clients) -> None:
    review_id = take_a_candidate(clients)
    tabs = [clients.login("aigul"), clients.login("aigul")]
    assert tabs[0].token != tabs[1].token
    for tab in tabs:
        tab.answer(review_id, SAME)


def a_replayed_request(clients: Clients) -> None:
    review_id = take_a_candidate(clients)
    person = clients.login("aigul")
    body = person.prepared(review_id, SAME)
    for _ in range(3):
        response = person.post(f"/reviews/{review_id}/judgements", body, key="captured-off-the-wire")
        assert response.status_code in {201, 409}


def a_judge_who_saw_the_name(clients: Clients) -> None:
    """She looked at the candidate as a supervisor and became an operator afterwards."""
    review_id = take_a_candidate(clients)
    supervisor = clients.login("saule")
    assert supervisor.get("/candidates").json()["items"][0]["name"]
    _change_role(clients, "saule", "operator")
    clients.login("aigul").answer(review_id, SAME)
    clients.login("saule").answer(review_id, SAME)


def a_judge_who_asked_for_the_entry(clients: Clients) -> None:
    review_id = take_a_candidate(clients)
    with clients.seeded.services.database.write() as session:
        session.execute(text("UPDATE subjects SET authorised_by_key = 'daniyar'"))
    clients.login("aigul").answer(review_id, SAME)
    clients.login("daniyar").answer(review_id, SAME)


def others_than_operators(clients: Clients) -> None:
    review_id = take_a_candidate(clients)
    clients.login("aigul").answer(review_id, SAME)
    for username in ("saule", "erlan", "root"):
        clients.login(username).answer(review_id, SAME)


def an_operator_after_the_end(clients: Clients) -> None:
    review_id = take_a_candidate(clients)
    clients.login("aigul").answer(review_id, "cannot_tell")
    for username in ("daniyar", "marat"):
        clients.login(username).answer(review_id, SAME)


def an_answer_taken_back(clients: Clients) -> None:
    review_id = take_a_candidate(clients)
    person = clients.login("aigul")
    person.answer(review_id, SAME)
    assert person.post(f"/reviews/{review_id}/undo", {}).json()["result"] == "undone"
    clients.login("daniyar").answer(review_id, SAME)


def _change_role(clients: Clients, username: str, role: str) -> None:
    with clients.seeded.services.database.write() as session:
        session.scalars(select(Account).where(Account.username == username)).one().role = role


Attempt = Callable[[Clients], None]

ATTEMPTS: list[Attempt] = [
    one_operator_alone,
    the_same_operator_twice,
    two_sessions_of_one_operator,
    a_replayed_request,
    a_judge_who_saw_the_name,
    a_judge_who_asked_for_the_entry,
    others_than_operators,
    an_operator_after_the_end,
    an_answer_taken_back,
]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_confirmed_match(clients: Clients, attempt: Attempt) -> None:
    attempt(clients)
    assert_unconfirmed(clients)


def test_two_people_apart_do_confirm(clients: Clients) -> None:
    """Else all the above would hold for a service that confirms nothing at all."""
    review_id = take_a_candidate(clients)
    for username in ("aigul", "daniyar"):
        assert clients.login(username).answer(review_id, SAME).status_code == 201
    with pytest.raises(AssertionError):
        assert_unconfirmed(clients)


# The same attempts on builds that lack a guard.


def no_limit_per_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for guard in ("check_first_answer", "check_apart"):
        monkeypatch.setattr(guards, guard, lambda _case, _judge: None)
    monkeypatch.setattr(machine, "has_judged", lambda _case, _judgement: False)
    monkeypatch.setattr(machine, "shared_means", lambda _one, _other: None)


def a_limit_per_session_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def same_session(case: Case, judge: Judge | Judgement) -> bool:
        return any(judge.session_id == earlier.session_id for earlier in case.judgements)

    def check(case: Case, judge: Judge) -> None:
        if same_session(case, judge):
            raise AlreadyJudgedError("already")

    no_limit_per_account(monkeypatch)
    monkeypatch.setattr(guards, "check_first_answer", check)
    monkeypatch.setattr(machine, "has_judged", same_session)


def one_judge_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "JUDGES_NEEDED", 1)


def replays_are_new_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    no_limit_per_account(monkeypatch)
    monkeypatch.setattr("api.desk.replayed", lambda _session, _request: None)
    monkeypatch.setattr("api.desk.keep_result", lambda *_: None)
    unproved.signed_any_number_of_times(monkeypatch)


def involvement_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "check_uninvolved", lambda _judge, _involvement: None)


def any_role_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "check_role", lambda _role: None)
    monkeypatch.setattr("api.deps.check_role", lambda _principal, _roles: None)


def the_ended_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "JUDGEABLE", frozenset(State))
    monkeypatch.setattr(
        machine,
        "_after",
        lambda case, *_: State.CONFIRMED_HELD if len(case.judgements) > 2 else State.INCONCLUSIVE,
    )


def an_undo_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    as_it_was = candidate_store._judgement
    monkeypatch.setattr(candidate_store, "_judgement", lambda row: replace(as_it_was(row), withdrawn_at=None))


BROKEN: list[tuple[Attempt, Callable[[pytest.MonkeyPatch], None]]] = [
    (one_operator_alone, one_judge_is_enough),
    (the_same_operator_twice, no_limit_per_account),
    (two_sessions_of_one_operator, a_limit_per_session_only),
    (a_replayed_request, replays_are_new_requests),
    (a_judge_who_saw_the_name, involvement_is_forgotten),
    (a_judge_who_asked_for_the_entry, involvement_is_forgotten),
    (others_than_operators, any_role_judges),
    (an_operator_after_the_end, the_ended_is_open),
    (an_answer_taken_back, an_undo_is_forgotten),
]


@pytest.mark.system  # takes its time
@pytest.mark.parametrize(("attempt", "break_guard"), BROKEN)
def test_a_build_without_the_guard_is_caught(
    unguarded: Clients,
    monkeypatch: pytest.MonkeyPatch,
    attempt: Attempt,
    break_guard: Callable[[pytest.MonkeyPatch], None],
) -> None:
    break_guard(monkeypatch)
    attempt(unguarded)
    with pytest.raises(AssertionError):
        assert_unconfirmed(unguarded)


@pytest.mark.parametrize("attempt", [the_same_operator_twice, two_sessions_of_one_operator])
def test_the_database_holds_where_the_code_does_not(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, attempt: Attempt
) -> None:
    no_limit_per_account(monkeypatch)
    attempt(clients)
    assert_unconfirmed(clients)


def test_the_database_takes_no_receipt_without_two_people(clients: Clients) -> None:
    """Whoever could write into the tables still could not make a confirmed match out of one answer."""
    one_operator_alone(clients)
    with clients.seeded.services.database.read() as session:
        candidate_id = session.scalars(select(CandidateRecord.candidate_id)).one()
    forged = {"c": candidate_id, "t": "2026-01-01 00:00:00"}
    for statement in (
        "INSERT INTO outbox VALUES ('o', :c, 'aiqyn.confirmed/1', '{}', :t, NULL, 0)",
        "INSERT INTO receipts VALUES ('r', :c, 'x.y.z', :t, :t)",
    ):
        with (
            pytest.raises(Exception, match="two people"),
            clients.seeded.services.database.engine.begin() as connection,
        ):
            connection.execute(text(statement), forged)
    assert_unconfirmed(clients)


# Every route.

BODIES: tuple[dict[str, Any], ...] = (
    {"answer": SAME},
    {"action": "rejudge", "reason": "look again"},
    {"action": "reject", "reason": "no"},
    {"action": "confirm", "reason": "yes"},
    {"state": "confirmed"},
    {"outcome": "true_alert"},
    {"outcome": "not_upheld", "answer": "no"},
    {"reason_code": "technical_fault", "reason": "why"},
    {},
)


def walk_every_route(clients: Clients, *, leaving_out: str = "") -> int:
    """Every route with every role on candidates in every state that waits; returns requests made."""
    people = _people_of_every_role(clients)
    ids = _waiting_candidates(clients)
    made = 0
    paths = clients.http.app.openapi()["paths"]  # type: ignore[attr-defined]
    for path in sorted(paths, key=lambda one: one.endswith("/undo")):  # else nothing waits for the others
        methods = paths[path]
        if leaving_out and path.endswith(leaving_out):
            continue
        for method in methods:
            for person in people:
                for filled in {_fill(path, one) for one in ids}:
                    for body in BODIES if method != "get" else BODIES[:1]:
                        if "/auth/" not in path:
                            _send(clients, person, method, filled, body, made)
                            made += 1
    return made


def _people_of_every_role(clients: Clients) -> list[str | None]:
    """Tokens; the operator among them has answered everything already."""
    names = ("aigul", "saule", "erlan", "root")
    return [None, "not-a-token", *(clients.login(name).token for name in names)]


def _waiting_candidates(clients: Clients) -> list[dict[str, str]]:
    first, second = clients.login("aigul"), clients.login("daniyar")
    for track_id in (1, 2):
        clients.seeded.take_in(track_id)
    answered, split = first.queue()
    for review in (answered, split):
        first.answer(review["review_id"], SAME)
    second.answer(split["review_id"], "different")
    found = []
    with clients.seeded.services.database.read() as session:
        for review in (answered, split):
            query = text("SELECT candidate_id FROM reviews WHERE review_id = :r")
            candidate_id = session.scalar(query, {"r": review["review_id"]})
            found.append(
                {
                    "review_id": review["review_id"],
                    "candidate_id": str(candidate_id),
                    "receipt_id": str(candidate_id),
                    "evidence_id": review["probe"]["evidence_id"],
                }
            )
    overseer = clients.login("saule")
    for one in found:
        held = overseer.post(f"/candidates/{one['candidate_id']}/holds", {"reason": "court order"})
        one |= {
            "hold_id": held.json()["hold_id"],
            "camera_id": "gate",
            "kind": "privacy_mask",
            "version": "1",
            **dict.fromkeys(OF_NOBODY, "of-nobody"),
        }
        filed = overseer.post("/complaints", {"candidate_id": one["candidate_id"]})
        one["complaint_id"] = filed.json()["complaint_id"]
    return found


def _fill(path: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"{path}: the walk knows no value for a parameter; give it one"
    return path


def _send(
    clients: Clients, token: str | None, method: str, path: str, body: dict[str, Any], number: int
) -> None:
    headers = {"Idempotency-Key": f"walk-{number:08d}"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    response = clients.http.request(
        method.upper(), path, json=body if method != "get" else None, headers=headers
    )
    assert response.status_code < 500 or path == "/ready", f"{method} {path}: {response.text}"


@pytest.mark.system  # takes its time
def test_no_route_skips_judgement(clients: Clients) -> None:
    assert walk_every_route(clients) > 100
    assert_unconfirmed(clients)


@pytest.mark.system  # takes its time
def test_a_route_that_skips_judgement_is_caught(unguarded: Clients) -> None:
    def confirm(candidate_id: str, request: Request) -> None:
        with request.app.state.services.database.write() as session:
            row = session.get_one(CandidateRecord, candidate_id)
            row.state, row.hold_until = "confirmed_held", row.created_at + timedelta(seconds=1)

    unguarded.http.app.add_api_route(  # type: ignore[attr-defined]
        "/api/v1/candidates/{candidate_id}/confirmation", confirm, methods=["POST"], status_code=204
    )
    routes = unguarded.http.app.router.routes  # type: ignore[attr-defined]
    routes.insert(0, routes.pop())  # before the page, which answers for every other address
    walk_every_route(unguarded, leaving_out="/undo")  # it would take the held confirmation back
    with pytest.raises(AssertionError):
        assert_unconfirmed(unguarded)
