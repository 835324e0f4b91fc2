"""Logging in and out, and who one is."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.convert import login_out, me_out
from api.deps import Active, LoggedIn, ServicesDep
from api.problems import documented
from api.schemas import LoginIn, LoginOut, Me, PasswordIn

router = APIRouter(prefix="/api/v1", tags=["accounts"])


@router.post("/auth/login", responses=documented(401, 429))
def login(body: LoginIn, request: Request, services: ServicesDep) -> LoginOut:
    """Gives a bearer token for user name and password."""
    address = request.client.host if request.client else "local"
    return login_out(services.accounts.login(body.username, body.password, address))


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
