"""Taking an answer back on the operators' page, and an answer that came too soon."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from sqlalchemy import select

from api.review.policies import ReviewPolicy
from api.store.models import CandidateRecord, JudgementWithdrawal
from tests.system.console_desk import Service, launch, running_service, seat

pytestmark = pytest.mark.system

POLICY = ReviewPolicy(hold=timedelta(minutes=5), control_share=0.0, minimum_look=timedelta(seconds=3))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path, POLICY) as running:
        running.seeded.take_in(1)
        yield running


def test_an_answer_too_soon_is_said_and_may_be_given_again_and_taken_back(
    browser: Browser, service: Service
) -> None:
    with seat(browser, service) as operator:
        operator.enter("aigul")
        operator.open_oldest()
        operator.page.keyboard.press("1")
        state = operator.page.locator(".answers .state")
        expect(state).to_contain_text("Look at the pictures a little longer")
        operator.page.wait_for_timeout(3100)
        operator.answer("1")
        operator.page.get_by_role("button", name="Take my answer back").click()
        said = operator.page.locator(".revealed .state")
        expect(said).to_contain_text("Your answer was taken back and counts for nothing")
        expect(operator.page.get_by_role("button", name="Take my answer back")).to_have_count(0)
    with service.seeded.services.database.read() as session:
        assert len(session.scalars(select(JudgementWithdrawal)).all()) == 1
        assert session.scalars(select(CandidateRecord.state)).one() == "open"
