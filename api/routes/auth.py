"""Logging in and out, and who one is."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.convert import login_out, me_out
from api.deps import Active, LoggedIn, ServicesDep
from api.devices import device_digest, give_mark, mark_of, new_device
from api.problems import documented
from api.schemas import LoginIn, LoginOut, Me, PasswordIn

router = APIRouter(prefix="/api/v1", tags=["accounts"])


@router.post("/auth/login", responses=documented(401, 429))
def login(body: LoginIn, request: Request, response: Response, services: ServicesDep) -> LoginOut:
    """Gives a bearer token for user name and password, and the browser its mark, which it keeps."""
    address = request.client.host if request.client else "local"
    mark = mark_of(request) or new_device()
    made = services.accounts.login(body.username, body.password, address, device_id=device_digest(mark))
    give_mark(response, mark, secure=services.settings.party.secure)
    return login_out(made)


@router.post("/auth/password", status_code=204, responses=documented(401, 409))
def set_password(body: PasswordIn, principal: LoggedIn, services: ServicesDep) -> None:
    """Replaces the one-time password; every other login of the account ends."""
    services.accounts.set_password(principal, body.password)


@router.post("/auth/logout", status_code=204, responses=documented(401))
def logout(principal: LoggedIn, services: ServicesDep) -> None:
    """Ends this login."""
    services.accounts.logout(principal)


@router.get("/me", responses=documented(401, 403))
def me(principal: Active) -> Me:
    """The account behind the token."""
    return me_out(principal)
