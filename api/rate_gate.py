"""Middleware that lets through so many requests of one address a second, before anything else is done for them."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import TooManyRequestsError
from api.problems import problem_response
from api.rates import RateLimiter


class RateGate:
    """The limit per address; health and metrics, which are asked for by machines, are outside it."""

    def __init__(
        self, app: ASGIApp, *, rates: RateLimiter, note: Callable[[TooManyRequestsError], None]
    ) -> None:
        """
        Args:
            app: what is behind it.
            rates: counts.
            note: writes a refusal down.
        """
        self._app = app
        self._rates = rates
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        address = client[0] if client else "local"
        try:
            self._rates.check("address", address)
        except TooManyRequestsError as error:
            if self._rates.is_news("address", address):
                await run_in_threadpool(self._note, error)
            answer = problem_response(
                error.status, error.code, error.detail, title=error.title, headers=error.headers
            )
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)
