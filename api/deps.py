"""What routes ask for: the services, and who is asking.

What waits for nothing is `async`; what reads the database runs in the thread of its route.
"""

from __future__ import annotations

from typing import Annotated, Final, cast

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPBearer

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
from api.standing import Standing

MAX_PAGE: Final = 100


def services_of(request: Request) -> Services:
    """The services of this application."""
    return cast("Services", request.app.state.services)


async def _services(request: Request) -> Services:
    return services_of(request)


async def _standing(request: Request) -> Standing:
    return cast("Standing", request.app.state.standing)


ServicesDep = Annotated[Services, Depends(_services)]
StandingDep = Annotated[Standing, Depends(_standing)]


def client_address(request: Request) -> str:
    """Where a request came from, as far as that is known."""
    return request.client.host if request.client else "local"


async def login_address(request: Request, services: ServicesDep) -> str:
    """Where somebody who wants to get in asks from.

    Raises:
        TooManyRequestsError: too many logins are tried from there.
    """
    address = client_address(request)
    services.rates.check("login", address)
    return address


LoginAddress = Annotated[str, Depends(login_address)]


class Asks(HTTPBearer):
    """Who asks, as one dependency: whoever the token belongs to, where she may come in here.

    It reads the database, in the thread of its route.
    """

    def __init__(self, roles: frozenset[Role] | None = None, *, newcomers: bool = False) -> None:
        """
        Args:
            roles: that may; None: any.
            newcomers: whether somebody may who still has her one-time password.
        """
        super().__init__(
            scheme_name="HTTPBearer",
            description="the token that POST /api/v1/auth/login gives",
            auto_error=False,
        )
        self._roles = roles
        self._newcomers = newcomers

    async def __call__(self, request: Request) -> Principal:  # type: ignore[override]
        """Whoever the token belongs to.

        Raises:
            NotAuthenticatedError: no token, or one that is not good any more.
            TooManyRequestsError: the account sends too many.
            ForbiddenError: another role, or her one-time password was not replaced yet.
        """
        credentials = await super().__call__(request)
        if credentials is None:
            raise NotAuthenticatedError("not_logged_in", "log in first: POST /api/v1/auth/login")
        services = services_of(request)
        principal = services.logins.authenticate(credentials.credentials)
        request.state.principal = principal
        services.rates.check("account", principal.account_id)
        if not self._newcomers:
            check_may_work(principal)
        if self._roles is not None:
            check_role(principal, self._roles)
        return principal


LoggedIn = Annotated[Principal, Depends(Asks(newcomers=True))]
Active = Annotated[Principal, Depends(Asks())]
Operator = Annotated[Principal, Depends(Asks(frozenset({Role.OPERATOR})))]
Overseer = Annotated[Principal, Depends(Asks(OVERSEERS))]
Supervisor = Annotated[Principal, Depends(Asks(frozenset({Role.SUPERVISOR})))]
Administrator = Annotated[Principal, Depends(Asks(ADMINISTRATORS))]
AccountReader = Annotated[Principal, Depends(Asks(ACCOUNT_READERS))]
Approver = Annotated[Principal, Depends(Asks(APPROVERS))]


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
