"""What marks a browser: a long-lived random cookie that no script can read, of which only the SHA-256 is kept.

It gives no right to anything. It is there so that two answers to one candidate never come from one browser.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Annotated, Final

from fastapi import Depends, Request, Response

COOKIE: Final = "aiqyn_device"
PATH: Final = "/api/v1"
LIFETIME_SECONDS: Final = 400 * 86_400
"""As long as browsers keep a cookie; renewed at every login."""

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def new_device() -> str:
    """A mark for a browser that has none: 256 random bits."""
    return secrets.token_urlsafe(32)


def device_digest(mark: str) -> str:
    """What is kept of a mark. It is random and long, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(mark.encode()).hexdigest()


def mark_of(request: Request) -> str | None:
    """The mark a request came with; None where it has none, or one that was never given out."""
    mark = request.cookies.get(COOKIE, "")
    return mark if _WELL_FORMED.fullmatch(mark) else None


async def device_id(request: Request) -> str | None:
    """Which browser a request came from; None where it has no mark."""
    mark = mark_of(request)
    return None if mark is None else device_digest(mark)


def give_mark(response: Response, mark: str, *, secure: bool) -> None:
    """Gives a browser its mark, or keeps the one it has for longer."""
    response.set_cookie(
        COOKIE,
        mark,
        max_age=LIFETIME_SECONDS,
        path=PATH,
        secure=secure,
        httponly=True,
        samesite="strict",
    )


class Browser:
    """The browser of a login that is about to begin."""

    def __init__(self, request: Request, response: Response) -> None:
        self._response = response
        self._mark = mark_of(request) or new_device()
        self.device_id = device_digest(self._mark)

    def keep(self, *, secure: bool) -> None:
        """Gives it its mark, once the login has begun."""
        give_mark(self._response, self._mark, secure=secure)


async def browser(request: Request, response: Response) -> Browser:
    """The browser of a login that is about to begin."""
    return Browser(request, response)


DeviceId = Annotated[str | None, Depends(device_id)]
Marked = Annotated[Browser, Depends(browser)]
