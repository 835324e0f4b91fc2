"""Who is at the other end of the connection, kept before headers of a proxy replace it."""

from __future__ import annotations

from typing import Any, Final

PEER: Final = "aiqyn.peer"
"""Under this name a request's scope holds host and port of the other end."""


class PeerNoted:
    """Wraps an application whose client addresses come from a proxy's headers."""

    def __init__(self, app: Any) -> None:
        """`app` is any ASGI application: frameworks and servers each name that type differently."""
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""
        if scope["type"] == "http":
            scope[PEER] = scope.get("client")
        await self._app(scope, receive, send)
