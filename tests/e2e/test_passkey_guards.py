"""No confirmed match whose second answer nobody's own passkey was put to: each way tried, each guard missed once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests import unproved
from tests.api_client import Clients, FakeClock, Person
from tests.e2e.test_judgement_guards import SAME, assert_unconfirmed, take_a_candidate

Attempt = Callable[[Clients], None]
BreakGuard = Callable[[pytest.MonkeyPatch], None]


def half_confirmed(clients: Clients) -> str:
    """A review to which one person has properly said *same person*; whatever comes next would confirm it."""
    review_id = take_a_candidate(clients)
    assert clients.login("aigul").answer(review_id, SAME).status_code == 201
    return review_id


def a_password_alone(clients: Clients) -> None:
    review_id = half_confirmed(clients)
    clients.login("daniyar").post(f"/reviews/{review_id}/judgements", {"answer": SAME})


def the_passkey_of_another(clients: Clients) -> None:
    """The first judge signs for the second as well, over what the second was asked."""
    review_id = half_confirmed(clients)
    other = clients.login("daniyar")
    asked = other.ask(review_id, {"answer": SAME}).json()["options"]
    assertion = sign_with_any(clients.login("aigul"), asked["rpId"], asked["challenge"])
    other.post(f"/reviews/{review_id}/judgements", {"answer": SAME, "assertion": assertion})


def an_assertion_for_another_review(clients: Clients) -> None:
    """She did say *same person*, but of somebody else; whoever has her token sends that again."""
    clients.seeded.take_in(2, face=9)
    other = clients.login("daniyar")
    (elsewhere,) = other.queue()
    body = other.prepared(elsewhere["review_id"], SAME)
    assert other.post(f"/reviews/{elsewhere['review_id']}/judgements", body).status_code == 201
    review_id = take_a_candidate_besides(clients, elsewhere["review_id"])
    assert clients.login("aigul").answer(review_id, SAME).status_code == 201
    other.post(f"/reviews/{review_id}/judgements", body)


def take_a_candidate_besides(clients: Clients, review_id: str) -> str:
    clients.seeded.take_in()
    return next(
        str(item["review_id"]) for item in clients.login("marat").queue() if item["review_id"] != review_id
    )


def an_assertion_over_another_answer(clients: Clients) -> None:
    """She signs *different*; what arrives says *same person*."""
    review_id = half_confirmed(clients)
    other = clients.login("daniyar")
    body = other.prepared(review_id, "different")
    other.post(f"/reviews/{review_id}/judgements", body | {"answer": SAME})


def two_people_in_one_browser(clients: Clients) -> None:
    review_id = half_confirmed(clients)
    shared = clients.login("daniyar", device=clients.login("aigul").device)
    shared.answer(review_id, SAME)


def sign_with_any(person: Person, rp_id: str, challenge: str) -> dict[str, object]:
    (credential_id,) = person.authenticator._keys
    return person.authenticator.sign(credential_id, rp_id, challenge)


def any_review_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    unproved.any_statement_will_do(monkeypatch)
    unproved.signed_any_number_of_times(monkeypatch)


BROKEN: list[tuple[Attempt, BreakGuard]] = [
    (a_password_alone, unproved.nothing_is_asked_for),
    (the_passkey_of_another, unproved.anybodys_passkey_will_do),
    (an_assertion_for_another_review, any_review_will_do),
    (an_assertion_over_another_answer, unproved.any_statement_will_do),
    (two_people_in_one_browser, unproved.one_browser_is_enough),
]


@pytest.mark.parametrize("attempt", [attempt for attempt, _ in BROKEN])
def test_no_confirmed_match(clients: Clients, attempt: Attempt) -> None:
    attempt(clients)
    assert_unconfirmed(clients)


@pytest.mark.parametrize(("attempt", "break_guard"), BROKEN)
def test_a_build_without_the_guard_is_caught(
    unguarded: Clients, monkeypatch: pytest.MonkeyPatch, attempt: Attempt, break_guard: BreakGuard
) -> None:
    break_guard(monkeypatch)
    attempt(unguarded)
    with pytest.raises(AssertionError):
        assert_unconfirmed(unguarded)


@pytest.mark.parametrize(
    ("attempt", "break_guard"),
    [item for item in BROKEN if item[0] in (a_password_alone, two_people_in_one_browser)],
)
def test_the_database_holds_where_the_code_does_not(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, attempt: Attempt, break_guard: BreakGuard
) -> None:
    break_guard(monkeypatch)
    attempt(clients)
    assert_unconfirmed(clients)


def assert_no_receipt_of_one_browser(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where two answers from one browser got into the tables, no receipt is made of them."""
    with clients.seeded.services.database.engine.begin() as connection:
        connection.execute(text("DROP INDEX uq_judgements_candidate_id_device_id"))
    unproved.one_browser_is_enough(monkeypatch)
    two_people_in_one_browser(clients)
    with pytest.raises(AssertionError):
        assert_unconfirmed(clients)
    services = clients.seeded.services
    clock = services.desk._clock
    assert isinstance(clock, FakeClock)
    clock.forward(seconds=services.settings.policy.hold.total_seconds() + 1)
    with pytest.raises(DBAPIError, match="a passkey, a browser and a login each"):
        services.hold_clock.run_once()


def test_the_database_takes_no_receipt_of_one_browser(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_no_receipt_of_one_browser(clients, monkeypatch)
