"""The HTTP application: routes, headers, errors, and the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

import api
from api.headers import SecurityHeaders
from api.problems import install_error_handlers, label_problems
from api.rate_gate import RateGate
from api.routes import (
    accounts,
    auth,
    cameras,
    candidates,
    complaints,
    controls,
    deployments,
    evidence,
    given_cameras,
    holds,
    outcomes,
    overlays,
    passkeys,
    previews,
    records,
    requests,
    retractions,
    reviews,
    rights,
    service,
    shifts,
    statistics,
    watchlists,
)
from api.services import Services
from api.standing import Standing

MAX_BODY_BYTES: Final = 64 * 1024
"""No request needs more: the longest carries a reason in words."""

DESCRIPTION: Final = (
    "Candidates are leads. Two people judge each, blind and apart, before anyone acts. "
    "Errors are problem+json (RFC 9457); writes take an Idempotency-Key."
)


PARTS: Final = (
    auth,
    accounts,
    rights,
    passkeys,
    reviews,
    evidence,
    candidates,
    holds,
    retractions,
    outcomes,
    complaints,
    cameras,
    given_cameras,
    previews,
    overlays,
    records,
    watchlists,
    requests,
    deployments,
    controls,
    shifts,
    statistics,
    service,
)


class Application(FastAPI):
    """FastAPI, whose contract names errors by their real media type."""

    def openapi(self) -> dict[str, Any]:
        """The contract as OpenAPI."""
        document = super().openapi()
        label_problems(document)
        return document


def create_app(
    services: Services,
    *,
    standing: Standing | None = None,
    beside: AbstractContextManager[object] | None = None,
) -> Application:
    """The application over services that exist; it starts and closes them with itself.

    Args:
        services: what routes work with.
        standing: says how the service fares; `services` where None.
        beside: entered before the first request, and left after the last.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        services.start()
        try:
            with beside or nullcontext():
                yield
        finally:
            services.close()

    app = Application(
        title="Aiqyn",
        version=metadata.version("aiqyn"),
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # both viewers load scripts from elsewhere, which the page's policy forbids
        redoc_url=None,
        lifespan=lifespan,
        max_body_size=MAX_BODY_BYTES,
        # The routes themselves: an included router makes each of its routes, models and all, once more for every
        # application, and looks through them twice for every request.
        routes=[route for part in PARTS for route in part.router.routes],
    )
    app.state.services = services
    app.state.standing = standing or services
    app.add_middleware(
        RateGate,
        rates=services.rates,
        note=lambda error: services.accounts.note_denial(None, "any", error),
    )
    app.add_middleware(SecurityHeaders, https=services.settings.https)
    install_error_handlers(app)
    _mount_console(app)
    return app


def _mount_console(app: FastAPI) -> None:
    """Serves the page, a pure client of the routes above; it comes last, so that no file hides a route."""
    static = Path(api.__file__).parent / "console" / "static"
    if (static / "index.html").is_file():
        app.mount("/", StaticFiles(directory=static, html=True), name="console")
