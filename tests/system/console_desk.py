"""A real service on drawn people, and a real browser in front of it: what the tests of the page share."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, Page, Playwright, Response

from api.app import create_app
from api.relying_party import RelyingParty
from api.review.policies import ReviewPolicy
from tests.seeds import Seeded, seed

BROWSER_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OWN_PASSWORD = "seven storks over the steppe"  # of drawn people in a folder that is thrown away
SCREENSHOTS = Path(__file__).parents[2] / "out" / "console"
OPERATORS = ("aigul", "daniyar", "marat")
PASSKEY_BUTTON = "Register a passkey"
KEY_RING = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
"""Chromium's own virtual authenticator, with somebody before it whom it recognises."""


@dataclass(repr=False)
class Service:
    """A service that listens, and what is in it."""

    address: str
    seeded: Seeded

    def one_time_password(self, username: str) -> str:
        """The first password of an account."""
        return self.seeded.one_time_passwords[username]


@contextmanager
def running_service(
    folder: Path,
    policy: ReviewPolicy | None = None,
    *,
    settings: Callable[[str], dict[str, Any]] | None = None,
    **fixed: Any,
) -> Iterator[Service]:
    """A service over a fresh folder, reached over TCP; its threads run.

    Args:
        folder: empty.
        policy: of judging.
        settings: further settings, by the service's address.
        fixed: further settings.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    address = (
        f"http://localhost:{listener.getsockname()[1]}"  # passkeys are made for names, not for addresses
    )
    further = {"party": RelyingParty(address)} | (settings(address) if settings else {})
    names = (*OPERATORS, "saule")
    seeded = seed(folder, policy=policy, usernames=names, run_background=True, **further, **fixed)
    config = uvicorn.Config(create_app(seeded.services), log_level="error", ws="none", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        _wait_until(lambda: server.started)
        yield Service(address, seeded)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()


def launch(playwright: Playwright) -> Browser:
    """The machine's own Chromium."""
    program = shutil.which("chromium")
    assert program, "the package chromium is not installed: see deploy/test-system.sh"
    return playwright.chromium.launch(executable_path=program, args=list(BROWSER_FLAGS))


class KeyRing:
    """A virtual authenticator in one browser window."""

    def __init__(self, page: Page) -> None:
        self._protocol = page.context.new_cdp_session(page)
        self._protocol.send("WebAuthn.enable")
        added = self._protocol.send("WebAuthn.addVirtualAuthenticator", {"options": KEY_RING})
        self._id = added["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        """What it holds, private keys and all."""
        held = self._protocol.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        return list(held["credentials"])

    def replace(self, credential: dict[str, Any]) -> None:
        """Exchanges all it holds for one credential."""
        self._protocol.send("WebAuthn.clearCredentials", {"authenticatorId": self._id})
        held = {"authenticatorId": self._id, "credential": credential}
        self._protocol.send("WebAuthn.addCredential", held)

    def recognise(self, *, user: bool) -> None:
        """Whether it recognises who is before it from now on."""
        seen = {"authenticatorId": self._id, "isUserVerified": user}
        self._protocol.send("WebAuthn.setUserVerified", seen)


@dataclass(repr=False)
class Seat:
    """One operator at one browser window of her own.

    Attributes:
        page: her window.
        heard: every text the service sent to it, with its address.
        asked: every request it made: method and address.
        complaints: what the browser's console or a script complained about.
        key_ring: her authenticator, over the browser's own protocol.
    """

    page: Page
    service: Service
    key_ring: KeyRing
    heard: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def enter(self, username: str) -> None:
        """Opens the page, logs in, registers a passkey and replaces the one-time password, by keyboard alone."""
        self.knock(username)
        page = self.page
        page.keyboard.press("Enter")
        page.wait_for_selector("input[name=new]")
        page.keyboard.type(OWN_PASSWORD)
        page.keyboard.press("Tab")
        page.keyboard.type(OWN_PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector("#account .username")

    def enter_again(self, username: str) -> None:
        """Logs in with her own password."""
        self.page.fill("input[name=username]", username)
        self.page.fill("input[name=password]", OWN_PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#account .username")

    def knock(self, username: str) -> None:
        """Opens the page and logs in with the one-time password: she is asked for a passkey."""
        page = self.page
        page.goto(self.service.address)
        page.wait_for_selector("input[name=username]")
        page.keyboard.type(username)
        page.keyboard.press("Tab")
        page.keyboard.type(self.service.one_time_password(username))
        page.keyboard.press("Enter")
        page.get_by_role("button", name=PASSKEY_BUTTON).wait_for()

    def open_oldest(self) -> None:
        """From the queue to the oldest review, with every picture on the screen."""
        self.page.wait_for_selector("section.queue, section.revealed")
        self.page.keyboard.press("n")
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until an answer may be given."""
        self.page.wait_for_selector("button.answer:enabled")

    def answer(self, key: str) -> None:
        """Presses a key and waits for what follows."""
        self.page.keyboard.press(key)
        self.page.wait_for_selector("section.revealed")

    def everything(self) -> str:
        """All a curious operator could read: DOM, title, address, storage, and all the network said."""
        stored = self.page.evaluate(
            "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, history.length,"
            " document.title, location.href])"
        )
        return "\n".join([self.page.content(), stored, *self.heard])

    def judgements(self) -> int:
        """Answers that were sent."""
        return sum(line.startswith("POST") and line.endswith("/judgements") for line in self.asked)

    def screenshot(self, name: str) -> Path:
        """Writes out/console/NAME.png, which git ignores."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


@contextmanager
def seat(
    browser: Browser,
    service: Service,
    *,
    size_wh: tuple[int, int] = (1280, 800),
    locale: str = "en-GB",
    leaves: bool = False,
) -> Iterator[Seat]:
    """A window of its own, without anything of another's.

    Args:
        browser: gives it.
        service: whose page.
        size_wh: of the window, pixels.
        locale: of the browser.
        leaves: whether it goes to other pages: what it heard before is gone then, and nothing is written down.
    """
    width, height = size_wh
    context = browser.new_context(viewport={"width": width, "height": height}, locale=locale)
    page = context.new_page()
    taken = Seat(page, service, KeyRing(page))
    page.on("request", lambda request: taken.asked.append(f"{request.method} {request.url}"))
    if not leaves:
        page.on("response", lambda response: taken.heard.append(_text_of(response)))
    page.on("pageerror", lambda error: taken.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            taken.complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    try:
        yield taken
    finally:
        context.close()


def _text_of(response: Response) -> str:
    kind = response.headers.get("content-type", "")
    body = "" if kind.startswith(("image/", "video/")) or response.status == 204 else response.text()
    return f"{response.url} {response.headers} {body}"


def _wait_until(done: object, seconds: float = 20) -> None:
    assert callable(done)
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "the service did not start"
        time.sleep(0.02)
