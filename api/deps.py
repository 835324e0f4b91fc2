"""What routes ask for: the services, and who is asking.

What waits for nothing is `async`, so that no thread is asked for it.
"""

from __future__ import annotations

from typing import Annotated, Final, cast

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.accounts import Principal, check_may_work
from api.errors import BadRequestError, ForbiddenError, NotAuthenticatedError
from api.oversight import OVERSEERS
from api.review.cases import Role
from api.services import Services

MAX_PAGE: Final = 100

_bearer = HTTPBearer(auto_error=False, description="the token that POST /api/v1/auth/login gives")


def services_of(request: Request) -> Services:
    """The services of this application."""
    return cast("Services", request.app.state.services)


async def _services(request: Request) -> Services:
    return services_of(request)


ServicesDep = Annotated[Services, Depends(_services)]


def logged_in(
    request: Request,
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    """Whoever the token belongs to, even with a one-time password.

    Raises:
        NotAuthenticatedError: no token, or one that is not good any more.
    """
    if credentials is None:
        raise NotAuthenticatedError("not_logged_in", "log in first: POST /api/v1/auth/login")
    principal = services.accounts.authenticate(credentials.credentials)
    request.state.principal = principal
    return principal


LoggedIn = Annotated[Principal, Depends(logged_in)]


async def active(principal: LoggedIn) -> Principal:
    """Whoever the token belongs to, once the one-time password was replaced.

    Raises:
        ForbiddenError: it was not.
    """
    check_may_work(principal)
    return principal


Active = Annotated[Principal, Depends(active)]


async def operator(principal: Active) -> Principal:
    """An operator.

    Raises:
        ForbiddenError: another role.
    """
    return _of_role(principal, frozenset({Role.OPERATOR}))


async def overseer(principal: Active) -> Principal:
    """A supervisor or an auditor.

    Raises:
        ForbiddenError: another role.
    """
    return _of_role(principal, OVERSEERS)


async def supervisor(principal: Active) -> Principal:
    """A supervisor.

    Raises:
        ForbiddenError: another role.
    """
    return _of_role(principal, frozenset({Role.SUPERVISOR}))


async def administrator(principal: Active) -> Principal:
    """An administrator.

    Raises:
        ForbiddenError: another role.
    """
    return _of_role(principal, frozenset({Role.ADMINISTRATOR}))


Operator = Annotated[Principal, Depends(operator)]
Overseer = Annotated[Principal, Depends(overseer)]
Supervisor = Annotated[Principal, Depends(supervisor)]
Administrator = Annotated[Principal, Depends(administrator)]


async def idempotency_key(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=8,
            max_length=128,
            pattern=r"^[\x21-\x7e]+$",
            description="chosen by the client, new for each new action; the same key gives the same result",
        ),
    ] = None,
) -> str:
    """The client's own name for this write.

    Raises:
        BadRequestError: there is none.
    """
    if key is None:
        raise BadRequestError("idempotency_key_missing", "send an Idempotency-Key, e.g. a random UUID")
    return key


IdempotencyKey = Annotated[str, Depends(idempotency_key)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="rows at most")]
Cursor = Annotated[str | None, Query(max_length=256, description="`next_cursor` of the page before")]


def _of_role(principal: Principal, roles: frozenset[Role]) -> Principal:
    if principal.role not in roles:
        raise ForbiddenError("role", f"an account with the role {principal.role.value} cannot do this")
    return principal
