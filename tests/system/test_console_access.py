"""The page for everybody: axe, keyboard, languages, narrow and control-room screens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.system.console_desk import PASSKEY_BUTTON, Seat, Service, launch, running_service, seat

pytestmark = pytest.mark.system

LANGUAGES = ("kk", "ru", "en")
LOCALES = Path(__file__).parents[2] / "api" / "console" / "static" / "locales"
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as running:
        for track_id in range(1, 7):
            running.seeded.take_in(track_id, face=track_id)
        yield running


@pytest.fixture(scope="module")
def desk(browser: Browser, service: Service) -> Iterator[Seat]:
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.page.wait_for_selector("section.queue")
        yield taken


def violations(page: Page) -> list[str]:
    """What axe finds: rule, impact and place; every rule it has, best practices included."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:120]}" for one in found]


def test_axe_would_see_a_violation(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content("<main><img src='data:,'><button></button></main>")
    assert any("image-alt" in line for line in violations(page))
    page.close()


def test_axe_finds_nothing_on_the_way_in(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken:
        taken.page.goto(service.address)
        taken.page.wait_for_selector("input[name=username]")
        assert violations(taken.page) == []
        taken.page.fill("input[name=username]", "saule")
        taken.page.fill("input[name=password]", "wrong")
        taken.page.keyboard.press("Enter")
        taken.page.wait_for_selector(".problem:not(:empty)")
        assert violations(taken.page) == []
        taken.page.fill("input[name=password]", service.one_time_password("saule"))
        taken.page.keyboard.press("Enter")
        taken.page.get_by_role("button", name=PASSKEY_BUTTON).wait_for()
        assert violations(taken.page) == []
        taken.page.get_by_role("button", name="Go on without one").click()
        taken.page.wait_for_selector("input[name=new]")
        assert violations(taken.page) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_at_the_desk_in_any_language(desk: Seat, language: str) -> None:
    desk.page.click(f"button[lang={language}]")
    assert violations(desk.page) == []
    desk.open_oldest()
    assert violations(desk.page) == []
    desk.screenshot(f"review-{language}")
    desk.page.keyboard.press("z")
    desk.page.wait_for_selector("dialog[open] img")
    assert violations(desk.page) == []
    desk.page.keyboard.press("Escape")
    desk.answer("3")
    assert violations(desk.page) == []
    desk.screenshot(f"revealed-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_on_the_screen_is_translated(desk: Seat, language: str) -> None:
    desk.page.click(f"button[lang={language}]")
    desk.page.wait_for_selector(f"html[lang={language}]")
    words = json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))
    shown = desk.page.inner_text("body")
    assert words["queue.waiting"].partition("{")[0] in shown
    assert [key for key in words if key in shown.split()] == []


def test_everything_needed_fits_a_control_room_screen(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken:
        taken.enter("daniyar")
        for language in LANGUAGES:
            taken.page.click(f"button[lang={language}]")
            taken.open_oldest()
            assert taken.page.evaluate(FITS)
            assert _bottom(taken.page, "section.answers") <= 800, language
            taken.answer("1")
            assert _bottom(taken.page, "section.revealed") <= 800, language


def test_narrow_screens_lose_nothing(browser: Browser, service: Service) -> None:
    with seat(browser, service, size_wh=(360, 740)) as taken:
        taken.enter("marat")
        taken.open_oldest()
        for width in (360, 768):
            taken.page.set_viewport_size({"width": width, "height": 740})
            assert taken.page.evaluate(FITS)
            assert taken.page.locator(".portrait img.seen").count() == 2
            assert _bottom(taken.page, "button.answer >> nth=2") <= 740
            taken.screenshot(f"narrow-{width}")


def _bottom(page: Page, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    assert box
    return box["y"] + box["height"]
