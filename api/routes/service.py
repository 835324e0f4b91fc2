"""What anyone may ask: whether the service lives and works, and with which keys it signs."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.deps import ServicesDep
from api.schemas import Health, Jwks

router = APIRouter(tags=["service"])


@router.get("/health", responses={503: {"model": Health, "description": "a background thread has died"}})
def health(services: ServicesDep, response: Response) -> Health:
    """Whether the process and its threads are alive. A supervisor restarts it when not."""
    return _answer(services.liveness(), response)


@router.get("/ready", responses={503: {"model": Health, "description": "not able to work now"}})
def ready(services: ServicesDep, response: Response) -> Health:
    """Whether database, schema, keys, bus and threads are all there and work can be done."""
    answer = _answer(services.readiness(), response)
    return answer.model_copy(update={"notices": services.notices()})


@router.get("/.well-known/jwks.json", response_model_exclude_none=True)
def jwks(services: ServicesDep) -> Jwks:
    """Public keys of receipts, with the dates between which each signs."""
    return Jwks.model_validate(services.keys.jwks())


def _answer(parts: dict[str, str], response: Response) -> Health:
    well = all(state == "ok" for state in parts.values())
    if not well:
        response.status_code = 503
    return Health(status="ok" if well else "unavailable", parts=parts)
