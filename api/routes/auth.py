"""Logging in, staying in and getting out, and who one is."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from api.convert import login_out, me_out
from api.deps import Active, LoggedIn, LoginAddress, ServicesDep, login_address
from api.devices import Marked
from api.peers import PEER
from api.problems import documented
from api.routing import api_router
from api.schemas import LoginIn, LoginOut, Me, PasswordIn
from api.schemas_people import LoginWays, OidcBegun, OidcFinish, RefreshIn, SessionList, SessionOut

GATED = [Depends(login_address)]

router = api_router("/api/v1", tags=["accounts"])


@router.get("/auth/ways", responses=documented())
def list_login_ways(services: ServicesDep) -> LoginWays:
    """How one may log in here."""
    return LoginWays(password=True, oidc=services.oidc.button, proxy=services.proxy_logins.is_on)


@router.post("/auth/login", responses=documented(401))
def login(body: LoginIn, address: LoginAddress, services: ServicesDep, browser: Marked) -> LoginOut:
    """Gives an access token and a refresh token for user name and password, and the browser its mark."""
    made = services.logins.login(body.username, body.password, address, device_id=browser.device_id)
    browser.keep(secure=services.settings.party.secure)
    return login_out(made)


@router.post("/auth/refresh", dependencies=GATED, responses=documented(401))
def refresh(body: RefreshIn, services: ServicesDep) -> LoginOut:
    """Gives the next pair of tokens; one that was used before ends the login."""
    return login_out(services.logins.refresh(body.refresh_token))


@router.post("/auth/oidc", dependencies=GATED, responses=documented(403, 503))
def begin_oidc(services: ServicesDep) -> OidcBegun:
    """Begins a login at the identity provider."""
    begun = services.oidc.begin()
    return OidcBegun(authorization_url=begun.authorization_url, binding=begun.binding)


@router.post("/auth/oidc/finish", dependencies=GATED, responses=documented(401, 403, 503))
def finish_oidc(body: OidcFinish, services: ServicesDep, browser: Marked) -> LoginOut:
    """Ends a login at the identity provider: tokens for the account with its subject, and the browser's mark."""
    made = services.oidc.finish(body.code, body.state, body.binding, browser.device_id)
    browser.keep(secure=services.settings.party.secure)
    return login_out(made)


@router.post("/auth/proxy", dependencies=GATED, responses=documented(401, 403))
def login_by_proxy(request: Request, services: ServicesDep, browser: Marked) -> LoginOut:
    """Gives tokens to whom the proxy in front names; only it can ask, and only where that is switched on."""
    peer = request.scope.get(PEER) or request.client
    made = services.proxy_logins.login(peer[0] if peer else None, request.headers, browser.device_id)
    browser.keep(secure=services.settings.party.secure)
    return login_out(made)


@router.post("/auth/password", status_code=204, responses=documented(401, 409))
def set_password(body: PasswordIn, principal: LoggedIn, services: ServicesDep) -> None:
    """Replaces the one-time password; every other login of the account ends."""
    services.logins.set_password(principal, body.password)


@router.post("/auth/logout", status_code=204, responses=documented(401))
def logout(principal: LoggedIn, services: ServicesDep) -> None:
    """Ends this login."""
    services.logins.logout(principal)


@router.get("/auth/sessions", responses=documented(401, 403))
def list_sessions(principal: Active, services: ServicesDep) -> SessionList:
    """One's own logins that are not over."""
    return SessionList(
        items=[
            SessionOut(
                session_id=one.session_id,
                how=one.how,
                began_at=one.began_at,
                ends_at=one.ends_at,
                current=one.current,
            )
            for one in services.logins.sessions(principal)
        ]
    )


@router.delete("/auth/sessions/{session_id}", status_code=204, responses=documented(401, 403, 404))
def end_session(
    session_id: Annotated[str, Path(max_length=64)], principal: Active, services: ServicesDep
) -> None:
    """Ends one of one's own logins."""
    services.logins.end_session(principal, session_id)


@router.get("/me", responses=documented(401, 403))
def me(principal: Active) -> Me:
    """The account behind the token."""
    return me_out(principal)
