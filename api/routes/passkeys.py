"""Registering, listing and removing passkeys."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from api.convert_passkeys import new_passkey_of, passkey_out, public_passkey_out, registration_out
from api.deps import Active, Cursor, IdempotencyKey, Limit, LoggedIn, Overseer, ServicesDep
from api.pagination import read_time_cursor, time_cursor
from api.problems import documented
from api.replays import WriteRequest
from api.routing import api_router
from api.schemas_passkeys import (
    PasskeyIn,
    PasskeyList,
    PasskeyOut,
    PublicPasskeyPage,
    RegistrationOptionsOut,
)

router = api_router("/api/v1/passkeys", tags=["passkeys"])


@router.post("/options", responses=documented(401, 403, 409))
def passkey_options(principal: LoggedIn, services: ServicesDep) -> RegistrationOptionsOut:
    """What a browser makes a new passkey with. The first one: in the login with the one-time password alone."""
    return registration_out(services.passkeys.ask(principal))


@router.post("", status_code=201, responses=documented(400, 401, 403, 409))
def register_passkey(
    body: PasskeyIn, principal: LoggedIn, services: ServicesDep, key: IdempotencyKey
) -> PasskeyOut:
    """Keeps a new passkey. One after the first needs the assertion of one there is."""
    request = WriteRequest.of(principal.account_id, key, "POST /passkeys", body.model_dump(mode="json"))
    return PasskeyOut.model_validate(services.passkeys.register(principal, new_passkey_of(body), request))


@router.get("", responses=documented(401))
def list_passkeys(principal: LoggedIn, services: ServicesDep) -> PasskeyList:
    """One's own passkeys."""
    return PasskeyList(items=[passkey_out(one) for one in services.passkeys.mine(principal)])


@router.get("/public", responses=documented(400, 401, 403))
def list_public_passkeys(
    principal: Overseer, services: ServicesDep, limit: Limit = 20, cursor: Cursor = None
) -> PublicPasskeyPage:
    """Everybody's public keys, to check judgements with: who holds a copy needs to trust nobody here later."""
    rows = services.passkeys.public(principal, read_time_cursor(cursor), limit + 1)
    page = rows[:limit]
    more = len(rows) > limit
    return PublicPasskeyPage(
        items=[public_passkey_out(one) for one in page],
        next_cursor=time_cursor(page[-1].created_at, page[-1].passkey_id) if more else None,
    )


@router.delete("/{passkey_id}", status_code=204, responses=documented(401, 403, 404))
def remove_passkey(
    passkey_id: Annotated[str, Path(max_length=64)], principal: Active, services: ServicesDep
) -> None:
    """Ends one of one's own passkeys. Without any one cannot judge until an administrator's reset."""
    services.passkeys.remove(principal, passkey_id)
