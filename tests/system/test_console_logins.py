"""The page stays logged in by itself, and lets people in whom an identity provider knows; in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from sqlalchemy import select, update

from api.oidc_provider import OidcSettings
from api.store.models import Account, LoginSession
from pipelines.events import utc_now
from tests.oidc_site import CLIENT_ID, CLIENT_SECRET, Site, running_provider
from tests.system.console_desk import Seat, Service, launch, running_service, seat

pytestmark = pytest.mark.system

SUBJECT = "00u-aigul"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "provider"
    folder.mkdir()
    with running_provider(folder) as running:
        yield running


@pytest.fixture
def service(tmp_path: Path, site: Site) -> Iterator[Service]:
    def settings(address: str) -> dict[str, OidcSettings]:
        return {"oidc": OidcSettings(site.issuer, CLIENT_ID, CLIENT_SECRET, f"{address}/", "City hall")}

    with running_service(tmp_path / "service", settings=settings) as running:
        with running.seeded.services.database.write() as session:
            account = session.scalars(select(Account).where(Account.username == "aigul")).one()
            account.oidc_subject = SUBJECT
        yield running


def leave(desk: Seat) -> None:
    """Goes from the page to the provider's, which asks for a style sheet elsewhere: nothing leaves this machine."""
    desk.page.route(re.compile(r"^https?://(?!localhost|127\.0\.0\.1)"), lambda route: route.abort())
    desk.page.goto(desk.service.address)
    desk.page.get_by_role("button", name="Log in with City hall").click()


def test_a_token_that_is_over_is_refreshed_once_and_nobody_notices(
    browser: Browser, service: Service
) -> None:
    with seat(browser, service) as desk:
        desk.enter("aigul")
        desk.page.wait_for_selector("section.empty")
        with service.seeded.services.database.write() as session:
            session.execute(update(LoginSession).values(expires_at=utc_now() - timedelta(seconds=1)))
        service.seeded.take_in(1)
        desk.page.wait_for_selector("section.queue", timeout=20_000)
        desk.open_oldest()
        assert len([line for line in desk.asked if line.endswith("/auth/refresh")]) == 1
        assert desk.page.locator("#account .username").inner_text() == "aigul"


def test_whom_the_provider_knows_is_in_without_a_password(browser: Browser, service: Service) -> None:
    with seat(browser, service, leaves=True) as desk:
        leave(desk)
        desk.page.locator("input[name=sub]").fill(SUBJECT)
        desk.page.locator("input[name=sub]").press("Enter")
        expect(desk.page.locator("#account .username")).to_have_text("aigul")
        assert desk.page.url == f"{service.address}/"
        assert desk.page.evaluate("() => sessionStorage.length") == 0


def test_whom_nobody_knows_is_told_so(browser: Browser, service: Service) -> None:
    with seat(browser, service, leaves=True) as desk:
        leave(desk)
        desk.page.locator("input[name=sub]").fill("somebody")
        desk.page.locator("input[name=sub]").press("Enter")
        expect(desk.page.locator("section.entrance")).to_contain_text("belongs to no account")
        assert desk.page.url == f"{service.address}/"


def test_a_code_that_came_without_a_login_begun_here_gives_nothing(
    browser: Browser, service: Service
) -> None:
    with seat(browser, service) as desk:
        desk.page.goto(f"{service.address}/?code=made-up&state={'x' * 43}")
        expect(desk.page.locator("section.entrance")).to_contain_text("belongs to no account")
        assert not [line for line in desk.asked if "oidc/finish" in line]
