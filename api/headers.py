"""Headers every answer carries: nothing is cached, framed, sniffed or loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONSOLE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For the page. `blob:` because pictures and clips come with the token in a header and are shown from memory."""

API_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_EVERYWHERE: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}

_Header: TypeAlias = tuple[bytes, bytes]
_CACHE_CONTROL: Final = b"cache-control"


class SecurityHeaders:
    """Middleware that adds them."""

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self._app = app
        strict = {"Strict-Transport-Security": "max-age=31536000"} if https else {}
        self._of_api = _raw(
            _EVERYWHERE | strict | {"Content-Security-Policy": API_POLICY, "Cache-Control": "no-store"}
        )
        self._of_page = _raw(_EVERYWHERE | strict | {"Content-Security-Policy": CONSOLE_POLICY})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_api = scope["path"].startswith(("/api/", "/.well-known/")) or scope["path"] in (
            "/health",
            "/ready",
            "/metrics",
        )

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._with_ours(message.get("headers", ()), is_api=is_api)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _with_ours(self, headers: Iterable[_Header], *, is_api: bool) -> list[_Header]:
        """The headers of an answer with ours in place of any it had of the same name."""
        ours = self._of_api if is_api else self._of_page
        kept = [header for header in headers if header[0].lower() not in ours]
        if not is_api and all(name.lower() != _CACHE_CONTROL for name, _ in kept):
            kept.append((_CACHE_CONTROL, b"no-cache"))
        return [*kept, *ours.items()]


def _raw(headers: dict[str, str]) -> dict[bytes, bytes]:
    """As they go over the wire, made once: every answer has them."""
    return {name.lower().encode(): value.encode() for name, value in headers.items()}
