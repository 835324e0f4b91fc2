"""What routes ask for: the services, and who is asking.

What waits for nothing is `async`, so that no thread is asked for it.
"""

from __future__ import annotations

from typing import Annotated, Final, cast

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.errors import BadRequestError, NotAuthenticatedError
from api.principals import (
    ACCOUNT_READERS,
    ADMINISTRATORS,
    APPROVERS,
    OVERSEERS,
    Principal,
    check_may_work,
    check_role,
)
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


def client_address(request: Request) -> str:
    """Where a request came from, as far as that is known."""
    return request.client.host if request.client else "local"


def login_address(request: Request, services: ServicesDep) -> str:
    """Where somebody who wants to get in asks from.

    Raises:
        TooManyRequestsError: too many logins are tried from there.
    """
    address = client_address(request)
    services.rates.check("login", address)
    return address


LoginAddress = Annotated[str, Depends(login_address)]


def logged_in(
    request: Request,
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    """Whoever the token belongs to, even with a one-time password.

    Raises:
        NotAuthenticatedError: no token, or one that is not good any more.
        TooManyRequestsError: the account sends too many.
    """
    if credentials is None:
        raise NotAuthenticatedError("not_logged_in", "log in first: POST /api/v1/auth/login")
    principal = services.logins.authenticate(credentials.credentials)
    request.state.principal = principal
    services.rates.check("account", principal.account_id)
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
    return _of_role(principal, ADMINISTRATORS)


def account_reader(principal: Active) -> Principal:
    """An administrator, an authoriser or an auditor.

    Raises:
        ForbiddenError: another role.
    """
    return _of_role(principal, ACCOUNT_READERS)


def approver(principal: Active) -> Principal:
    """Who may be the second person of an account: an administrator or an authoriser.

    Raises:
        ForbiddenError: another role.
    """
    return _of_role(principal, APPROVERS)


Operator = Annotated[Principal, Depends(operator)]
Overseer = Annotated[Principal, Depends(overseer)]
Supervisor = Annotated[Principal, Depends(supervisor)]
Administrator = Annotated[Principal, Depends(administrator)]
AccountReader = Annotated[Principal, Depends(account_reader)]
Approver = Annotated[Principal, Depends(approver)]


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
    check_role(principal, roles)
    return principal
