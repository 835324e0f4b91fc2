"""Judging in Chromium with its virtual authenticator: only the judge's own passkey, over just this answer, once.

Requests are changed between page and service, as somebody with her password, or with a browser of his own, could.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect, sync_playwright
from sqlalchemy import select

from api.ledger.assertions import Assertion, verify_assertion
from api.review.statement import statement_digest
from api.store.models import JudgementRecord, LedgerEntry, Passkey
from tests.system.console_desk import Seat, Service, launch, running_service, seat

pytestmark = pytest.mark.system

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path) as running:
        running.seeded.take_in(1)
        yield running


def answers(service: Service) -> list[JudgementRecord]:
    with service.seeded.services.database.read() as session:
        return list(session.scalars(select(JudgementRecord)))


def denials(service: Service) -> list[str]:
    with service.seeded.services.database.read() as session:
        rows = session.scalars(select(LedgerEntry.document).where(LedgerEntry.kind == "denied"))
        return [json.loads(row)["detail"]["code"] for row in rows]


def on_the_way(taken: Seat, change: Change) -> None:
    """Changes every answer between page and service."""

    def tamper(route: Route) -> None:
        body = json.loads(route.request.post_data or "{}")
        change(body)
        route.continue_(post_data=json.dumps(body))

    taken.page.route("**/judgements", tamper)


def assert_refused(taken: Seat, service: Service, key: str, code: str) -> None:
    """The answer does not count, she is told in words, and the ledger says why."""
    taken.page.keyboard.press(key)
    taken.page.get_by_text("Send the same answer again").wait_for()
    assert answers(service) == []
    assert denials(service) == [code]


def test_an_answer_is_signed_by_the_browsers_authenticator(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.open_oldest()
        taken.answer("1")
        assert taken.complaints == []
    (row,) = answers(service)
    assert row.statement
    assert row.assertion
    assert row.authenticator
    with service.seeded.services.database.read() as session:
        passkey = session.get_one(Passkey, row.authenticator)
    digest = statement_digest(row.statement)
    verify_assertion(
        Assertion(**row.assertion),
        digest,
        passkey.public_key,
        rp_id="localhost",
        origins=(service.address,),
    )
    assert json.loads(row.statement)["answer"] == "same_person"


def test_a_password_alone_answers_nothing(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.open_oldest()
        on_the_way(taken, lambda body: body.pop("assertion"))
        assert_refused(taken, service, "1", "passkey_required")


def test_anothers_passkey_answers_nothing(browser: Browser, service: Service) -> None:
    """His key, in her browser, under the name of hers: the page and the browser notice nothing."""
    with seat(browser, service) as taken, seat(browser, service) as other:
        taken.enter("aigul")
        other.enter("daniyar")
        (hers,), (his,) = taken.key_ring.credentials(), other.key_ring.credentials()
        taken.open_oldest()
        taken.key_ring.replace(his | {"credentialId": hers["credentialId"], "signCount": 99})
        assert_refused(taken, service, "1", "assertion_invalid")


def test_anothers_passkey_under_its_own_name_answers_nothing(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken, seat(browser, service) as other:
        taken.enter("aigul")
        other.enter("daniyar")
        (his,) = other.key_ring.credentials()
        his_id = his["credentialId"].rstrip("=").replace("+", "-").replace("/", "_")
        taken.open_oldest()
        on_the_way(taken, lambda body: body["assertion"].update(id=his_id))
        assert_refused(taken, service, "1", "passkey_unknown")


def test_an_assertion_is_good_once(browser: Browser, service: Service) -> None:
    service.seeded.take_in(2, face=9)
    signed: list[dict[str, Any]] = []
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.open_oldest()
        on_the_way(taken, lambda body: signed.append(dict(body)))
        taken.answer("1")
        taken.page.unroute("**/judgements")
        taken.page.keyboard.press("n")
        taken.wait_until_ready()
        on_the_way(taken, lambda body: body.update(signed[0]))
        taken.page.keyboard.press("1")
        expect(taken.page.locator(".answers .state")).to_contain_text("took too long")
    assert len(answers(service)) == 1
    assert denials(service) == ["challenge_over"]


def test_an_answer_other_than_the_signed_one_is_none(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.open_oldest()
        on_the_way(taken, lambda body: body.update(answer="same_person"))
        assert_refused(taken, service, "2", "other_statement")


def test_who_is_not_recognised_answers_nothing_and_may_try_again(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.open_oldest()
        taken.key_ring.recognise(user=False)
        taken.page.keyboard.press("1")
        expect(taken.page.locator(".answers .state")).to_contain_text("The passkey was not used")
        assert (answers(service), taken.judgements()) == ([], 0)
        taken.key_ring.recognise(user=True)
        taken.answer("2")
    assert [row.answer for row in answers(service)] == ["different"]


def test_one_browser_does_not_judge_twice(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.open_oldest()
        taken.answer("1")
        taken.page.get_by_role("button", name="Log out").click()
        taken.enter("daniyar")
        taken.page.wait_for_selector("section.empty")
        marks = [one for one in taken.page.context.cookies() if one["name"] == "aiqyn_device"]
        assert [(one["httpOnly"], one["sameSite"]) for one in marks] == [(True, "Strict")]
    with seat(browser, service) as elsewhere:
        elsewhere.page.goto(service.address)
        elsewhere.enter_again("daniyar")
        elsewhere.page.wait_for_selector("section.queue")


def test_an_operator_who_goes_on_without_is_told_what_to_do(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken:
        taken.knock("aigul")
        taken.page.get_by_role("button", name="Go on without one").click()
        for name in ("new", "again"):
            taken.page.fill(f"input[name={name}]", "seven storks over the steppe")
        taken.page.click("button[type=submit]")
        expect(taken.page.locator(".problem")).to_contain_text("Operators need a passkey")
