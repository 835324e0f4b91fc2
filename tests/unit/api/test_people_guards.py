"""Builds without a guard of accounts, rights or logins are caught by the tests of that guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import true

from api import approvals, throttle
from api.review.scopes import Scope
from api.store import candidates, queue
from api.store.logins import LoginRepository
from api.throttle import LoginThrottle
from tests.api_client import Clients, FakeClock
from tests.throttled import assert_many_at_once_are_counted
from tests.unit.api.test_approvals import decide, make
from tests.unit.api.test_logins import assert_one_of_two_refreshes_is_let_through
from tests.unit.api.test_rights import assert_rights_limit_the_queue, give, group

Check = Callable[[Clients], None]


def second_person(clients: Clients) -> None:
    root = clients.login("root")
    _, made = make(root)
    assert decide(root, made["account_id"]) == (403, "second_person")


def many_at_once(clients: Clients) -> None:
    assert_many_at_once_are_counted(LoginThrottle(clients.seeded.services.database, FakeClock()))


def judging_within_rights(clients: Clients) -> None:
    clients.seeded.take_in()
    root, aigul = clients.login("root"), clients.login("aigul")
    review_id = aigul.queue()[0]["review_id"]
    group(root, "elsewhere", "other")
    assert give(root, aigul, {"camera_group_id": "elsewhere"})[0] == 200
    assert aigul.answer(review_id, "different").status_code == 404


def unfiltered(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (queue, candidates):
        monkeypatch.setattr(place, "within", lambda *_: true())
    monkeypatch.setattr(
        queue, "_OPEN_FOR", queue.open_for_anybody()
    )  # statements of before are not used again


def used_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    real = LoginRepository.refreshable

    def forgetful(self: LoginRepository, token_sha256: str) -> Any:
        found = real(self, token_sha256)
        if found is not None:
            found[0].used_at = None
        return found

    monkeypatch.setattr(LoginRepository, "refreshable", forgetful)


def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_count", lambda *_: None)


def limitless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scope, "allows", lambda *_: True)


def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks is let decide: the database still refuses, with another answer."""
    monkeypatch.setattr(approvals, "is_second_person", lambda *_: True)


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        (assert_rights_limit_the_queue, unfiltered),
        (judging_within_rights, limitless),
        (assert_one_of_two_refreshes_is_let_through, used_for_ever),
        (many_at_once, uncounted),
        (second_person, alone),
    ],
)
def test_a_build_without_the_guard_is_caught(
    clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
    check: Check,
    broken: Callable[[pytest.MonkeyPatch], None],
) -> None:
    broken(monkeypatch)
    with pytest.raises(AssertionError):
        check(clients)


def test_even_then_nobody_approves_what_she_asked_for(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(monkeypatch)
    root = clients.login("root")
    _, made = make(root)
    assert decide(root, made["account_id"])[0] == 409
    assert root.get(f"/accounts/{made['account_id']}").json()["standing"] == "pending"
