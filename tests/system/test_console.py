"""The operators' page in a real browser before a real service, from the login to the outcome."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect, sync_playwright

from tests.seeds import SUBJECT_NAME, WATCHLIST_NAME
from tests.system.console_desk import OWN_PASSWORD, Seat, Service, launch, running_service, seat

pytestmark = pytest.mark.system

CYRILLIC_D = (
    "() => document.dispatchEvent(new KeyboardEvent('keydown', {code: 'KeyD', key: 'в', bubbles: true}))"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path) as running:
        yield running


@pytest.fixture
def desk(browser: Browser, service: Service) -> Iterator[Seat]:
    """The first operator before a queue of one; nothing may be complained about by the end."""
    service.seeded.take_in(1)
    with seat(browser, service) as taken:
        taken.enter("aigul")
        yield taken
        assert taken.complaints == []


def _secrets(service: Service, candidate_id: str) -> tuple[str, ...]:
    first, second = service.seeded.subject_ids
    listed = (first, second, service.seeded.watchlist_id, candidate_id)
    return (*SUBJECT_NAME.split(), WATCHLIST_NAME, "0.71", "0,71", '"similarity":', '"threshold":', *listed)


def test_from_the_login_to_two_answers_and_an_outcome(browser: Browser, service: Service) -> None:
    candidate_id = service.seeded.take_in(1)
    secrets = _secrets(service, candidate_id)
    with seat(browser, service) as first, seat(browser, service) as second:
        for operator, name in ((first, "aigul"), (second, "daniyar")):
            operator.enter(name)
            operator.open_oldest()
            before = operator.everything()
            assert [secret for secret in secrets if secret in before] == []
            assert operator.page.title() == "Aiqyn"
        first.screenshot("before-an-answer")
        first.answer("1")
        first.screenshot("after-an-answer")
        told = first.page.inner_text("section.revealed")
        assert "Resembles the reference of" in told
        assert SUBJECT_NAME in told
        assert "another person's answer is awaited" in told
        # The scan above can see: the same scan finds the name once it may be there, and only with her.
        assert SUBJECT_NAME in first.everything()
        assert SUBJECT_NAME not in second.everything()
        second.answer("s")
        assert "confirmed by two people apart" in second.page.inner_text("section.revealed")
        first.page.keyboard.press("r")
        expect(first.page.locator("section.revealed")).to_contain_text("confirmed by two people apart")
        first.page.keyboard.press("Enter")
        first.page.wait_for_selector("section.empty")
        assert SUBJECT_NAME not in first.page.content()
        first.screenshot("empty-queue")
        assert first.complaints == second.complaints == []


def test_token_and_answers_are_stored_nowhere(desk: Seat) -> None:
    desk.open_oldest()
    desk.answer("2")
    stored = desk.page.evaluate(
        "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )
    assert stored == '[{},{},""]'
    assert desk.page.url == f"{desk.service.address}/"


def test_portraits_stand_side_by_side_at_the_same_scale(desk: Seat) -> None:
    desk.open_oldest()
    boxes = [picture.bounding_box() for picture in desk.page.locator(".portrait img").all()]
    probe, reference = boxes
    assert probe
    assert reference
    assert (probe["width"], probe["height"], probe["y"]) == (
        reference["width"],
        reference["height"],
        reference["y"],
    )
    assert probe["x"] + probe["width"] < reference["x"]


def test_frame_has_an_outline_around_the_face_and_nothing_written_on_it(desk: Seat) -> None:
    desk.open_oldest()
    outline = desk.page.locator(".frame > .picture svg")
    assert outline.locator("rect").count() == 2
    assert outline.text_content() == ""
    picture, face = (
        desk.page.locator(".frame img").bounding_box(),
        outline.locator("rect.over").bounding_box(),
    )
    assert picture
    assert face
    assert (face["x"] - picture["x"]) / picture["width"] == pytest.approx(300 / 640, abs=0.02)
    assert face["width"] / picture["width"] == pytest.approx(72 / 640, abs=0.02)


def test_keys_do_nothing_until_every_picture_is_shown(browser: Browser, service: Service) -> None:
    service.seeded.take_in(1)
    held: list[Route] = []
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.page.wait_for_selector("section.queue")
        taken.page.route("**/evidence/*", lambda route: held.append(route) if not held else route.continue_())
        taken.page.keyboard.press("n")
        taken.page.wait_for_selector("button.answer")
        for key in ("1", "s", "2", "d", "3", "c", "Enter", "n"):
            taken.page.keyboard.press(key)
        assert taken.page.locator("button.answer:enabled").count() == 0
        taken.page.wait_for_timeout(300)
        assert taken.judgements() == 0
        held[0].continue_()
        taken.wait_until_ready()
        taken.answer("2")
        assert taken.judgements() == 1


def test_a_held_or_repeated_key_is_one_answer(desk: Seat) -> None:
    desk.open_oldest()
    for _ in range(4):
        desk.page.keyboard.down("1")
    desk.page.keyboard.up("1")
    desk.page.keyboard.press("2")
    desk.page.wait_for_selector("section.revealed")
    assert desk.judgements() == 1
    assert "Same person" in desk.page.inner_text("section.revealed")


def test_keys_work_by_their_place_on_a_cyrillic_board(desk: Seat) -> None:
    desk.open_oldest()
    desk.page.evaluate(CYRILLIC_D)
    desk.page.wait_for_selector("section.revealed")
    assert "Different" in desk.page.inner_text("section.revealed")


def test_writing_a_reason_answers_nothing_and_the_reason_is_sent(desk: Seat) -> None:
    desk.open_oldest()
    sent: list[Request] = []
    desk.page.on(
        "request", lambda request: sent.append(request) if request.url.endswith("judgements") else None
    )
    desk.page.click("input[name=reason]")
    desk.page.keyboard.type("3 s d: the ears differ")
    desk.page.keyboard.press("Enter")
    assert sent == []
    desk.page.click("button.answer >> nth=1")
    desk.page.wait_for_selector("section.revealed")
    given = json.loads(sent[0].post_data or "{}")
    assert (given["answer"], given["reason"]) == ("different", "3 s d: the ears differ")
    assert set(given["assertion"]["response"]) == {"clientDataJSON", "authenticatorData", "signature"}


def test_an_answer_lost_on_the_way_is_sent_again_under_the_same_key(
    browser: Browser, service: Service
) -> None:
    service.seeded.take_in(1)
    keys: list[str | None] = []

    def lose_the_first_reply(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) == 1:
            route.fetch()  # it arrives; only the reply is lost
            route.abort()
        else:
            route.continue_()

    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.open_oldest()
        taken.page.route("**/judgements", lose_the_first_reply)
        taken.page.keyboard.press("1")
        again = taken.page.get_by_text("Send the same answer again")
        again.wait_for()
        assert SUBJECT_NAME not in taken.everything()
        taken.page.keyboard.press("2")  # no second thoughts: the answer stands
        taken.page.keyboard.press("Enter")
        taken.page.wait_for_selector("section.revealed")
        assert len(keys) == 2
        assert keys[0] == keys[1] is not None
        assert "Same person" in taken.page.inner_text("section.revealed")


def test_a_picture_that_cannot_be_shown_means_no_answer(browser: Browser, service: Service) -> None:
    service.seeded.take_in(1)
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.page.wait_for_selector("section.queue")
        taken.page.route("**/evidence/*", lambda route: route.fulfill(status=500))
        taken.page.keyboard.press("n")
        taken.page.get_by_role("button", name="Try again").wait_for()
        assert taken.page.locator("button.answer").count() == 0
        taken.page.keyboard.press("1")
        assert taken.judgements() == 0
        taken.page.unroute("**/evidence/*")
        taken.page.keyboard.press("Enter")
        taken.wait_until_ready()


def test_service_away_is_said_and_the_page_recovers(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.page.wait_for_selector("section.empty")
        taken.page.route("**/reviews?*", lambda route: route.abort())
        expect(taken.page.locator("#offline")).to_be_visible(timeout=10_000)
        taken.page.unroute("**/reviews?*")
        service.seeded.take_in(1)
        expect(taken.page.locator("section.queue")).to_be_visible(timeout=10_000)
        expect(taken.page.locator("#offline")).to_be_hidden()


def test_a_login_that_is_over_leads_back_to_the_door(desk: Seat, service: Service) -> None:
    desk.open_oldest()
    token = _token_of(desk.page)
    services = service.seeded.services
    services.logins.logout(services.logins.authenticate(token))
    desk.page.keyboard.press("1")
    desk.page.wait_for_selector("input[name=username]")
    assert "This login is over" in desk.page.inner_text("main")
    assert desk.page.locator("img").count() == 0
    desk.page.fill("input[name=username]", "aigul")
    desk.page.fill("input[name=password]", OWN_PASSWORD)
    desk.page.keyboard.press("Enter")
    desk.open_oldest()
    desk.complaints.clear()  # the browser reports the 401 itself


def _token_of(page: Page) -> str:
    """The token, caught from the next look at the queue."""
    with page.expect_request("**/reviews?*") as caught:
        pass
    return caught.value.headers["authorization"].removeprefix("Bearer ")


def test_wrong_password_and_wrong_role_are_said_plainly(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken:
        taken.page.goto(service.address)
        taken.page.fill("input[name=username]", "aigul")
        taken.page.fill("input[name=password]", "not her password")
        taken.page.keyboard.press("Enter")
        expect(
            taken.page.get_by_role("alert").filter(has_text="User name or password is wrong.")
        ).to_be_visible()
        taken.enter("saule")
        taken.page.get_by_text("This page is for operators").wait_for()
        assert not any("/reviews" in line for line in taken.asked)


def test_a_weak_or_unequal_password_is_refused_in_words(browser: Browser, service: Service) -> None:
    with seat(browser, service) as taken:
        taken.knock("aigul")
        taken.page.keyboard.press("Enter")
        taken.page.wait_for_selector("input[name=new]")
        for first, again, words in (
            ("short", "short", "at least 12 characters"),
            (OWN_PASSWORD, OWN_PASSWORD + "!", "not the same"),
            (service.one_time_password("aigul"), service.one_time_password("aigul"), "will not do"),
        ):
            taken.page.fill("input[name=new]", first)
            taken.page.fill("input[name=again]", again)
            taken.page.click("button[type=submit]")
            expect(taken.page.locator(".problem")).to_contain_text(words)
