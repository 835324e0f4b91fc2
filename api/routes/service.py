"""What anyone may ask: whether the service lives and works, and with which keys it signs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.deps import ServicesDep, StandingDep
from api.errors import NotAuthenticatedError
from api.problems import documented
from api.routing import api_router
from api.schemas import Health, Jwks
from pipelines.metrics_registry import CONTENT_TYPE

router = api_router(tags=["service"])

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="MetricsToken",
    description="the token of AIQYN_METRICS_TOKEN; where none is set, this machine alone may read metrics",
)


@router.get("/health", responses={503: {"model": Health, "description": "a background thread has died"}})
def health(standing: StandingDep, response: Response) -> Health:
    """Whether the process and its threads are alive. A supervisor restarts it when not."""
    return _answer(standing.liveness(), response)


@router.get("/ready", responses={503: {"model": Health, "description": "not able to work now"}})
def ready(standing: StandingDep, response: Response) -> Health:
    """Whether database, schema, keys, bus and threads are all there and work can be done."""
    answer = _answer(standing.readiness(), response)
    return answer.model_copy(update={"notices": standing.notices()})


@router.get("/.well-known/jwks.json", response_model_exclude_none=True)
def jwks(services: ServicesDep) -> Jwks:
    """Public keys of receipts, with the dates between which each signs."""
    return Jwks.model_validate(services.keys.jwks())


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **documented(401, 503),
        200: {"content": {"text/plain": {}}, "description": "Prometheus, text 0.0.4"},
    },
)
def metrics(
    request: Request,
    services: ServicesDep,
    standing: StandingDep,
    _credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Response:
    """What the service counts and measures: for this machine, or for whoever has the token of the metrics."""
    client = request.client.host if request.client else None
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for"))
    authorization = request.headers.get("authorization")
    if not services.settings.metrics.allows(authorization, client, forwarded=forwarded):
        raise NotAuthenticatedError("metrics_token", "metrics need the bearer token of AIQYN_METRICS_TOKEN")
    return Response(standing.metrics_text(), media_type=CONTENT_TYPE)


def _answer(parts: Mapping[str, str], response: Response) -> Health:
    well = all(state == "ok" for state in parts.values())
    if not well:
        response.status_code = 503
    return Health(status="ok" if well else "unavailable", parts=dict(parts))
